"""Who may write a study: one process alone, or several that share it; and who of them still lives.

Every process that opens a study leaves a lease in the study's attributes: host, process, start time
and a token of its own; while it has the study open, a thread counts up `beat:TOKEN`. A process of
this host is looked up; one of another host lives as long as its beat goes on, by the observer's own
clock. An exclusive lease keeps all others out; whoever took it last may write, and `check` before
every write stops the one before (two processes that start at the same moment, a lease accepted away
from a process that lives). Shared leases keep out exclusive ones only.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from typing import Any

import psutil
from optuna.storages import BaseStorage

from automl_nas.errors import StudyBusy

Lease = dict[str, Any]

_EXCLUSIVE = "lease"
_PATIENCE = 3.0
"""Seconds to wait for a holder on this host that is just ending."""
_BEAT = 10.0
"""Seconds between two beats."""
_SILENCE = 45.0
"""Seconds without a beat after which a process of another host counts as dead."""
_POLL = 0.2


def _mine(*, shared: bool = False) -> Lease:
    pid, token = os.getpid(), uuid.uuid4().hex
    since = psutil.Process(pid).create_time()
    host = socket.gethostname()
    return {"host": host, "pid": pid, "since": since, "token": token, "shared": shared}


def _key(lease: Lease) -> str:
    return f"{_EXCLUSIVE}:{lease['token']}" if lease.get("shared") else _EXCLUSIVE


def _runs_here(lease: Lease) -> bool:
    """Whether the process of this host still runs; a zombie does not."""
    try:
        holder = psutil.Process(lease["pid"])
        started, ended = holder.create_time(), holder.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return not ended and bool(abs(started - lease["since"]) < 1)


class Watch:
    """Tells living leases from dead ones; remembers what it has seen of the beats."""

    def __init__(self) -> None:
        """Nothing is known yet of any lease."""
        self._seen: dict[str, tuple[int, float, bool]] = {}

    def alive(self, lease: Lease, attrs: dict[str, Any]) -> bool | None:
        """Whether the holder lives; None: not known yet, ask again."""
        if lease["host"] == socket.gethostname():
            return _runs_here(lease)
        token, now = lease["token"], time.monotonic()
        beat = attrs.get(f"beat:{token}", 0)
        known, since, changed = self._seen.get(token, (beat, now, False))
        if beat != known:
            since, changed = now, True
        self._seen[token] = (beat, since, changed)
        if now - since > _SILENCE:
            return False
        return True if changed else None


def leases(attrs: dict[str, Any]) -> list[Lease]:
    """All leases among a study's attributes."""
    keys = [key for key in attrs if key == _EXCLUSIVE or key.startswith(f"{_EXCLUSIVE}:")]
    return [attrs[key] for key in sorted(keys) if attrs[key]]


def acquire(
    storage: BaseStorage, study_id: int, name: str, *, shared: bool = False, force: bool = False
) -> Lease:
    """Takes a lease of a study.

    Raises:
        StudyBusy: another live process holds one that this one does not go with.
    """
    mine, watch, begin = _mine(shared=shared), Watch(), time.monotonic()
    while not force:
        attrs = storage.get_study_user_attrs(study_id)
        rivals = [one for one in leases(attrs) if not (shared and one["shared"])]
        states = [(one, _state(one, attrs, watch, begin)) for one in rivals]
        for holder, alive in states:
            if alive:
                raise _busy(name, holder)
        if all(alive is False for _, alive in states):
            break
        time.sleep(_POLL)
    storage.set_study_user_attr(study_id, _key(mine), mine)
    return mine


def _state(lease: Lease, attrs: dict[str, Any], watch: Watch, begin: float) -> bool | None:
    """Whether a rival lives, None: not known yet; this process itself has just given up its own."""
    if lease["pid"] == os.getpid() and lease["host"] == socket.gethostname():
        return False
    alive = watch.alive(lease, attrs)
    here = lease["host"] == socket.gethostname()
    return None if alive and here and time.monotonic() - begin < _PATIENCE else alive


def _busy(name: str, holder: Lease) -> StudyBusy:
    where = f"process {holder['pid']} on {holder['host']}"
    if holder["shared"]:
        return StudyBusy(
            f"study {name!r} is shared by {where}: join with run(shared=True), or wait for its end."
        )
    return StudyBusy(
        f"study {name!r} is being run by {where}: wait for it, stop it, run both with shared=True, "
        "or run with accept=['lease'] if that process is gone."
    )


def check(storage: BaseStorage, study_id: int, name: str, mine: Lease) -> None:
    """To be called before a write.

    Raises:
        StudyBusy: somebody else has taken the lease since.
    """
    lease = storage.get_study_user_attrs(study_id).get(_key(mine))
    if lease is None or lease.get("token") != mine["token"]:
        holder = f"process {lease['pid']} on {lease['host']}" if lease else "somebody else"
        raise StudyBusy(
            f"study {name!r} has been opened again by {holder}, which goes on with it: "
            "stop the other one before you run it here."
        )


def release(storage: BaseStorage, study_id: int, mine: Lease) -> None:
    """Gives the lease back if it still is `mine`."""
    stored = storage.get_study_user_attrs(study_id).get(_key(mine)) or {}
    if stored.get("token") == mine["token"]:
        storage.set_study_user_attr(study_id, _key(mine), None)


class Heartbeat:
    """Counts up a lease's beat in a thread of its own until it is stopped."""

    def __init__(self, storage: BaseStorage, study_id: int, mine: Lease) -> None:
        """Begins to beat."""
        self._end = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(storage, study_id, f"beat:{mine['token']}"), daemon=True
        )
        self._thread.start()

    def _run(self, storage: BaseStorage, study_id: int, key: str) -> None:
        beat = 0
        while not self._end.wait(_BEAT):
            beat += 1
            with contextlib.suppress(Exception):  # a missed beat is made up for by the next one
                storage.set_study_user_attr(study_id, key, beat)

    def stop(self) -> None:
        """No beat is written after this returns."""
        self._end.set()
        self._thread.join()
