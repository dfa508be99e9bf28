"""What Optuna's samplers know of a record, built once for each record and grown with it.

`Known` is a fold over the finished records (`automl_nas.searchers.base.folded`): their trials in
the order of their numbers, the search spaces that Optuna would work out from them in every ask, the
parents of each generation, and where the fit of kernels begins. All of it follows from the record:
grown and built anew are equal.
"""

from __future__ import annotations

import bisect
import datetime
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.search_space.group_decomposed import _SearchSpaceGroup
from optuna.trial import FrozenTrial, TrialState

from automl_nas.searchers import optuna_kernels as kernels
from automl_nas.searchers.optuna_parents import kept_for
from automl_nas.searchers.optuna_samplers import Recipe, core
from automl_nas.searchers.optuna_shadow import NAME, ShadowStorage
from automl_nas.types import Constraint, Metric, Record

_SHARED = ":relative_params:"
"""Attributes that a sampler leaves for processes beside it; here pending trials have parameters."""
_NUMBER = operator.attrgetter("number")
_STATES = {
    "complete": TrialState.COMPLETE,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
}


@dataclass(frozen=True)
class Trials:
    """Records as Optuna trials."""

    recipe: Recipe
    metrics: tuple[Metric, ...]
    constraints: tuple[Constraint, ...]

    def of(self, record: Record) -> FrozenTrial:
        """Under the record's number; one whose violations are not finite has failed."""
        violations = self._violations(record)
        complete = record.status == "complete" and all(map(math.isfinite, violations.values()))
        failed = record.status == "complete" and not complete
        encoding = self.recipe.encoding
        params = encoding.params(record)
        now = datetime.datetime.now(datetime.UTC)
        trial = FrozenTrial(
            number=record.number,
            trial_id=record.number,
            state=TrialState.FAIL if failed else _STATES[record.status],
            value=None,
            values=[float(v) for v in record.losses(self.metrics)] if complete else None,
            datetime_start=now,
            datetime_complete=None if record.status == "running" else now,
            params=params,
            distributions={name: encoding.distributions[name] for name in params},
            user_attrs={},
            system_attrs={**self.recipe.system, **record.attrs.get("system", {})},
            intermediate_values={},
        )
        for name, violation in violations.items() if complete else ():
            trial.set_constraint(name, violation)
        return trial

    def _violations(self, record: Record) -> dict[str, float]:
        if record.status != "complete":
            return {}
        limits = enumerate(self.constraints)
        return {str(i): float(limit.violation(record.values)) for i, limit in limits}


class Known:
    """What the finished records tell a sampler."""

    def __init__(self, trials: Trials) -> None:
        self._of, self.recipe = trials, trials.recipe
        self.parents = kept_for(core(trials.recipe.template))
        self._kernels: Record | None = None
        self._begin: Record | None = None
        self._trials: list[FrozenTrial] = []
        self._worst: tuple[float, ...] = ()
        self._pending: dict[int, tuple[Record, FrozenTrial]] = {}
        self.storage = ShadowStorage(len(trials.metrics))
        self.study = Study(NAME, self.storage)
        self.spaces = Spaces(trials.recipe.encoding.distributions)

    def add(self, record: Record) -> None:
        """Takes the next finished record; audits and low fidelities are passed over."""
        if not self._learnable(record):
            return
        self._kernels = kernels.later(self._kernels, [record])
        trial = self._of.of(record)
        bisect.insort(self._trials, trial, key=_NUMBER)
        if trial.state == TrialState.COMPLETE:
            self.spaces.add(trial)
            if self.parents is not None:
                self.parents.add(trial)
            found = (*trial.values, *trial.constraints.values())
            self._worst = tuple(map(max, found, self._worst or found))

    def begin(self, pending: Sequence[Record], number: int) -> Study:
        """The shadow study in which trial `number` is asked for."""
        trials = self.trials(pending)
        self._begin = kernels.later(self._kernels, filter(self._learnable, pending))
        self.storage.begin(trials, max(number, trials[-1].number + 1 if trials else 0))
        return self.study

    def trials(self, pending: Sequence[Record]) -> list[FrozenTrial]:
        """Those of finished and pending records, in the order of their numbers.

        Pending ones are running, or (`Kind.lies`) have turned out as bad as any in each metric and
        constraint.
        """
        trials, lies = list(self._trials), self.recipe.kind.lies
        pending = [*filter(self._learnable, pending)]
        for record in pending if self._worst or not lies else ():
            trial = self._lie(record) if lies else self._running(record)
            bisect.insort(trials, trial, key=_NUMBER)
        self._pending = {r.number: self._pending[r.number] for r in pending if not lies}
        return trials

    def sampler(self, seed: int, number: int, attempt: int) -> BaseSampler:
        """The sampler for one attempt at a proposal."""
        sampler = self.recipe.made(self.spaces, seed, number, attempt)
        if self.parents is not None:
            self.parents.serve(core(sampler))
        counts = {"metrics": len(self._of.metrics), "constraints": len(self._of.constraints)}
        kernels.begin(core(sampler), self._begin, counts)
        return sampler

    def notes(self) -> dict[str, Any]:
        """Attributes for the last proposal, which later ones depend on."""
        notes = kernels.note(core(self.study.sampler))
        system = {k: v for k, v in self.storage.latest.system_attrs.items() if _SHARED not in k}
        return {**notes, "system": system} if system else notes

    def _learnable(self, record: Record) -> bool:
        return record.fidelity is None and not record.audit and self.recipe.kind.learns

    def _running(self, record: Record) -> FrozenTrial:
        kept = self._pending.get(record.number)
        if kept is None or kept[0] is not record:
            kept = self._pending[record.number] = (record, self._of.of(record))
        return kept[1]

    def _lie(self, record: Record) -> FrozenTrial:
        trial, metrics = self._of.of(record), len(self._of.metrics)
        trial.state = TrialState.COMPLETE
        trial.values = list(self._worst[:metrics])
        trial.datetime_complete = trial.datetime_start
        for i, violation in enumerate(self._worst[metrics:]):
            trial.set_constraint(str(i), violation)
        return trial


class Spaces:
    """Optuna's search spaces of the complete trials, without a walk through all of them."""

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self._distributions = distributions
        self._shapes: dict[frozenset[str], int] = {}
        self._shared: frozenset[str] | None = None
        self._groups: _SearchSpaceGroup | None = None

    def add(self, trial: FrozenTrial) -> None:
        """Takes a complete trial."""
        shape = frozenset(trial.params)
        first = self._shapes.get(shape)
        if first is None or trial.number < first:
            self._shapes[shape] = trial.number
            self._groups = None
        self._shared = shape if self._shared is None else self._shared & shape

    def intersection(self) -> dict[str, BaseDistribution]:
        """The parameters of all trials, sorted, as `IntersectionSearchSpace` has them."""
        return {name: self._distributions[name] for name in sorted(self._shared or ())}

    def groups(self) -> _SearchSpaceGroup:
        """Parameters that go together, as `_GroupDecomposedSearchSpace` has them.

        A set of parameters that was added before changes nothing, so one trial of each is enough.
        """
        if self._groups is None:
            self._groups = _SearchSpaceGroup()
            for shape in sorted(self._shapes, key=self._shapes.__getitem__):
                self._groups.add_distributions({n: self._distributions[n] for n in shape})
        return self._groups
