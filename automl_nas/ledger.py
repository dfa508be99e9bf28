"""The record that survives: an Optuna study with one trial per evaluation.

A trial is written before its evaluation, in one transaction, with everything proposed; closing it
adds one attribute `measurement` and then the state. What `optuna.load_study` shows:

| our record                 | Optuna trial                                                        |
|----------------------------|---------------------------------------------------------------------|
| complete at full fidelity  | COMPLETE, values of the optimised metrics in their own direction    |
| lower fidelity, or audit   | PRUNED (one metric: with an intermediate value), so never the best  |
| failed                     | FAIL, the reason in `measurement`                                   |
| being evaluated, orphaned  | RUNNING                                                             |

The source of truth is the attribute `configuration`; params are a faithful view of it. Trials that
a user's Optuna study had before it was adopted are records too, charged nothing.

Records come in order of completion; in an `ordered` ledger in order of number, with gaps while
trials are under way. A shared ledger has several writers: `turn` lets one at a time in and shows it
what the others have written.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import math
import operator
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ConfigSpace import Configuration, ConfigurationSpace
from optuna.storages import BaseStorage

from automl_nas import configs, foreign, lease, signing, storages, stored, trials
from automl_nas.distributions import distribution
from automl_nas.errors import StudyError
from automl_nas.types import Cost, Metric, Record

_GAVE_UP = "gave_up"

Key = tuple[str, int | None]


@dataclass(frozen=True)
class Terms:
    """How a ledger is opened."""

    accept: Collection[str] = ()
    """Parts of the identity that may differ, and "lease"."""
    shared: bool = False
    """Whether other processes may write it at the same time."""
    ordered: bool = False
    """Whether records come in order of number instead of completion."""
    adopt: bool = False
    """Whether an Optuna study that somebody else wrote may be gone on with."""


@dataclass(frozen=True)
class View:
    """The part of the record that a decision may depend on."""

    records: tuple[Record, ...]
    """Finished ones in their order."""
    pending: tuple[Record, ...]
    """Trials that count as being evaluated."""
    total: Cost
    below: float = math.inf
    """Only trials with a lower number are among `records`."""


class Ledger:
    """The records of one study in an Optuna storage, mirrored in memory.

    `sessions` is the provenance of each run so far.
    """

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        space: ConfigurationSpace,
        metrics: tuple[Metric, ...],
        optimize: tuple[Metric, ...],
        identity: signing.Identity,
        *,
        url: str | None = None,
        terms: Terms | None = None,
    ) -> None:
        self.name, self.space, self.metrics, self.optimize = name, space, metrics, optimize
        self._storage, self._url, self._terms = storage, url, terms or Terms()
        accept = self._terms.accept
        signing.check_accept(accept, identity)
        with self._alone("open"):
            self._study_id = signing.open_study(
                storage, name, optimize, identity, adopt=self._terms.adopt
            )
            changed = signing.changes(storage, self._study_id, name, identity, accept)
        self._lease = lease.acquire(
            storage, self._study_id, name, shared=self._terms.shared, force="lease" in accept
        )
        self._distributions = {name: distribution(h) for name, h in space.items()}
        self._watch = lease.Watch()
        self._ids: dict[int, int] = {}
        self.records: list[Record] = []
        self.total = Cost()
        self._pending: dict[int, Record] = {}
        self._known: dict[Key, list[Record]] = {}
        self._session: int | None = None
        self._in_turn = False
        self._beat: lease.Heartbeat | None = None
        with contextlib.ExitStack() as undo:
            undo.callback(self.release)
            self._gave_up: int = self._attrs().get(_GAVE_UP, 0)
            self.sessions = stored.sessions(storage, self._study_id)
            if url:
                self._beat = lease.Heartbeat(storage, self._study_id, self._lease)
            self._adopted = signing.adopted(self._attrs())
            self._read()
            if changed:
                self._sign_again(identity)
            undo.pop_all()

    def _attrs(self) -> dict[str, Any]:
        attrs: dict[str, Any] = self._storage.get_study_user_attrs(self._study_id)
        return attrs

    @contextlib.contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """No other process of a shared study is in here."""
        if not self._terms.shared:
            yield
            return
        with storages.held(self._storage, self._url, f"{self.name}:{what}"):
            yield

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """To propose and open, or to close, on what all writers of a shared study know."""
        if self._in_turn or not self._terms.shared:
            yield
            return
        with self._alone("turn"):
            self._in_turn = True
            try:
                self._read()
                yield
            finally:
                self._in_turn = False

    def _read(self) -> None:
        """Takes in what is stored and not known yet."""
        present = self._storage.get_all_trials(self._study_id, deepcopy=False)
        done = {record.number for record in self.records}
        new = [trial for trial in present if trial.number not in done]
        self._ids |= {trial.number: trial._trial_id for trial in new}
        self._distributions |= foreign.distributions(foreign.among(new, self._adopted))
        try:
            found = stored.records(new, self._adopted, self.space, self.metrics, self.optimize)
        except ValueError as error:
            raise StudyError(
                f"study {self.name!r} holds a trial that is no configuration of the given space "
                f"({error}): give the study with the changed space another name."
            ) from error
        self._pending = {record.number: record for record in found if record.status == "running"}
        for record in found:
            if record.status != "running":
                self._remember(record)

    def _sign_again(self, identity: signing.Identity) -> None:
        """After an accepted change; what the searcher said before does not count any more."""
        self._storage.set_study_user_attr(self._study_id, stored.ENDED, None)
        signing.write_identity(self._storage, self._study_id, identity)

    def _remember(self, record: Record) -> None:
        by_order = operator.attrgetter("order")
        bisect.insort(self.records, record, key=by_order)
        self.total = self.total + record.cost
        bisect.insort(self._known.setdefault(_key(record), []), record, key=by_order)

    @property
    def pending(self) -> Sequence[Record]:
        """Trials without a measurement, by number."""
        return list(self._pending.values())

    @property
    def shared(self) -> bool:
        """Whether other processes may write it at the same time."""
        return self._terms.shared

    @property
    def imported(self) -> int:
        """How many trials an adopted study had."""
        return self._adopted

    def orphans(self) -> list[Record]:
        """Trials that nobody evaluates any more: their writer is dead or was this study before."""
        if not self._terms.shared:
            return list(self.pending)
        attrs = self._attrs()
        members = {one["token"]: one for one in lease.leases(attrs)}
        found = []
        for record in self.pending:
            owner = members.get(self._owner(record.number))
            if owner is None or self._watch.alive(owner, attrs) is False:
                found.append(record)
        return found

    def _owner(self, number: int) -> str:
        attrs = self._storage.get_trial(self._ids[number]).user_attrs
        return str(attrs.get(trials.OWNER) or attrs[trials.PROPOSAL].get(trials.OWNER))

    def known(
        self, configuration: Configuration, fidelity: int | None, below: float = math.inf
    ) -> Record | None:
        """The record that measured this configuration at this fidelity, a charged one if any."""
        return self._measured((configs.digest(configuration), fidelity), below)

    def answer(self, record: Record) -> Record | None:
        """The record that has measured what this one asks for."""
        return self._measured(_key(record), record.number if self._terms.ordered else math.inf)

    def _measured(self, key: Key, below: float) -> Record | None:
        found = [record for record in self._known.get(key, ()) if record.number < below]
        return next((r for r in found if r.cost.evaluations), found[0] if found else None)

    def twin(self, record: Record) -> Record | None:
        """An earlier trial that is just measuring what this one asks for."""
        earlier = (other for other in self.pending if other.number < record.number)
        return next((other for other in earlier if _key(other) == _key(record)), None)

    def everything(self) -> View:
        """All that is known now."""
        return View(tuple(self.records), tuple(self.pending), self.total)

    def below(self, number: int) -> View | None:
        """Trials below `number`, the later ones as if under way; None while one of them is."""
        if any(record.number < number for record in self.pending):
            return None
        split = bisect.bisect_left(self.records, number, key=operator.attrgetter("number"))
        seen, hidden = self.records[:split], self.records[split:]
        pending = sorted(
            [*(record.unfinished() for record in hidden), *self.pending],
            key=operator.attrgetter("number"),
        )
        total = sum((record.cost for record in seen), Cost())
        return View(tuple(seen), tuple(pending), total, number)

    def next_number(self) -> int:
        """The number of the next trial."""
        return len(self._ids)

    def begin_session(self, provenance: Callable[[], Mapping[str, Any]]) -> None:
        """Notes, once, who is writing from now on."""
        if self._session is not None:
            return
        self._check_lease()
        self._session, note = len(self.sessions), dict(provenance())
        self._storage.set_study_user_attr(self._study_id, f"session:{self._session}", note)
        self.sessions.append(note)

    def open(self, record: Record, seed: int, snapshot: int) -> Record:
        """Writes a trial before its evaluation; returns it under its number.

        Raises:
            StudyBusy: another process has taken the study.
        """
        self._check_lease()
        notes = {
            "session": self._session,
            "snapshot": snapshot,
            trials.OWNER: self._lease["token"],
            "token": uuid.uuid4().hex,
        }
        template = trials.to_template(record, self._distributions, seed, notes)
        trial_id = self._storage.create_new_trial(self._study_id, template_trial=template)
        self._ids[number := self._number(trial_id)] = trial_id
        self._pending[number] = opened = record.but(number=number)
        return opened

    def _number(self, trial_id: int) -> int:
        """The next one, unless another program has added a trial meanwhile."""
        expected = self.next_number()
        with contextlib.suppress(KeyError):
            storage, study_id = self._storage, self._study_id
            if storage.get_trial_id_from_study_id_trial_number(study_id, expected) == trial_id:
                return expected
        return self._storage.get_trial_number_from_id(trial_id)

    def taken(self, record: Record) -> Record | None:
        """What another writer of a shared study, who took this one for dead, made of the trial."""
        if not self._terms.shared or record.number in self._pending:
            return None
        return next((one for one in self.records if one.number == record.number), None)

    def reopen(self, record: Record) -> Record:
        """Marks an orphan that is evaluated again under its own number."""
        return self._mark(record, trials.INTERRUPTED)[0]

    def bury(self, record: Record) -> tuple[Record, int]:
        """Marks a trial whose worker has died; also how many of its workers have."""
        return self._mark(record, trials.INTERRUPTED, trials.DEATHS)

    def _mark(self, record: Record, *counters: str) -> tuple[Record, int]:
        self._check_lease()
        trial_id = self._ids[record.number]
        attrs = self._storage.get_trial(trial_id).user_attrs
        if self._terms.shared:
            self._storage.set_trial_user_attr(trial_id, trials.OWNER, self._lease["token"])
        for name in counters:
            count = attrs.get(name, 0) + 1
            self._storage.set_trial_user_attr(trial_id, name, count)
        marked = record.but(interrupted=attrs.get(trials.INTERRUPTED, 0) + 1)
        self._pending[record.number] = marked
        return marked, count

    def close(self, record: Record, curve: Mapping[int, Mapping[str, float]]) -> Record:
        """Completes a trial with its measurement or failure; returns it in its order.

        Raises:
            StudyError: the trial is not waiting for a measurement.
            StudyBusy: another process has taken the study.
        """
        if record.number not in self._pending:
            raise StudyError(
                f"study {self.name!r}: trial {record.number} is not waiting for a measurement: "
                "tell each trial of ask() once."
            )
        self._check_lease()
        trial_id, storage = self._ids[record.number], self._storage
        order = record.number if self._terms.ordered else len(self.records)
        record = record.but(order=order)
        storage.set_trial_user_attr(trial_id, trials.MEASUREMENT, trials.measurement(record, curve))
        state, values = trials.final_state(record, self.optimize)
        if record.status == "complete" and values is None and len(self.optimize) == 1:
            value = float(record.values[self.optimize[0].name])
            storage.set_trial_intermediate_value(trial_id, record.fidelity or 0, value)
        storage.set_trial_state_values(trial_id, state, values)
        del self._pending[record.number]
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
        if not self._pending and self._attrs().get(stored.ENDED) != note:
            self._check_lease()
            self._storage.set_study_user_attr(self._study_id, stored.ENDED, note)

    def release(self) -> None:
        """Lets another process run the study."""
        if self._beat is not None:
            self._beat.stop()
        lease.release(self._storage, self._study_id, self._lease)

    def _check_lease(self) -> None:
        lease.check(self._storage, self._study_id, self.name, self._lease)


def _key(record: Record) -> Key:
    return record.digest, record.fidelity
