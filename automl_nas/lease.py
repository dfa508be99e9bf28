"""One process at a time runs a study: a lease kept in the study's attributes.

A lease names host, process and the process's start time, so that one left behind by `kill -9` is
recognised on the same host. A lease of another host cannot be checked from here: it counts as live
until it is released or accepted away.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import psutil
from optuna.storages import BaseStorage

from automl_nas.errors import StudyBusy

_KEY = "lease"
_PATIENCE = 3.0
"""Seconds to wait for a holder that is just ending."""


def _mine() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "since": psutil.Process(pid).create_time()}


def _alive(lease: dict[str, Any]) -> bool:
    if lease["host"] != socket.gethostname():
        return True
    try:
        started = psutil.Process(lease["pid"]).create_time()
    except psutil.NoSuchProcess:
        return False
    return bool(abs(started - lease["since"]) < 1)


def _other(storage: BaseStorage, study_id: int, mine: dict[str, Any]) -> dict[str, Any] | None:
    """The lease of another process that may be alive."""
    lease: dict[str, Any] | None = storage.get_study_user_attrs(study_id).get(_KEY)
    return lease if lease and lease != mine and _alive(lease) else None


def acquire(storage: BaseStorage, study_id: int, name: str, *, force: bool = False) -> None:
    """Takes the lease of a study.

    Raises:
        StudyBusy: another live process holds it.
    """
    mine, deadline = _mine(), time.monotonic() + _PATIENCE
    while (lease := _other(storage, study_id, mine)) is not None and not force:
        if time.monotonic() < deadline and lease["host"] == mine["host"]:
            time.sleep(0.1)
            continue
        raise StudyBusy(
            f"study {name!r} is being run by process {lease['pid']} on {lease['host']}: "
            "wait for it, stop it, or pass accept=('lease',) if that process is gone."
        )
    storage.set_study_user_attr(study_id, _KEY, mine)


def release(storage: BaseStorage, study_id: int) -> None:
    """Gives the lease back if this process holds it."""
    if storage.get_study_user_attrs(study_id).get(_KEY) == _mine():
        storage.set_study_user_attr(study_id, _KEY, None)
