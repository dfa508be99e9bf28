"""The places of a run at which its process can be killed, counted while it runs.

    with watched(happened, searcher):
        study.run(url)                    # calls happened("ask"), happened("asked"), ...

`happened(kind)` is called at each event and may kill the process or raise. `KINDS` says what each
kind is. Everything is put back afterwards.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import get_lock_file
from sqlalchemy.engine.default import DefaultDialect

from automl_nas.searchers.base import Searcher
from automl_nas.trials import MEASUREMENT

Happened = Callable[[str], None]

KINDS = {
    "ask": "before the searcher is asked",
    "cache": "the same while it holds a cache, such as a batch of SMAC's",
    "asked": "after its proposal, before that is written",
    "run": "after the trial is written, before or after the objective's work",
    "close": "after the measurement is written, before the trial's state",
    "done": "after the trial is complete",
    "write": "inside a write: a transaction not committed, half a line of a journal",
    "file": "inside the writing of a file: half of it, or not renamed yet",
    "clock": "at a random time, from another process",
}
"""Kind of event -> what it means. `clock` is nobody's event."""


@contextlib.contextmanager
def watched(happened: Happened, searcher: Searcher) -> Iterator[None]:
    """Calls `happened` at every event of a run; the objective calls it by itself."""
    patches = [
        mock.patch.object(type(searcher), "propose", _asked(happened, type(searcher).propose)),
        *[
            patch
            for storage in (RDBStorage, JournalStorage)
            for patch in _trials(happened, storage)
        ],
        *_writes(happened),
        *_files(happened),
    ]
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        yield


def _asked(happened: Happened, propose: Callable[..., Any]) -> Callable[..., Any]:
    depth = 0

    @functools.wraps(propose)
    def wrapped(searcher: Any, history: Any, number: int) -> Any:
        nonlocal depth
        if depth:  # a searcher that asks another of its class
            return propose(searcher, history, number)
        happened("cache" if history.cache.memory else "ask")
        depth += 1
        try:
            proposal = propose(searcher, history, number)
        finally:
            depth -= 1
        happened("asked")
        return proposal

    return wrapped


def _trials(happened: Happened, storage: Any) -> list[Any]:
    """Patches of the calls that make and complete a trial."""

    def after(name: str, kind: str, *, only: Callable[..., bool] = lambda *_: True) -> Any:
        call = getattr(storage, name)

        @functools.wraps(call)
        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = call(self, *args, **kwargs)
            if only(*args):
                happened(kind)
            return result

        return mock.patch.object(storage, name, wrapped)

    return [
        after("create_new_trial", "run"),
        after("set_trial_user_attr", "close", only=lambda *args: MEASUREMENT in args),
        after("set_trial_intermediate_value", "close"),
        after("set_trial_state_values", "done"),
    ]


def _writes(happened: Happened) -> list[Any]:
    """Patches of what makes a write durable, in both kinds of storage."""
    append, commit = JournalFileBackend.append_logs, DefaultDialect.do_commit

    def append_logs(backend: Any, logs: Any) -> None:
        with _torn(backend):
            happened("write")
        append(backend, logs)

    def do_commit(dialect: Any, connection: Any) -> None:
        if getattr(connection, "in_transaction", True):
            happened("write")
        commit(dialect, connection)  # type: ignore[no-untyped-call]

    return [
        mock.patch.object(JournalFileBackend, "append_logs", append_logs),
        mock.patch.object(DefaultDialect, "do_commit", do_commit),
    ]


@contextlib.contextmanager
def _torn(backend: Any) -> Iterator[None]:
    """Inside, the journal is locked and ends with a part of a line."""
    path = Path(backend._file_path)
    lock: Any = get_lock_file(backend._lock)
    with lock:
        size = path.stat().st_size
        with path.open("ab") as file:
            file.write(b'{"op_code":4,"worker')
        yield
        with path.open("rb+") as file:
            file.truncate(size)


def _files(happened: Happened) -> list[Any]:
    """Patches of how files are written whole: bytes first, then another name."""
    write_bytes, replace = Path.write_bytes, Path.replace

    def halves(path: Path, data: Any) -> int:
        write_bytes(path, bytes(data)[: len(data) // 2])
        happened("file")
        return write_bytes(path, data)

    def renamed(path: Path, target: Any) -> Any:
        happened("file")
        result = replace(path, target)
        happened("file")
        return result

    return [
        mock.patch.object(Path, "write_bytes", halves),
        mock.patch.object(Path, "replace", renamed),
    ]
