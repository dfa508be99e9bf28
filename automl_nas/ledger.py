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

import contextlib
import itertools
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from ConfigSpace import Configuration, ConfigurationSpace
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from automl_nas import configs, lease, signing, trials
from automl_nas.distributions import distribution
from automl_nas.errors import StudyError
from automl_nas.types import Cost, Metric, Record

_ENDED = "ended"
_GAVE_UP = "gave_up"


class Ledger:
    """The records of one study in an Optuna storage, mirrored in memory by its one writer."""

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        space: ConfigurationSpace,
        optimize: tuple[Metric, ...],
        identity: signing.Identity,
        *,
        accept: Collection[str] = (),
    ) -> None:
        signing.check_accept(accept, identity)
        self.name, self.space, self.optimize = name, space, optimize
        self._storage = storage
        self._study_id = signing.open_study(storage, name, optimize, identity)
        changed = signing.changes(storage, self._study_id, name, identity, accept)
        self._lease = lease.acquire(storage, self._study_id, name, force="lease" in accept)
        self._distributions = {name: distribution(h) for name, h in space.items()}
        self._ids: dict[int, int] = {}
        self.records: list[Record] = []
        self.pending: list[Record] = []
        self.total = Cost()
        self._known: dict[tuple[str, int | None], Record] = {}
        with contextlib.ExitStack() as undo:
            undo.callback(self.release)
            self._load()
            if changed:
                self._sign_again(identity)
            undo.pop_all()

    def _load(self) -> None:
        self._gave_up: int = _attrs(self._storage, self._study_id).get(_GAVE_UP, 0)
        stored = self._storage.get_all_trials(self._study_id, deepcopy=False)
        self._ids = {trial.number: trial._trial_id for trial in stored}
        records = [self._record(trial) for trial in stored if trials.PROPOSAL in trial.user_attrs]
        self.pending = [record for record in records if record.status == "running"]
        for record in sorted(records, key=lambda record: record.order):
            if record.status != "running":
                self._remember(record)

    def _record(self, trial: FrozenTrial) -> Record:
        try:
            return trials.to_record(trial, self.space)
        except ValueError as error:
            raise StudyError(
                f"study {self.name!r}: trial {trial.number} is no configuration of the given space "
                f"({error}): give the study with the changed space another name."
            ) from error

    def _sign_again(self, identity: signing.Identity) -> None:
        """After an accepted change; what the searcher said before does not count any more."""
        self._storage.set_study_user_attr(self._study_id, _ENDED, None)
        signing.write_identity(self._storage, self._study_id, identity)

    def _remember(self, record: Record) -> None:
        self.records.append(record)
        self.total = self.total + record.cost
        key = (record.digest, record.fidelity)
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
        self._check_lease()
        self._session = len(self.sessions())
        self._storage.set_study_user_attr(
            self._study_id, f"session:{self._session}", dict(provenance)
        )

    def open(self, record: Record, seed: int) -> Record:
        """Writes a trial before its evaluation; returns it under its number.

        Raises:
            ValueError: the configuration is not one of the space; nothing is written.
            StudyBusy: another process has taken the study.
        """
        configs.from_dict(self.space, configs.to_dict(record.configuration))
        self._check_lease()
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
        self._check_lease()
        trial_id = self._ids[record.number]
        count = self._storage.get_trial(trial_id).user_attrs.get("interrupted", 0)
        self._storage.set_trial_user_attr(trial_id, "interrupted", count + 1)

    def close(self, record: Record, curve: Mapping[int, Mapping[str, float]]) -> Record:
        """Completes a trial with its measurement or failure; returns it in its order.

        Raises:
            StudyError: the trial is not waiting for a measurement.
            StudyBusy: another process has taken the study.
        """
        if record.number not in {other.number for other in self.pending}:
            raise StudyError(
                f"study {self.name!r}: trial {record.number} is not waiting for a measurement: "
                "tell each trial of ask() once."
            )
        self._check_lease()
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

    def failing(self) -> list[Record]:
        """The latest evaluations if they failed one after another, since the study gave up last."""
        since = itertools.islice(reversed(self.records), len(self.records) - self._gave_up)
        evaluated = (record for record in since if record.duplicate_of is None)
        return list(itertools.takewhile(lambda r: r.status == "failed", evaluated))[::-1]

    def give_up(self) -> None:
        """Notes that the failures so far have stopped the study: the next run is to go on."""
        self._gave_up = len(self.records)
        self._storage.set_study_user_attr(self._study_id, _GAVE_UP, self._gave_up)

    def end(self, reason: str) -> None:
        """Notes that the searcher has nothing to propose after the present records."""
        note = {"trials": self.next_number(), "reason": reason}
        if not self.pending and _attrs(self._storage, self._study_id).get(_ENDED) != note:
            self._check_lease()
            self._storage.set_study_user_attr(self._study_id, _ENDED, note)

    def sessions(self) -> list[dict[str, Any]]:
        """Provenance of each run so far."""
        return stored_sessions(self._storage, self._study_id)

    def release(self) -> None:
        """Lets another process run the study."""
        lease.release(self._storage, self._study_id, self._lease)

    def _check_lease(self) -> None:
        lease.check(self._storage, self._study_id, self.name, self._lease)


def _attrs(storage: BaseStorage, study_id: int) -> dict[str, Any]:
    attrs: dict[str, Any] = storage.get_study_user_attrs(study_id)
    return attrs


def stored_end(storage: BaseStorage, study_id: int, number: int) -> str | None:
    """Why the searcher had nothing to propose after so many trials, if it said so."""
    note = _attrs(storage, study_id).get(_ENDED) or {}
    return note["reason"] if note.get("trials") == number else None


def stored_sessions(storage: BaseStorage, study_id: int) -> list[dict[str, Any]]:
    """Provenance of each run of a study, in order."""
    attrs = _attrs(storage, study_id)
    keys = [key for key in attrs if key.startswith("session:")]
    return [attrs[key] for key in sorted(keys, key=lambda key: int(key.split(":")[1]))]


def metrics_to_json(metrics: tuple[Metric, ...]) -> list[dict[str, Any]]:
    """Metrics as an identity keeps them."""
    return [asdict(metric) for metric in metrics]
