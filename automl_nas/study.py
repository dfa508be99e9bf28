"""The one loop: a study is space x objective x searcher x budget, run into a ledger.

    study = Study(space, objective, OptunaSearcher(space, "tpe"), budget=Budget(evaluations=50))
    study.run("sqlite:///study.db")        # killed? run it again: it goes on exactly
    print(study.best.configuration)

Each turn: propose, write the trial, evaluate (or answer a duplicate from the ledger), complete the
trial. `open`, `ask` and `tell` are the same turn for people who own their loop.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, evaluation, identity, provenance, seeds, storages
from automl_nas.budget import Budget
from automl_nas.errors import (
    MeasurementError,
    SpaceExhausted,
    StudyError,
    TooManyFailures,
    UnknownName,
)
from automl_nas.ledger import Ledger, metrics_to_json
from automl_nas.objectives.base import FunctionObjective, Objective, Returned
from automl_nas.results import Results
from automl_nas.types import Cache, History, Metric, Proposal, Record, Trial

if TYPE_CHECKING:
    import pandas as pd

    from automl_nas.searchers.base import Searcher

_NUDGE_AFTER = 10
"""Duplicates in a row after which a proposal is moved to an unmeasured neighbour."""

Callback = Callable[["Study", Record], None]
Curve = dict[int, Mapping[str, float]]


class Study:
    """A space, an objective, a searcher and a budget."""

    def __init__(
        self,
        space: ConfigurationSpace,
        objective: Objective | Callable[..., Returned],
        searcher: Searcher,
        *,
        budget: Budget,
        seed: int = 0,
        name: str | None = None,
        optimize: Sequence[Metric | str] = (),
        initial: Sequence[Configuration] = (),
        failures: int = 10,
    ) -> None:
        """Defines a study; nothing runs and nothing is written yet.

        Args:
            space: what can be chosen.
            objective: an `Objective`, or a function of (configuration[, fidelity[, trial]]).
            searcher: proposes configurations of the same space.
            budget: when to stop.
            seed: of proposals, evaluations and everything else.
            name: in the storage; default "<objective>/<searcher>/seed<seed>".
            optimize: metrics (or names of the objective's metrics); default its first.
            initial: configurations to measure before the searcher is asked.
            failures: failed evaluations in a row, in one run, after which it gives up.

        Raises:
            SpaceError: the space is empty, or its choices cannot be stored.
            StudyError: the searcher's space differs, or the budget's unit is unknown here.
        """
        configs.check_space(space)
        self.space, self.searcher, self.budget, self.seed = space, searcher, budget, seed
        self.objective = _as_objective(objective, optimize)
        self.optimize = _metrics(self.objective, optimize)
        self.name = name or f"{self.objective.name}/{searcher.name}/seed{seed}"
        self.initial, self.failures = tuple(initial), failures
        self.stopped: str | None = None
        self._storage: str | None = None
        self._ledger: Ledger | None = None
        self._folder: Path | None = None
        self._cache = Cache()
        self._orphans: list[Record] = []
        self._started = False
        self._check()

    def _check(self) -> None:
        if configs.space_to_json(self.searcher.space) != configs.space_to_json(self.space):
            raise StudyError(
                f"searcher {self.searcher.name!r} was made for another space than study "
                f"{self.name!r}: give both the same ConfigurationSpace."
            )
        if self.budget.equivalents is not None and self.objective.full_training_flops is None:
            raise StudyError(
                f"objective {self.objective.name!r} does not say what a full training costs: "
                "budget evaluations or seconds instead of equivalents."
            )

    def identity(self) -> dict[str, Any]:
        """What must be equal for a stored study to be this study, as JSON."""
        packages = (*self.searcher.packages, *self.objective.packages)
        return {
            "space": json.loads(configs.space_to_json(self.space)),
            "objective": {
                "name": self.objective.name,
                "full_training_flops": self.objective.full_training_flops,
                "recipe": identity.describe(self.objective),
            },
            "metrics": metrics_to_json(self.objective.metrics),
            "optimize": metrics_to_json(self.optimize),
            "searcher": {
                "name": self.searcher.name,
                "recipe": identity.describe(self.searcher),
            },
            "seed": self.seed,
            "initial": [configs.to_dict(configuration) for configuration in self.initial],
            "versions": identity.versions(packages),
        }

    def run(
        self,
        storage: str | None = None,
        *,
        accept: Collection[str] = (),
        callbacks: Sequence[Callback] = (),
    ) -> Study:
        """Runs until the budget is spent or the searcher is finished; resumes what is stored.

        Args:
            storage: an URL, see `automl_nas.storages`; None keeps the record in memory.
            accept: parts of the identity that may differ from the stored ones, such as
                "versions"; "lease" takes the study from a process that is gone.
            callbacks: called as callback(study, record) after each record.

        Raises:
            StorageError, StudyMismatch, StudyBusy: the stored study cannot be continued.
            MeasurementError: the objective returned other metrics than it declares.
            TooManyFailures: it failed `failures` times in a row.
        """
        with self.open(storage, accept=accept):
            failed = 0
            while (record := self.ask()) is not None:
                record = self._turn(record)
                for callback in callbacks:
                    callback(self, record)
                failed = failed + 1 if record.status == "failed" else 0
                if failed >= self.failures:
                    raise TooManyFailures(
                        f"study {self.name!r}: {failed} evaluations in a row failed, the last with "
                        f"{record.failure}. The records are kept; mend the objective and run again."
                    )
        return self

    @contextmanager
    def open(self, storage: str | None = None, *, accept: Collection[str] = ()) -> Iterator[Study]:
        """Opens or creates the study's ledger for `ask` and `tell`, and closes it again."""
        opened = storages.open_storage(storage)
        self._storage = storage
        with storages.translated(storage):
            self._ledger = ledger = Ledger(
                opened, self.name, self.space, self.optimize, self.identity(), accept=accept
            )
            self._folder = _study_folder(storage, self.name)
            self._cache = Cache(self._folder)
            self._orphans, self._started = list(ledger.pending), False
            try:
                yield self
            finally:
                ledger.release()

    def ask(self) -> Record | None:
        """The next trial, written and waiting for its measurement; None: the study has stopped.

        Raises:
            StudyError: the study is not open.
        """
        ledger = self._opened()
        if self._orphans:
            self._begin()
            record = self._orphans.pop(0)
            ledger.reopen(record)
            return record
        flops = self.objective.full_training_flops
        if (limit := self.budget.reached(len(ledger.records), ledger.total, flops)) is not None:
            self.stopped = f"budget: {limit}"
            return None
        proposed = self._propose(ledger)
        if proposed is None:
            return None
        self._begin()
        return ledger.open(proposed, self._evaluation_seed())

    def tell(self, record: Record, returned: Returned, *, seconds: float = 0.0) -> Record:
        """Completes a trial that was evaluated elsewhere in `seconds`.

        Raises:
            MeasurementError: `returned` is not a measurement of the objective's metrics; the
                failed record is kept.
        """
        judged = evaluation.judge(record, returned, self.objective, self.optimize, seconds)
        return self._close(judged, {})

    def _turn(self, record: Record) -> Record:
        curve: Curve = {}
        known = self._opened().known(record.configuration, record.fidelity)
        if known is not None:
            return self._close(evaluation.answered(record, known), curve)
        trial = self._trial(record, curve)
        return self._close(evaluation.evaluate(record, self.objective, self.optimize, trial), curve)

    def _close(self, record: Record, curve: Curve) -> Record:
        finished = self._opened().close(record, curve)
        if finished.failure.startswith(evaluation.WRONG):
            raise MeasurementError(finished.failure.removeprefix(evaluation.WRONG))
        return finished

    def _propose(self, ledger: Ledger) -> Record | None:
        """The searcher's next proposal, timed, as a record to be opened."""
        number, started = ledger.next_number(), time.perf_counter()
        try:
            proposal = self._ask_searcher(ledger, number)
        except SpaceExhausted as reason:
            self.stopped = str(reason)
            return None
        if proposal is None:
            self.stopped = f"{self.searcher.name} is finished"
            return None
        return Record(
            number=number,
            configuration=proposal.configuration,
            searcher=self.searcher.name,
            fidelity=self._fidelity(proposal),
            parent=proposal.parent,
            attrs=proposal.attrs,
            audit=proposal.audit,
            search_flops=proposal.training_flops,
            ask_seconds=time.perf_counter() - started - proposal.setup_seconds,
            setup_seconds=proposal.setup_seconds,
        )

    def _ask_searcher(self, ledger: Ledger, number: int) -> Proposal | None:
        if number < len(self.initial):
            return Proposal(self.initial[number], attrs={"initial": True})
        proposal = self.searcher.propose(self.history(), number)
        if proposal is None or not self._stuck(ledger, proposal):
            return proposal
        nudged = _unmeasured_neighbour(ledger, proposal.configuration, self.seed, number)
        return replace(proposal, configuration=nudged, attrs={**proposal.attrs, "nudged": True})

    def _stuck(self, ledger: Ledger, proposal: Proposal) -> bool:
        """Whether this would be one duplicate too many; audits repeat by right."""
        known = ledger.known(proposal.configuration, self._fidelity(proposal))
        if proposal.audit or known is None:
            return False
        recent = [record for record in ledger.records[-_NUDGE_AFTER:] if not record.audit]
        return len(recent) == _NUDGE_AFTER and all(r.duplicate_of is not None for r in recent)

    def _fidelity(self, proposal: Proposal) -> int | None:
        """None for full fidelity, however the searcher spelt it."""
        full = self.objective.fidelity.full if self.objective.fidelity else None
        return None if proposal.fidelity == full else proposal.fidelity

    def _begin(self) -> None:
        if not self._started:
            packages = (*self.searcher.packages, *self.objective.packages)
            self._opened().begin_session(provenance.session(packages))
            self._started = True

    def _trial(self, record: Record, curve: Curve) -> Trial:
        return Trial(
            number=record.number,
            seed=self._evaluation_seed(),
            folder=self._trial_folder(record.number),
            parent_folder=self._trial_folder(record.parent),
            report=curve.__setitem__,
        )

    def _trial_folder(self, number: int | None) -> Path | None:
        if self._folder is None or number is None:
            return None
        return self._folder / f"trial-{number}"

    def _evaluation_seed(self) -> int:
        return seeds.derive("evaluation", self.seed)

    def _opened(self) -> Ledger:
        if self._ledger is None:
            raise StudyError(
                f"study {self.name!r} is not open: run it, or use `with study.open()`."
            )
        return self._ledger

    def history(self) -> History:
        """What the searcher may know now."""
        ledger = self._opened()
        return History(
            space=self.space,
            metrics=self.optimize,
            seed=self.seed,
            records=tuple(ledger.records),
            pending=tuple(ledger.pending),
            cache=self._cache,
        )

    def results(self) -> Results:
        """The records with what is needed to read and report them."""
        ledger = self._opened()
        return Results(
            name=self.name,
            space=self.space,
            metrics=self.objective.metrics,
            optimize=self.optimize,
            identity=self.identity(),
            records=tuple(ledger.records),
            sessions=tuple(ledger.sessions()),
            storage=self._storage or "",
        )

    @property
    def records(self) -> tuple[Record, ...]:
        """Finished records in order of completion."""
        return tuple(self._opened().records)

    @property
    def best(self) -> Record:
        """What the searcher answers (one optimised metric); see `Results.best`."""
        return self.results().best

    def front(self) -> list[Record]:
        """The non-dominated records (several optimised metrics); see `Results.front`."""
        return self.results().front()

    def dataframe(self) -> pd.DataFrame:
        """One row a record; see `Results.dataframe`."""
        return self.results().dataframe()


def _as_objective(
    objective: Objective | Callable[..., Returned], optimize: Sequence[Metric | str]
) -> Objective:
    if isinstance(objective, Objective):
        return objective
    if not optimize:
        raise StudyError(
            'a plain function needs its metrics: Study(..., optimize=[Metric("error")]).'
        )
    metrics = tuple(m if isinstance(m, Metric) else Metric(m) for m in optimize)
    return FunctionObjective(objective, metrics)


def _metrics(objective: Objective, optimize: Sequence[Metric | str]) -> tuple[Metric, ...]:
    known = {metric.name: metric for metric in objective.metrics}
    names = [m.name if isinstance(m, Metric) else m for m in optimize] or list(known)[:1]
    for name in names:
        if name not in known:
            raise UnknownName("metric", name, known)
    return tuple(known[name] for name in names)


def _study_folder(storage: str | None, name: str) -> Path | None:
    path = storages.local_path(storage)
    if path is None:
        return None
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    return path.with_suffix(".files") / f"{slug}-{configs.digest({'name': name})[:6]}"


def _unmeasured_neighbour(
    ledger: Ledger, centre: Configuration, seed: int, number: int
) -> Configuration:
    """A neighbour that has not been measured, else any such configuration (10,000 draws)."""
    rng = seeds.rng("nudge", seed, number)
    near = list(configs.neighbours(centre, rng))
    for index in rng.permutation(len(near)):
        if ledger.known(near[int(index)], None) is None:
            return near[int(index)]
    for _ in range(10_000):
        if ledger.known(drawn := configs.sample(centre.config_space, rng), None) is None:
            return drawn
    return centre
