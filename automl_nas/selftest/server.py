"""A process that has the engines imported and forks a child for every job.

    python -m automl_nas.selftest.server SOCKET [PACKAGE]...

One connection is one job: a line of JSON in, a line out. The child runs a study and may die of
SIGKILL, by its own hand at an event or by the handler's at a time; the handler tells which. Only
modules are inherited from the server, which never runs a study itself. The hash seed is the
interpreter's: a server of its own for each. Written for POSIX.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socketserver
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from automl_nas.errors import AutoMLNASError
from automl_nas.selftest import subjects
from automl_nas.selftest.events import watched
from automl_nas.selftest.shown import shown

_CHUNK = 1 << 16
_STALE_SECONDS = 2.0
"""Instead of ten: how long a journal's lock may be left behind, so that kills do not cost 10 s."""


class _Handler(socketserver.StreamRequestHandler):
    """In a process of its own, which the server forked for it."""

    def handle(self) -> None:
        line = self.rfile.readline()
        if line:
            self.wfile.write(json.dumps(_parted(json.loads(line))).encode() + b"\n")


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    block_on_close = False
    max_children = 1000

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self._wanted, self._parent = path.with_suffix(".modules"), os.getppid()

    def service_actions(self) -> None:
        """Imports what is asked for by a file, and ends when the parent is gone."""
        super().service_actions()
        if os.getppid() != self._parent:
            os._exit(0)
        if self._wanted.exists():
            for module in self._wanted.read_text().split():
                _import(module)
            _settle()
            self._wanted.unlink()


def _parted(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the job in a child; says how it ended and what it answered."""
    started = time.monotonic()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.close(reading)
        _run(job, writing)
    os.close(writing)
    deadline = None if job.get("after") is None else started + job["after"]
    data = _until(reading, child, deadline)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    answer = json.loads(data) if data and not killed else {}
    if not killed and not answer:
        answer = {"broken": f"the process ended with status {status} and said nothing"}
    return {**answer, "killed": killed, "seconds": time.monotonic() - started}


def _until(pipe: int, child: int, deadline: float | None) -> bytes:
    """All that the child says, which is killed at the deadline."""
    data = b""
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([pipe], [], [], left)[0]:
            os.kill(child, signal.SIGKILL)
            deadline = None
            continue
        if not (chunk := os.read(pipe, _CHUNK)):
            os.close(pipe)
            return data
        data += chunk


def _run(job: dict[str, Any], pipe: int) -> None:
    """The child: it never returns."""
    try:
        answer = _answer(job)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        answer = {"broken": traceback.format_exc()}
    with open(pipe, "wb") as file:
        file.write(json.dumps(answer).encode())
    os._exit(0)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    from automl_nas import journal

    counts: Counter[str] = Counter()

    def happened(kind: str) -> None:
        counts[kind] += 1
        if [kind, counts[kind]] == job.get("kill"):
            os.kill(os.getpid(), signal.SIGKILL)

    journal._STALE_SECONDS = _STALE_SECONDS  # type: ignore[assignment]
    case = subjects.Case(**job["case"])
    try:
        study = case.study(job["study"], job["seed"], happened)
        with watched(happened, study.searcher):
            study.run(job["url"])
    except AutoMLNASError as error:
        return {"error": type(error).__name__, "reason": str(error)}
    return {
        "counts": counts,
        "shown": shown(job["url"], job["study"]),
        "modules": sorted(sys.modules),
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
    }


def _settle() -> None:
    """What is there now is shared with the children, not copied by their garbage collectors."""
    gc.collect()
    gc.freeze()


def _import(module: str) -> None:
    with contextlib.suppress(Exception):
        importlib.import_module(module)


def main(path: Path, packages: list[str]) -> None:
    """Serves until the parent is gone."""
    warnings.simplefilter("ignore")
    for module in packages:
        _import(module)
    _settle()
    with _Server(path) as server:
        path.with_suffix(".ready").touch()
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
