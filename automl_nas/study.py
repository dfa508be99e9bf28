"""The one loop: a study is space x objective x searcher x budget, run into a ledger.

    study = Study(space, objective, OptunaSearcher(space, "tpe"), budget=Budget(evaluations=50))
    study.run("sqlite:///study.db")        # killed? run it again: it goes on exactly
    print(study.best.configuration)

Each turn: propose, write the trial, evaluate (or answer a duplicate from the ledger), complete the
trial. `open`, `ask` and `tell` are the same turn for people who own their loop.
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, evaluation, identity, provenance, seeds, storages
from automl_nas.budget import Budget
from automl_nas.errors import (
    MeasurementError,
    SettingError,
    SpaceError,
    StudyError,
    TooManyFailures,
    UnknownName,
)
from automl_nas.ledger import Ledger, metrics_to_json
from automl_nas.objectives.base import FunctionObjective, Objective, Returned
from automl_nas.proposing import Proposer
from automl_nas.results import Results
from automl_nas.types import Cache, Constraint, History, Metric, Record, Trial

if TYPE_CHECKING:
    import pandas as pd

    from automl_nas.searchers.base import Searcher

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
        constraints: Sequence[Constraint] = (),
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
            constraints: limits on metrics of the objective; only feasible records are answers.
            initial: configurations to measure before the searcher is asked.
            failures: failed evaluations in a row after which it gives up; run it again, and it goes
                on for as many.

        Raises:
            SpaceError: the space is empty, its choices cannot be stored, or an initial
                configuration is not in it.
            SettingError: the seed is not an integer.
            StudyError: the searcher's space differs, or the budget's unit is unknown here.
        """
        configs.check_space(space)
        self.space, self.searcher, self.budget, self.seed = space, searcher, budget, _integer(seed)
        self.constraints = tuple(constraints)
        self.objective = _as_objective(objective, optimize, self.constraints)
        self.optimize = _metrics(self.objective, optimize)
        _metrics(self.objective, [constraint.metric for constraint in self.constraints])
        self.name = name or f"{self.objective.name}/{searcher.name}/seed{seed}"
        self.initial = tuple(_initial(space, i, one) for i, one in enumerate(initial))
        self.failures = failures
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
        if self.budget.equivalents is not None and not self.objective.full_training_flops:
            raise StudyError(
                f"objective {self.objective.name!r} does not say what a full training costs: "
                "budget evaluations or seconds instead of equivalents."
            )

    def __getstate__(self) -> dict[str, Any]:
        """A study travels to a worker as it was defined: closed, without what it has run."""
        return self.__dict__ | {"_ledger": None, "_cache": Cache(), "_orphans": [], "stopped": None}

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
            **self._constraints_as_json(),
            "searcher": {
                "name": self.searcher.name,
                "recipe": identity.describe(self.searcher),
            },
            "seed": self.seed,
            "initial": [configs.to_dict(configuration) for configuration in self.initial],
            "versions": identity.versions(packages),
        }

    def _constraints_as_json(self) -> dict[str, Any]:
        """Absent where there are none."""
        if not self.constraints:
            return {}
        return {"constraints": [identity.describe(one) for one in self.constraints]}

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
            self._stop_failing()
            while (record := self.ask()) is not None:
                record = self._turn(record)
                for callback in callbacks:
                    callback(self, record)
                self._stop_failing()
        return self

    def _stop_failing(self) -> None:
        failing = self._opened().failing()
        if len(failing) >= self.failures:
            self._opened().give_up()
            raise TooManyFailures(
                f"study {self.name!r}: {len(failing)} evaluations in a row failed, the last with "
                f"{failing[-1].failure}. The records are kept; mend the objective and run again."
            )

    @contextmanager
    def open(self, storage: str | None = None, *, accept: Collection[str] = ()) -> Iterator[Study]:
        """Opens or creates the study's ledger for `ask` and `tell`, and closes it again."""
        opened = storages.open_storage(storage)
        self._storage = storage
        with storages.translated(storage), ExitStack() as closing:
            closing.callback(opened.remove_session)
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
        if isinstance(proposed, str):
            self.stopped = proposed
            ledger.end(proposed)
            return None
        self._begin()
        return ledger.open(proposed, self._evaluation_seed())

    def _propose(self, ledger: Ledger) -> Record | str:
        proposer = Proposer(self.searcher, self.objective, self.initial)
        return proposer.propose(ledger, self.history())

    def tell(self, record: Record, returned: Returned, *, seconds: float = 0.0) -> Record:
        """Completes a trial that was evaluated elsewhere in `seconds`.

        Raises:
            MeasurementError: `returned` is not a measurement of the objective's metrics; the
                failed record is kept.
            StudyError: the trial has been told before.
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
        if finished.status == "complete" and finished.cost.evaluations:
            self._check_charge(finished)
        return finished

    def _check_charge(self, record: Record) -> None:
        if not self.budget.can_end(record.cost):
            raise StudyError(
                f"study {self.name!r} would never end: objective {self.objective.name!r} reports "
                "no cost in the units of the budget. Return a Measurement with training_flops or "
                "simulated_seconds, or budget evaluations."
            )

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
            parent_folder=self._trial_folder(self._measured_by(record.parent)),
            report=functools.partial(_report, curve),
        )

    def _measured_by(self, number: int | None) -> int | None:
        """The trial whose evaluation answered this one: only that one has a checkpoint."""
        for record in self._opened().records if number is not None else ():
            if record.number == number and record.duplicate_of is not None:
                return record.duplicate_of
        return number

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
            fidelity=self.objective.fidelity,
            constraints=self.constraints,
        )

    def results(self) -> Results:
        """The records with what is needed to read and report them."""
        ledger = self._opened()
        return Results(
            name=self.name,
            space=self.space,
            metrics=self.objective.metrics,
            optimize=self.optimize,
            constraints=self.constraints,
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
    objective: Objective | Callable[..., Returned],
    optimize: Sequence[Metric | str],
    constraints: Sequence[Constraint],
) -> Objective:
    if isinstance(objective, Objective):
        return objective
    if not optimize:
        raise StudyError(
            'a plain function needs its metrics: Study(..., optimize=[Metric("error")]).'
        )
    metrics = [m if isinstance(m, Metric) else Metric(m) for m in optimize]
    limited = [Metric(c.metric) for c in constraints if c.metric not in {m.name for m in metrics}]
    return FunctionObjective(objective, (*metrics, *limited))


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


def _integer(seed: int) -> int:
    try:
        return operator.index(seed)
    except TypeError:
        raise SettingError(f"a study's seed must be an integer, got {seed!r}.") from None


def _initial(space: ConfigurationSpace, index: int, given: Configuration) -> Configuration:
    """An initial configuration as a member of the space."""
    try:
        return configs.adopt(space, given)
    except (ValueError, AttributeError) as error:
        raise SpaceError(
            f"initial[{index}] = {given!r} is not a configuration of the study's space: {error}"
        ) from error


def _report(curve: Curve, step: int, values: Mapping[str, float]) -> None:
    """Keeps a point of the learning curve as plain numbers."""
    where = f"trial.report({step}, ...) got"
    point = {name: evaluation.number(value, f"{where} {name} =") for name, value in values.items()}
    curve[operator.index(step)] = point
