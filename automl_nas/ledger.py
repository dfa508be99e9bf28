"""The record that survives: an Optuna study with one trial per evaluation.

A trial is written before its evaluation, in one transaction, with everything proposed; closing it
adds one attribute `measurement` and then the state. What `optuna.load_study` shows:

| our record                 | Optuna trial                                                        |
|----------------------------|---------------------------------------------------------------------|
| complete at full fidelity  | COMPLETE, values of the optimised metrics in their own direction    |
| lower fidelity, or audit   | PRUNED (one metric: with an intermediate value), so never the best  |
| failed                     | FAIL, the reason in `measurement`                                   |
| being evaluated, orphaned  | RUNNING                                                             |

The source of truth is the attribute `configuration`; params are a faithful view of it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

import optuna
from ConfigSpace import Configuration, ConfigurationSpace
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from automl_nas import configs, lease, storages, trials
from automl_nas.distributions import distribution
from automl_nas.errors import StorageError, StudyMismatch
from automl_nas.types import Cost, Metric, Record

FORMAT = 1
"""Version of the layout above; readers refuse another one."""

Identity = Mapping[str, Any]


class Ledger:
    """The records of one study in an Optuna storage, mirrored in memory by its one writer."""

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        space: ConfigurationSpace,
        optimize: tuple[Metric, ...],
        identity: Identity,
        *,
        accept: Collection[str] = (),
    ) -> None:
        self.name, self.space, self.optimize = name, space, optimize
        self._storage = storage
        self._study_id = _open_study(storage, name, optimize, identity, accept)
        lease.acquire(storage, self._study_id, name, force="lease" in accept)
        self._distributions = {name: distribution(h) for name, h in space.items()}
        self._ids: dict[int, int] = {}
        self.records: list[Record] = []
        self.pending: list[Record] = []
        self.total = Cost()
        self._known: dict[tuple[str, int | None], Record] = {}
        self._load()

    def _load(self) -> None:
        stored = self._storage.get_all_trials(self._study_id, deepcopy=False)
        self._ids = {trial.number: trial._trial_id for trial in stored}
        records = [
            trials.to_record(t, self.space) for t in stored if trials.PROPOSAL in t.user_attrs
        ]
        self.pending = [record for record in records if record.status == "running"]
        for record in sorted(records, key=lambda record: record.order):
            if record.status != "running":
                self._remember(record)

    def _remember(self, record: Record) -> None:
        self.records.append(record)
        self.total = self.total + record.cost
        key = (configs.digest(record.configuration), record.fidelity)
        known = self._known.get(key)
        if known is None or (known.cost.evaluations == 0 and record.cost.evaluations):
            self._known[key] = record

    def known(self, configuration: Configuration, fidelity: int | None) -> Record | None:
        """The record that measured this configuration at this fidelity, a charged one if any."""
        return self._known.get((configs.digest(configuration), fidelity))

    def next_number(self) -> int:
        """The number of the next trial."""
        return len(self._ids)

    def begin_session(self, provenance: Mapping[str, Any]) -> None:
        """Notes who is writing from now on."""
        self._session = len(self.sessions())
        self._storage.set_study_user_attr(
            self._study_id, f"session:{self._session}", dict(provenance)
        )

    def open(self, record: Record, seed: int) -> Record:
        """Writes a trial before its evaluation; returns it under its number."""
        notes = {"session": self._session, "snapshot": len(self.records)}
        template = trials.to_template(record, self._distributions, seed, notes)
        trial_id = self._storage.create_new_trial(self._study_id, template_trial=template)
        trial = self._storage.get_trial(trial_id)
        self._ids[trial.number] = trial_id
        opened = trials.to_record(trial, self.space)
        self.pending.append(opened)
        return opened

    def reopen(self, record: Record) -> None:
        """Marks an orphan that is evaluated again under its own number."""
        trial_id = self._ids[record.number]
        count = self._storage.get_trial(trial_id).user_attrs.get("interrupted", 0)
        self._storage.set_trial_user_attr(trial_id, "interrupted", count + 1)

    def close(self, record: Record, curve: Mapping[int, Mapping[str, float]]) -> Record:
        """Completes a trial with its measurement or failure; returns it in its order."""
        trial_id, storage = self._ids[record.number], self._storage
        record = replace(record, order=len(self.records))
        storage.set_trial_user_attr(trial_id, trials.MEASUREMENT, trials.measurement(record, curve))
        state, values = trials.final_state(record, self.optimize)
        if record.status == "complete" and values is None and len(self.optimize) == 1:
            value = float(record.values[self.optimize[0].name])
            storage.set_trial_intermediate_value(trial_id, record.fidelity or 0, value)
        storage.set_trial_state_values(trial_id, state, values)
        self.pending = [other for other in self.pending if other.number != record.number]
        self._remember(record)
        return record

    def sessions(self) -> list[dict[str, Any]]:
        """Provenance of each run so far."""
        return stored_sessions(self._storage, self._study_id)

    def release(self) -> None:
        """Lets another process run the study."""
        lease.release(self._storage, self._study_id)
        self._storage.remove_session()


def _open_study(
    storage: BaseStorage,
    name: str,
    optimize: tuple[Metric, ...],
    identity: Identity,
    accept: Collection[str],
) -> int:
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        return _create_study(storage, name, optimize, identity)
    if not storage.get_study_user_attrs(study_id) and not storage.get_n_trials(study_id):
        return _sign(storage, study_id, name, optimize, identity)
    stored = stored_identity(storage, study_id, name)
    changed = differences(stored, identity)
    refused = {k: v for k, v in changed.items() if k.split(".")[0] not in accept}
    if refused:
        raise StudyMismatch(name, refused)
    if changed:
        storage.set_study_user_attr(study_id, "identity", dict(identity))
    return study_id


def _create_study(
    storage: BaseStorage, name: str, optimize: tuple[Metric, ...], identity: Identity
) -> int:
    goals = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
    with storages.quiet_optuna():
        study_id = storage.create_new_study([goals[metric.goal] for metric in optimize], name)
    return _sign(storage, study_id, name, optimize, identity)


def _sign(
    storage: BaseStorage,
    study_id: int,
    name: str,
    optimize: tuple[Metric, ...],
    identity: Identity,
) -> int:
    with storages.quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.load_study(study_name=name, storage=storage)
        study.set_metric_names([metric.name for metric in optimize])
    storage.set_study_user_attr(study_id, "format", FORMAT)
    storage.set_study_user_attr(study_id, "identity", json.loads(json.dumps(identity)))
    return study_id


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


def stored_sessions(storage: BaseStorage, study_id: int) -> list[dict[str, Any]]:
    """Provenance of each run of a study, in order."""
    attrs = storage.get_study_user_attrs(study_id)
    keys = [key for key in attrs if key.startswith("session:")]
    return [attrs[key] for key in sorted(keys, key=lambda key: int(key.split(":")[1]))]


def differences(stored: Any, given: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Where two JSON values differ: dotted path -> (stored, given)."""
    stored, given = _by_name(stored), _by_name(given)
    if isinstance(stored, dict) and isinstance(given, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in dict.fromkeys([*stored, *given]):
            where = f"{path}.{key}" if path else str(key)
            found |= differences(stored.get(key), given.get(key), where)
        return found
    return {} if stored == given else {path: (stored, given)}


def _by_name(value: Any) -> Any:
    """A list of named things as a dict, so that differences can name them."""
    named = (
        isinstance(value, list)
        and value
        and all(isinstance(item, dict) and "name" in item for item in value)
    )
    return {item["name"]: item for item in value} if named else value


def metrics_to_json(metrics: tuple[Metric, ...]) -> list[dict[str, Any]]:
    """Metrics as an identity keeps them."""
    return [asdict(metric) for metric in metrics]
