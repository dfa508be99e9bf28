"""Optuna storages by URL: `sqlite:///s.db`, `journal:s.log`, `postgresql://...`; None: memory.

`journal:PATH` is our own spelling for Optuna's Journal file. SQLite runs in WAL mode and waits for
a lock instead of failing at once. Errors of the storage become `StorageError`s with a next step.
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.storages.journal._file import get_lock_file
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from automl_nas.errors import StorageError

_LOCK_SECONDS = 30
"""How long SQLite waits for another writer."""
_JOURNAL = b'{"op_code":'
"""How every line of a journal begins."""
_STALE_SECONDS = 10
"""A journal's lock without a write for so long was left behind by a killed process."""


def local_path(url: str | None) -> Path | None:
    """The file behind a SQLite or journal URL; None for memory and servers."""
    for prefix in ("sqlite:///", "journal:"):
        if url is not None and url.startswith(prefix) and (path := url[len(prefix) :]):
            return None if path == ":memory:" else Path(path)
    return None


def open_storage(url: str | None, *, create: bool = True) -> BaseStorage:
    """The Optuna storage behind `url`.

    Raises:
        StorageError: unknown scheme, folder not writable, not a database, locked, or absent
            although `create` is False.
    """
    if url is None:
        return InMemoryStorage()
    path = local_path(url)
    if path is not None:
        _check_file(path, create=create)
    with translated(url, also=(OSError, ImportError, ValueError)):
        if url.startswith("journal:"):
            return _open_journal(path, create=create)
        return _open_database(url)


def _open_journal(path: Path | None, *, create: bool) -> JournalStorage:
    if path is None:
        raise StorageError("storage 'journal:' names no file: expected journal:PATH.")
    if create:
        path.touch()
    _check_journal(path)
    place = str(path.absolute())  # Optuna waits for ever for a stale link that leads nowhere
    lock = JournalFileSymlinkLock(place, _STALE_SECONDS)
    if create:
        with get_lock_file(lock):
            _mend(path)
    return JournalStorage(JournalFileBackend(place, lock))


def _check_journal(path: Path) -> None:
    with path.open("rb") as file:
        begin = file.read(len(_JOURNAL))
    if not _JOURNAL.startswith(begin):
        raise StorageError(f"{path} is not a journal of Optuna's: give another path.")


def _mend(path: Path) -> None:
    """Cuts off the last line where `kill -9` left a part of it: the next one would join it."""
    with path.open("rb+") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def _check_file(path: Path, *, create: bool) -> None:
    if path.exists():
        if not os.access(path, os.W_OK if create else os.R_OK):
            raise StorageError(f"{path} is not writable: check its permissions.")
        return
    if not create:
        raise StorageError(f"no storage at {path}: check the path, or run a study on it first.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot create folder {path.parent}: {error.strerror}.") from error


def _open_database(url: str) -> RDBStorage:
    sqlite = url.startswith("sqlite")
    arguments = {"connect_args": {"timeout": _LOCK_SECONDS}} if sqlite else {"pool_pre_ping": True}
    storage = RDBStorage(url, engine_kwargs=arguments)
    if sqlite and storage.engine.url.database not in (None, "", ":memory:"):
        event.listen(storage.engine, "connect", _use_wal)
        storage.engine.dispose()
    return storage


def _use_wal(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


_HINTS = {
    "readonly": "it is read-only: check the permissions of the file and its folder",
    "read-only": "it is read-only: check the permissions of the file and its folder",
    "locked": "another process holds its lock: wait for that one, or stop it",
    "directory": "it is a folder: give the path of a file in it",
    "unable to open": "it cannot be opened: check that its folder exists and is writable",
    "not a database": "the file is not an SQLite database: give another path",
    "no such table": "the file is a database, but not one of Optuna's: give another path",
    "import db access module": "the database's driver is not installed: for PostgreSQL run "
    "`pip install 'psycopg[binary]'`",
    "could not connect": "the server does not answer: check host, port and credentials",
    "connection": "the server does not answer: check host, port and credentials",
    "parse": "expected sqlite:///PATH, journal:PATH or another SQLAlchemy URL",
}


@contextlib.contextmanager
def translated(url: str | None, *, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turns errors of the storage's machinery (and `also` others) into StorageError."""
    kinds: tuple[type[Exception], ...] = (SQLAlchemyError, StorageInternalError, *also)
    try:
        yield
    except kinds as error:
        text = f"{error} {error.__cause__ or ''}"
        hint = next(
            (h for word, h in _HINTS.items() if word in text.lower()), str(error).rstrip(".")
        )
        raise StorageError(f"storage {url!r} cannot be used: {hint}.") from error


@contextlib.contextmanager
def quiet_optuna(level: int = logging.WARNING) -> Iterator[None]:
    """No log lines of Optuna's below `level`, nor its warnings of what it calls experimental."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logger.setLevel(before)
