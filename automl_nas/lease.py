"""One process at a time runs a study: a lease kept in the study's attributes.

A lease names host, process and the process's start time, so that one left behind by `kill -9` is
recognised on the same host. A lease of another host cannot be checked from here: it counts as live
until it is released or accepted away. Its token tells two openings of a study apart: whoever took
it last may write, and `check` before every write stops the one before (two processes that start at
the same moment, a second opening in one process, a lease accepted away from a process that lives).
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from typing import Any

import psutil
from optuna.storages import BaseStorage

from automl_nas.errors import StudyBusy

Lease = dict[str, Any]

_KEY = "lease"
_PATIENCE = 3.0
"""Seconds to wait for a holder that is just ending."""


def _mine() -> Lease:
    pid = os.getpid()
    since = psutil.Process(pid).create_time()
    return {"host": socket.gethostname(), "pid": pid, "since": since, "token": uuid.uuid4().hex}


def _alive(lease: Lease) -> bool:
    """Whether the holder may be another process that still runs; a zombie does not."""
    if lease["host"] != socket.gethostname():
        return True
    try:
        holder = psutil.Process(lease["pid"])
        started, ended = holder.create_time(), holder.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return not ended and bool(abs(started - lease["since"]) < 1) and lease["pid"] != os.getpid()


def _stored(storage: BaseStorage, study_id: int) -> Lease | None:
    lease: Lease | None = storage.get_study_user_attrs(study_id).get(_KEY)
    return lease


def _other(storage: BaseStorage, study_id: int) -> Lease | None:
    """The lease of another process that may be alive."""
    lease = _stored(storage, study_id)
    return lease if lease and _alive(lease) else None


def acquire(storage: BaseStorage, study_id: int, name: str, *, force: bool = False) -> Lease:
    """Takes the lease of a study.

    Raises:
        StudyBusy: another live process holds it.
    """
    mine, deadline = _mine(), time.monotonic() + _PATIENCE
    while (lease := _other(storage, study_id)) is not None and not force:
        if time.monotonic() < deadline and lease["host"] == mine["host"]:
            time.sleep(0.1)
            continue
        raise StudyBusy(
            f"study {name!r} is being run by process {lease['pid']} on {lease['host']}: "
            "wait for it, stop it, or run with accept=['lease'] if that process is gone."
        )
    storage.set_study_user_attr(study_id, _KEY, mine)
    return mine


def check(storage: BaseStorage, study_id: int, name: str, mine: Lease) -> None:
    """To be called before a write.

    Raises:
        StudyBusy: somebody else has taken the lease since.
    """
    lease = _stored(storage, study_id)
    if lease is None or lease.get("token") != mine["token"]:
        holder = f"process {lease['pid']} on {lease['host']}" if lease else "somebody else"
        raise StudyBusy(
            f"study {name!r} has been opened again by {holder}, which goes on with it: "
            "stop the other one before you run it here."
        )


def release(storage: BaseStorage, study_id: int, mine: Lease) -> None:
    """Gives the lease back if it still is `mine`."""
    if (_stored(storage, study_id) or {}).get("token") == mine["token"]:
        storage.set_study_user_attr(study_id, _KEY, None)
