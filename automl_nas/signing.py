"""Which stored study is this one: created and signed once, compared whenever it is opened again.

A study is created, then signed with its metric names, its ledger format and, last, its identity.
`kill -9` in between leaves an empty study without an identity, which is signed by the next run.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from automl_nas import storages
from automl_nas.errors import StorageError, StudyMismatch, UnknownName
from automl_nas.types import Metric

FORMAT = 1
"""Version of the ledger's layout; readers refuse another one."""
_LEASE = "lease"
"""May be accepted like a part of the identity."""
_ADOPTED = "adopted"
_FIXED = "optimize"
"""The part that can never be accepted: Optuna's directions are set once."""

Identity = Mapping[str, Any]
Differences = dict[str, tuple[Any, Any]]


def as_json(identity: Identity) -> dict[str, Any]:
    """The identity as it comes back from a storage."""
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def check_accept(accept: Collection[str], identity: Identity) -> None:
    """Refuses names that are no part of an identity.

    Raises:
        UnknownName: with the nearest parts.
    """
    for name in accept:
        if name.split(".")[0] not in (known := {*identity, _LEASE} - {_FIXED}):
            raise UnknownName("part to accept", name, known)


def open_study(
    storage: BaseStorage,
    name: str,
    optimize: tuple[Metric, ...],
    identity: Identity,
    *,
    adopt: bool = False,
) -> int:
    """The id of the study, created and signed where that has not been done.

    With `adopt`, a study of another program with these directions is signed too: its trials stay as
    they are, and their number is kept.
    """
    goals = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
    directions = [goals[metric.goal] for metric in optimize]
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        with storages.quiet_optuna():
            study_id = storage.create_new_study(directions, name)
    attrs = storage.get_study_user_attrs(study_id)
    trials = storage.get_n_trials(study_id)
    untouched = not set(attrs) - {"format"} and not trials
    fits = storage.get_study_directions(study_id) == directions
    if fits and "identity" not in attrs and (untouched or adopt):
        if trials:
            storage.set_study_user_attr(study_id, _ADOPTED, trials)
        _sign(storage, study_id, name, optimize, identity)
    return study_id


def adopted(attrs: Mapping[str, Any]) -> int:
    """How many trials a study had when it was taken over from another program."""
    count: int = attrs.get(_ADOPTED, 0)
    return count


def _sign(
    storage: BaseStorage,
    study_id: int,
    name: str,
    optimize: tuple[Metric, ...],
    identity: Identity,
) -> None:
    with storages.quiet_optuna():
        study = optuna.load_study(study_name=name, storage=storage)
        study.set_metric_names([metric.name for metric in optimize])
    storage.set_study_user_attr(study_id, "format", FORMAT)
    write_identity(storage, study_id, identity)


def write_identity(storage: BaseStorage, study_id: int, identity: Identity) -> None:
    """Makes the identity the stored one."""
    storage.set_study_user_attr(study_id, "identity", as_json(identity))


def find(storage: BaseStorage, name: str) -> int | None:
    """The id of a study that has been signed."""
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        return None
    return study_id if "identity" in storage.get_study_user_attrs(study_id) else None


def stored_identity(storage: BaseStorage, study_id: int, name: str) -> dict[str, Any]:
    """The identity that a study was created with.

    Raises:
        StorageError: the study was not written by this library, or by another version's format.
    """
    attrs = storage.get_study_user_attrs(study_id)
    if "identity" not in attrs:
        raise StorageError(
            f"the storage holds an Optuna study {name!r} that automl_nas did not write: "
            "use another study name or storage."
        )
    if attrs["format"] != FORMAT:
        raise StorageError(
            f"study {name!r} has ledger format {attrs['format']}, this version reads {FORMAT}: "
            "use the version of automl_nas that wrote it."
        )
    identity: dict[str, Any] = attrs["identity"]
    return identity


def changes(
    storage: BaseStorage, study_id: int, name: str, identity: Identity, accept: Collection[str]
) -> Differences:
    """Accepted differences between the stored identity and this one.

    Raises:
        StudyMismatch: something differs that was not accepted.
    """
    changed = differences(stored_identity(storage, study_id, name), as_json(identity))
    refused = {part: values for part, values in changed.items() if not _accepted(part, accept)}
    if refused:
        raise StudyMismatch(name, refused)
    return changed


def _accepted(part: str, accept: Collection[str]) -> bool:
    return any(part == name or part.startswith(f"{name}.") for name in accept)


def differences(stored: Any, given: Any, path: str = "") -> Differences:
    """Where two JSON values differ: dotted path -> (stored, given).

    Items of lists go by their names, or by their places; another order is a difference too.
    """
    old, new = _keyed(stored), _keyed(given)
    if not isinstance(old, dict) or not isinstance(new, dict):
        return {} if json.dumps(stored) == json.dumps(given) else {path: (stored, given)}
    found: Differences = {}
    for key in dict.fromkeys([*old, *new]):
        where = f"{path}.{key}" if path else str(key)
        found |= differences(old.get(key), new.get(key), where)
    if isinstance(given, list) and not found and list(old) != list(new):
        return {path: (list(old), list(new))}
    return found


def _keyed(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    named = dict(enumerate(value))
    names = [v.get("name", i) if isinstance(v, dict) else i for i, v in named.items()]
    return dict(zip(names, value, strict=True)) if len(set(names)) == len(names) else named
