"""Syne Tune's asynchronous successive halving, as shipped, as a function of the record.

Syne Tune 0.16 has the stopping variant only: a trial reports at a rung, and the scheduler lets it
go on or stops it, at once and for good. So a rung is a record, a trial a chain of records linked by
`parent`, and the decisions are replayed from the records in order of completion. A trial that may
go on is proposed next, first come, first served, at the next rung; otherwise a new one is suggested
at the first. Draws are seeded: a trial's bracket by the number of its first record, a suggestion by
its own number. Decisions depend on earlier records only; the scheduler that made them is kept in
`history.cache.memory` and told of new records.

As shipped means: rungs counted with a float logarithm (243 with factor 3 lacks a rung, but it is
the last one, where nothing is decided); a trial that comes first to a rung always goes on; nothing
is reconsidered later; the surrogate sees the last value of each trial, whatever its rung. MOASHA
draws at random; `moasha` ranks as `mo-rea` does, `moasha-shipped` as Syne Tune does. Failed trials
stop where they are. Native halving around any searcher needs none of this.
Source: Li et al. 2020, "A system for massively parallel hyperparameter tuning", MLSys;
Schmucker et al. 2021, "Multi-objective asynchronous successive halving", arXiv:2106.12639.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl_nas import seeds
from automl_nas.errors import SettingError
from automl_nas.searchers import flat, syne_tune_engines
from automl_nas.searchers.syne_tune_space import Coding
from automl_nas.types import History, Record

INNER = {
    "asha": "random",
    "asha-bore": "bore",
    "asha-cqr": "cqr",
    "bohb": "tpe",
    "moasha": "random",
    "moasha-shipped": "random",
}
"""Method -> the method that suggests new configurations."""
HALVING = ("grace_period", "reduction_factor", "brackets")
"""Settings of the scheduler; the others are the inner method's."""


class _Deaf:
    """The scheduler tells a searcher what it is told; the one that suggests is told by us."""

    def on_trial_result(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def on_trial_error(self, *_: Any) -> None:
        """Nothing."""


@dataclass
class Rungs:
    """A scheduler that has decided on all records seen so far."""

    scheduler: Any
    coding: Coding
    key: str
    full: int
    seen: list[Record] = field(default_factory=list)
    roots: dict[int, int] = field(default_factory=dict)
    """Number of a record -> number of the first record of its trial."""
    encoded: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Number of a record -> its configuration in Syne Tune's terms."""
    waiting: dict[int, Record] = field(default_factory=dict)
    """The last records of trials that may go on, in order of completion."""

    def see(self, record: Record, history: History) -> None:
        """The scheduler's decision on a finished record."""
        root = self.roots.get(record.number if record.parent is None else record.parent)
        encoded = self.coding.encode(flat.genome(self.coding.space, record))
        self.encoded[record.number] = encoded
        trial = _trial(record.number if root is None else root, encoded)
        if root is None:
            self._add(trial, history)
        self.waiting.pop(-1 if record.parent is None else record.parent, None)
        self.roots[record.number] = trial.trial_id
        if record.status == "complete":
            losses = {str(i): loss for i, loss in enumerate(history.losses(record))}
            amount = record.fidelity or self.full
            decision = self.scheduler.on_trial_result(trial, {**losses, "amount": amount})
            if decision == "CONTINUE" and amount < self.full:
                self.waiting[record.number] = record
        self.seen.append(record)

    def _add(self, trial: Any, history: History) -> None:
        seed = seeds.derive("syne-tune", "bracket", history.seed, trial.trial_id)
        np.random.seed(seed)  # noqa: NPY002 - the caller puts the generator back
        self.scheduler.on_trial_add(trial)

    def after(self, record: Record) -> int | None:
        """The next amount for the trial of a record; None: full."""
        return self._next(self.roots[record.number], record.fidelity or self.full)

    def first(self, number: int, history: History) -> int | None:
        """The first amount of a new trial; None: full."""
        self._add(_trial(number, {}), history)
        amount = self._next(number, 0)
        del self.scheduler.trial_info[number]
        return amount

    def _next(self, root: int, amount: int) -> int | None:
        rungs = [int(rung) for rung, _ in reversed(self.scheduler.trial_info[root].rungs)]
        following = next((rung for rung in rungs if rung > amount), self.full)
        return following if following < self.full else None


def _trial(number: int, encoded: dict[str, Any]) -> Any:
    from syne_tune.backend.trial_status import Trial

    return Trial(number, encoded, datetime.datetime.min)


def rungs(
    method: str, coding: Coding, history: History, settings: Mapping[str, Any], searcher: str
) -> Rungs:
    """The scheduler after all finished records but audits; must be called inside `sealed`.

    Raises:
        SettingError: the objective has no fidelity, or a setting has no sense.
    """
    if history.fidelity is None:
        raise SettingError(
            f"{searcher} needs an objective that can measure cheaper, and this one has no "
            "fidelity: use one that has, or a method without halving such as syne-tune:rea."
        )
    full, slot = history.fidelity.full, f"{searcher}:rungs"
    metrics = [(metric.name, metric.goal) for metric in history.metrics]
    key = json.dumps([full, metrics, history.seed, dict(settings)], default=repr)
    records = [record for record in history.records if not record.audit]
    known: Rungs | None = history.cache.memory.get(slot)
    if known is None or known.key != key or not _begins(records, known.seen):
        scheduler = _scheduler(method, coding, len(history.metrics), full, settings, searcher)
        known = Rungs(scheduler, coding, key, full)
    history.cache.memory.pop(slot, None)
    for record in records[len(known.seen) :]:
        known.see(record, history)
    history.cache.memory[slot] = known
    return known


def _begins(records: list[Record], seen: list[Record]) -> bool:
    same = (new is old for new, old in zip(records, seen, strict=False))
    return len(seen) <= len(records) and all(same)


def _scheduler(
    method: str,
    coding: Coding,
    metrics: int,
    full: int,
    settings: Mapping[str, Any],
    searcher: str,
) -> Any:
    from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving
    from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA

    halving = {name: settings[name] for name in HALVING if name in settings}
    common = {"time_attr": "amount", "max_t": full, "random_seed": 0, **halving}
    names, priority = [str(i) for i in range(metrics)], syne_tune_engines.priority(method)
    try:
        if method.startswith("moasha"):
            return MOASHA(coding.domains, metrics=names, multiobjective_priority=priority, **common)
        return AsynchronousSuccessiveHalving(coding.domains, metric="0", searcher=_Deaf(), **common)
    except AssertionError as error:
        raise SettingError(f"{searcher} refuses {halving} with {full} in full: {error}") from error


def suggester(
    known: Rungs, history: History, seed: int, make: Callable[[int], Any]
) -> Callable[[], Any]:
    """Asks Syne Tune's wrapper around `make(seed)`, which is told each trial's last value.

    MOASHA has no inner searcher and draws at random.
    """
    from syne_tune.optimizer.schedulers.searchers.last_value_multi_fidelity_searcher import (
        LastValueMultiFidelitySearcher,
    )

    np.random.seed(seed)  # noqa: NPY002 - the caller puts the generator back
    if len(history.metrics) > 1:
        return lambda: known.scheduler.suggest().config
    outer = LastValueMultiFidelitySearcher(
        known.coding.domains,
        random_seed=seed,
        searcher=lambda *, random_seed, **_: make(random_seed),
    )
    for record in known.seen:
        if record.status == "complete":
            (loss,) = history.losses(record)
            outer.on_trial_result(known.roots[record.number], known.encoded[record.number], loss)
    return outer.suggest  # type: ignore[no-any-return]
