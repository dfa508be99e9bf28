"""Optuna storages by URL: `sqlite:///s.db`, `journal:s.log`, `postgresql://...`; None: memory.

`journal:PATH` is our own spelling for Optuna's Journal file. SQLite runs in WAL mode and waits for
a lock instead of failing at once. Errors of the storage become `StorageError`s with a next step.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from automl_nas.database import Database
from automl_nas.errors import SettingError, StorageError
from automl_nas.exclusion import exclusive as exclusive
from automl_nas.journal import open_journal
from automl_nas.patience import patient as patient
from automl_nas.urls import JOURNAL
from automl_nas.urls import local_path as local_path

_LOCK_SECONDS = 30
"""How long SQLite waits for another writer."""
_SERVER_SECONDS = 60
"""How long a server that has gone away is waited for."""
_LOOKS = 2
"""How often a database that cannot be opened is looked at again."""
_TURN_SECONDS = 3600
"""How long another process may take to propose."""


def open_storage(
    url: str | None, *, create: bool = True, group_commit: float | None = None
) -> BaseStorage:
    """The Optuna storage behind `url`.

    Args:
        url: see the module; None: in memory.
        create: whether it may be made; False: it is only read.
        group_commit: for a journal and a cheap deterministic objective: seconds for which records
            may wait in memory to be written together (`automl_nas.journal`); 0.5 is a good one.

    Raises:
        SettingError: group commit without a journal, or not for a positive time.
        StorageError: unknown scheme, folder not writable, not a database, locked, or absent
            although `create` is False.
    """
    _check_group_commit(url, group_commit)
    if url is None:
        return InMemoryStorage()
    path = local_path(url)
    if path is not None:
        _check_file(path, create=create)
    with translated(url, also=(OSError, ImportError, ValueError)):
        if url.startswith(JOURNAL):
            return open_journal(path, create=create, group_commit=group_commit)
        return _open_database(url)


def _check_group_commit(url: str | None, seconds: float | None) -> None:
    if seconds is None:
        return
    if url is None or not url.startswith(JOURNAL):
        raise SettingError(
            f"group_commit={seconds} is for journals, got storage {url!r}: use journal:PATH, or "
            "leave group_commit out."
        )
    if not 0 < seconds < math.inf:
        raise SettingError(f"group_commit must be a positive number of seconds, got {seconds!r}.")


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


def close(storage: BaseStorage) -> None:
    """Writes what waits to be written and gives connections back."""
    storage.remove_session()
    if (engine := getattr(storage, "engine", None)) is not None:
        engine.dispose()


@contextlib.contextmanager
def held(storage: BaseStorage, url: str | None, key: str) -> Iterator[None]:
    """`exclusive`, waiting for a server that goes away.

    A lock that the server loses inside the block is not missed: what the block has written is each
    whole in itself.
    """
    lock = _taken(storage, url, key)
    try:
        yield
    except BaseException:
        lock.__exit__(*sys.exc_info())
        raise
    with contextlib.suppress(StorageError):
        lock.__exit__(None, None, None)


def _taken(
    storage: BaseStorage, url: str | None, key: str
) -> contextlib.AbstractContextManager[None]:
    deadline = time.monotonic() + _SERVER_SECONDS
    while True:
        lock = exclusive(storage, url, key, _TURN_SECONDS)
        try:
            lock.__enter__()
        except StorageError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return lock


def _open_database(url: str) -> RDBStorage:
    sqlite = url.startswith("sqlite")
    arguments = {"connect_args": {"timeout": _LOCK_SECONDS}} if sqlite else {"pool_pre_ping": True}
    storage = _created(lambda: Database(url, engine_kwargs=arguments))
    if sqlite and storage.engine.url.database not in (None, "", ":memory:"):
        event.listen(storage.engine, "connect", _use_wal)
        storage.engine.dispose()
    return storage


def _created(make: Callable[[], RDBStorage]) -> RDBStorage:
    """Of processes that make the tables at the same moment, all but one have to look again."""
    for _ in range(_LOOKS):
        with contextlib.suppress(IntegrityError, ProgrammingError, OperationalError):
            return make()
        time.sleep(0.5)
    return make()


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
