"""One process at a time, on any machine: a lock that the system releases when its holder dies.

    with storages.exclusive(storage, url, "study s", timeout=60):
        ...                                # no other process is in a block with this key

| storage          | lock                                                              |
|------------------|-------------------------------------------------------------------|
| PostgreSQL       | `pg_advisory_lock` of a connection of its own                     |
| MySQL, MariaDB   | `GET_LOCK` of a connection of its own                             |
| SQLite, journal  | `flock` on PATH.<digits of the key>.lock, which is left behind    |
| in memory        | a lock between the threads of this process                        |

The locks are not reentrant: a block inside a block with the same key waits for its timeout. A
server may lose the connection, and the lock with it, inside the block: that is noticed at its end.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from optuna.storages import BaseStorage
from sqlalchemy.exc import DBAPIError

from automl_nas.errors import StorageError
from automl_nas.urls import local_path

_POLL_SECONDS = (0.002, 0.1)
"""First and longest pause between two looks at a file's lock."""
_THREADS: weakref.WeakKeyDictionary[BaseStorage, dict[str, threading.Lock]]
_THREADS = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def exclusive(storage: BaseStorage, url: str | None, key: str, timeout: float) -> Iterator[None]:
    """Runs its block while no other process or thread runs one with the same storage and key.

    Args:
        storage: what `open_storage(url)` gave.
        url: of the storage.
        key: what is locked, such as a study's name.
        timeout: seconds to wait for another holder.

    Raises:
        StorageError: another holder kept it for `timeout` seconds; or the server lost the
            connection before or inside the block, which must be repeated.
    """
    path, engine = local_path(url), getattr(storage, "engine", None)
    if path is not None:
        lock = _file(path, key, timeout)
    elif engine is not None and engine.dialect.name in _SERVERS:
        lock = _server(engine, key, timeout)
    else:
        lock = _thread(storage, key, timeout)
    with lock:
        yield


def _busy(key: str, timeout: float) -> StorageError:
    return StorageError(
        f"another process has kept the lock of {key!r} for {timeout:g} seconds: wait for it, or "
        "stop it."
    )


def _digits(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@contextlib.contextmanager
def _thread(storage: BaseStorage, key: str, timeout: float) -> Iterator[None]:
    lock = _THREADS.setdefault(storage, {}).setdefault(key, threading.Lock())
    if not lock.acquire(timeout=timeout):
        raise _busy(key, timeout)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _file(path: Path, key: str, timeout: float) -> Iterator[None]:
    """Not PATH.lock: that is the name of the link by which Optuna locks a journal's writes."""
    import fcntl

    with path.with_name(f"{path.name}.{_digits(key)[:8]}.lock").open("ab") as file:
        deadline, pause = time.monotonic() + timeout, _POLL_SECONDS[0]
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _busy(key, timeout) from None
                time.sleep(pause)
                pause = min(2 * pause, _POLL_SECONDS[1])
        yield


@contextlib.contextmanager
def _server(engine: sqlalchemy.Engine, key: str, timeout: float) -> Iterator[None]:
    """Of one connection without a transaction, which is closed where anything goes wrong."""
    lock, unlock = _SERVERS[engine.dialect.name]
    with contextlib.closing(_connected(engine, key)) as connection:
        try:
            if not _done(connection, lock, key, timeout):
                raise _busy(key, timeout)
            yield
            if not _done(connection, unlock, key, timeout):
                raise StorageError(f"the server gave the lock of {key!r} away: {_AGAIN}")
        except BaseException:
            connection.invalidate()
            raise


_AGAIN = "run the same again."


def _connected(engine: sqlalchemy.Engine, key: str) -> sqlalchemy.Connection:
    try:
        return engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except DBAPIError as error:
        raise StorageError(f"the server does not answer to lock {key!r}: {_AGAIN}") from error


def _done(connection: sqlalchemy.Connection, action: Any, key: str, timeout: float) -> bool:
    """Whether the lock was taken, or given back."""
    try:
        return bool(action(connection, key, timeout))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_TIMEOUT:
            return False
        raise StorageError(
            f"the connection that holds the lock of {key!r} is lost: {_AGAIN}"
        ) from error


_LOCK_TIMEOUT = "55P03"
"""PostgreSQL's `lock_not_available`."""


def _scalar(connection: sqlalchemy.Connection, statement: str, **values: Any) -> Any:
    return connection.execute(sqlalchemy.text(statement), values).scalar()


def _lock_postgresql(connection: sqlalchemy.Connection, key: str, timeout: float) -> bool:
    limit = str(max(1, round(timeout * 1000)))
    _scalar(connection, "SELECT set_config('lock_timeout', :limit, false)", limit=limit)
    try:
        _scalar(connection, "SELECT pg_advisory_lock(:number)", number=_number(key))
    finally:
        _scalar(connection, "SELECT set_config('lock_timeout', '0', false)")
    return True


def _unlock_postgresql(connection: sqlalchemy.Connection, key: str, _timeout: float) -> Any:
    return _scalar(connection, "SELECT pg_advisory_unlock(:number)", number=_number(key))


def _number(key: str) -> int:
    """Sixty-four bits with a sign."""
    return int(_digits(key)[:16], 16) - 2**63


def _lock_mysql(connection: sqlalchemy.Connection, key: str, timeout: float) -> Any:
    name = _mysql_name(connection, key)
    return _scalar(connection, "SELECT GET_LOCK(:name, :seconds)", name=name, seconds=timeout)


def _unlock_mysql(connection: sqlalchemy.Connection, key: str, _timeout: float) -> Any:
    return _scalar(connection, "SELECT RELEASE_LOCK(:name)", name=_mysql_name(connection, key))


def _mysql_name(connection: sqlalchemy.Connection, key: str) -> str:
    """Its names hold for all databases of a server and have 64 characters at most."""
    return "automl_nas:" + _digits(f"{connection.engine.url.database}\n{key}")[:32]


_SERVERS = {
    "postgresql": (_lock_postgresql, _unlock_postgresql),
    "mysql": (_lock_mysql, _unlock_mysql),
    "mariadb": (_lock_mysql, _unlock_mysql),
}
