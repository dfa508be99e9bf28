"""What state the studies of a storage are in, as far as the storage can tell."""

from __future__ import annotations

from typing import Any, Literal

from automl_nas import lease, results, storages, stored
from automl_nas.budget import Budget

State = Literal["finished", "running", "unfinished", "stopped"]
"""`stopped`: no trial is open, but how much it was to do was not kept (an older version)."""


def states(url: str) -> dict[str, State]:
    """Name -> state of every study of this library.

    Raises:
        StorageError: there is no such storage.
    """
    storage = storages.open_storage(url, create=False)
    with storages.translated(url):
        found = {
            study.study_name: _state(storage, study._study_id, study.study_name)
            for study in storage.get_all_studies()
            if "identity" in study.user_attrs
        }
        storages.close(storage)
    return found


def _state(storage: Any, study_id: int, name: str) -> State:
    if _held(storage, study_id):
        return "running"
    read = results.read(storage, study_id, name)
    trials = len(read.records)
    if not read.sessions or trials < storage.get_n_trials(study_id):
        return "unfinished"
    if stored.end(storage, study_id, trials) is not None:
        return "finished"
    limits = read.sessions[-1].get("budget")
    if limits is None:
        return "stopped"
    reached = Budget(**limits).reached(trials, read.total, read.full_training_flops)
    return "finished" if reached else "unfinished"


def _held(storage: Any, study_id: int) -> bool:
    """Whether a process has it open that lives, or that cannot be known to be dead from here."""
    attrs, watch = storage.get_study_user_attrs(study_id), lease.Watch()
    return any(watch.alive(holder, attrs) is not False for holder in lease.leases(attrs))
