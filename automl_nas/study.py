"""The one loop: a study is space x objective x searcher x budget, run into a ledger.

    study = Study(space, objective, OptunaSearcher(space, "tpe"), budget=Budget(evaluations=50))
    study.run("sqlite:///study.db")        # killed? run it again: it goes on exactly
    print(study.best.configuration)

Each turn: propose, write the trial, evaluate (or answer a duplicate from the ledger), complete the
trial; `run(workers=4)` evaluates four trials at a time. `open`, `ask` and `tell` are the same turn
for people who own their loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, evaluation, foreign, identity, parts, storages
from automl_nas.budget import Budget
from automl_nas.errors import (
    StudyError,
)
from automl_nas.ledger import Ledger, Terms
from automl_nas.limits import Limits
from automl_nas.objectives.base import Objective, Returned
from automl_nas.results import Results
from automl_nas.running import Callback, Run
from automl_nas.session import Session
from automl_nas.stored import metrics_to_json
from automl_nas.types import Constraint, History, Metric, Record

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from distributed import Client
    from optuna.storages import BaseStorage

    from automl_nas.searchers.base import Searcher


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
        max_failures: int = 10,
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
            max_failures: failed evaluations in a row after which it gives up; run it again, and it
                goes on for as many.

        Raises:
            SpaceError: the space is empty, its choices cannot be stored, or an initial
                configuration is not in it.
            SettingError: the seed is not an integer.
            StudyError: the searcher's space differs, or the budget's unit is unknown here.
        """
        configs.check_space(space)
        self.space, self.searcher, self.budget = space, searcher, budget
        self.seed = parts.integer(seed)
        self.constraints = tuple(constraints)
        self.objective = parts.as_objective(objective, optimize, self.constraints)
        self.optimize = parts.metrics(self.objective, optimize)
        parts.metrics(self.objective, [constraint.metric for constraint in self.constraints])
        self.name = name or f"{self.objective.name}/{searcher.name}/seed{seed}"
        self.initial = tuple(parts.initial(space, i, one) for i, one in enumerate(initial))
        self.max_failures = max_failures
        self.definition: Mapping[str, Any] | None = None
        """Which registered study made it, with which settings (`definitions`)."""
        self.stopped: str | None = None
        self._storage: str | None = None
        self._session: Session | None = None
        self._window: int | None = None
        self._home: str | BaseStorage | None = None
        self._check()

    @classmethod
    def from_optuna(
        cls,
        study: optuna.Study,
        objective: Objective | Callable[..., Returned],
        *,
        budget: Budget,
        space: ConfigurationSpace | None = None,
        searcher: Searcher | None = None,
        **settings: Any,
    ) -> Study:
        """Goes on with an existing Optuna study, in place: its trials are the first records.

        They stay as they are and are charged nothing. `run()` without a storage writes to the
        study's own. An objective of Optuna's is `lambda c: theirs(optuna.trial.FixedTrial(c))`.

        Args:
            study: with whatever sampler, in any storage.
            objective: measures what the study has measured.
            budget: of the new trials alone.
            space: what the trials were drawn from; None: as far as their distributions tell.
            searcher: proposes; None: the study's own sampler.
            settings: further ones of a `Study`, such as `seed`.

        Raises:
            SpaceError: the trials do not tell their space.
            StudyError: a trial is no configuration of `space` (when it is opened).
        """
        from automl_nas.searchers.from_optuna import OptunaSearcher

        searcher = searcher or OptunaSearcher.from_study(study, space)
        settings = {"optimize": foreign.metrics(study), "name": study.study_name, **settings}
        made = cls(searcher.space, objective, searcher, budget=budget, **settings)
        made._home = foreign.home(study)
        return made

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
        return self.__dict__ | {"_session": None, "stopped": None}

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
            **({"window": self._window} if self._window else {}),
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
        workers: int | None = None,
        client: Client | None = None,
        resources: Mapping[str, float] | None = None,
        deterministic: bool = False,
        shared: bool = False,
        time_limit: float | None = None,
        memory_limit: str | None = None,
        group_commit: float | None = None,
        folder: str | Path | None = None,
        accept: Collection[str] = (),
        callbacks: Sequence[Callback] = (),
    ) -> Study:
        """Runs until the budget is spent or the searcher is finished; resumes what is stored.

        Args:
            storage: an URL, see `automl_nas.storages`; None keeps the record in memory.
            workers: evaluates so many trials at a time on a local Dask cluster, or on that of
                `client`; default there: as many as it has threads. Without both, in this process.
            client: a `dask.distributed.Client` of any cluster whose workers can import the
                objective.
            resources: what an evaluation takes of a Dask worker's resources, such as {"GPU": 1}.
            deterministic: proposal n learns from the trials 0 ... n - 2 x workers, so that a
                parallel run can be resumed, and repeated, exactly.
            shared: lets other processes that say so run the same study at the same time.
            time_limit: seconds after which an evaluation is ended as failed; takes a worker.
            memory_limit: of each local worker, such as "4GiB"; takes a worker.
            group_commit: seconds for which records of a journal may wait to be written together
                (0.5 is a good one), where the objective is cheap and deterministic: what a kill
                loses is measured again.
            folder: of checkpoints, on a path that all workers see; default: beside a local storage.
            accept: parts of the identity that may differ from the stored ones, such as
                "versions"; "lease" takes the study from a process that is gone.
            callbacks: called as callback(study, record) after each record.

        Raises:
            StorageError, StudyMismatch, StudyBusy: the stored study cannot be continued.
            MeasurementError: the objective returned other metrics than it declares.
            TooManyFailures: it failed `max_failures` times in a row.
            SettingError: settings that do not go together.
        """
        limits = Limits(workers, client, resources, time_limit, memory_limit)
        window = limits.window(deterministic=deterministic, shared=shared)
        adopt = self._home is not None
        opening = self._opening(
            storage,
            Terms(accept, shared, deterministic, adopt),
            window,
            group_commit,
            folder,
        )
        with opening as session, limits.executor(self.objective, self.space) as executor:
            Run(session, executor, callbacks).to_the_end()
        self.stopped = session.stopped
        return self

    @contextmanager
    def open(self, storage: str | None = None, *, accept: Collection[str] = ()) -> Iterator[Study]:
        """Opens or creates the study's ledger for `ask` and `tell`, and closes it again."""
        with self._opening(storage, Terms(accept, adopt=self._home is not None)):
            yield self

    @contextmanager
    def _opening(
        self,
        storage: str | None,
        terms: Terms,
        window: int | None = None,
        group_commit: float | None = None,
        folder: str | Path | None = None,
    ) -> Iterator[Session]:
        storage = storage or (self._home if isinstance(self._home, str) else None)
        self._storage, self._window = storage, window
        with storages.translated(storage), ExitStack() as closing:
            if storage is None and self._home is not None and not isinstance(self._home, str):
                opened = self._home
            else:
                opened = storages.patient(storages.open_storage(storage, group_commit=group_commit))
                closing.callback(storages.close, opened)
            ledger = Ledger(
                opened,
                self.name,
                self.space,
                self.objective.metrics,
                self.optimize,
                self.identity(),
                url=storage,
                terms=terms,
            )
            self._session = Session(self, ledger, parts.folder(storage, self.name, folder), window)
            try:
                yield self._session
            finally:
                ledger.release()

    def ask(self) -> Record | None:
        """The next trial, written and waiting for its measurement.

        None: the study has stopped, for the reason in `stopped`; or, while that is None, the trials
        under way may use up the budget and have to be told first.

        Raises:
            StudyError: the study is not open.
        """
        record = self._opened().next()
        self.stopped = self._opened().stopped
        return record

    def tell(self, record: Record, returned: Returned, *, seconds: float = 0.0) -> Record:
        """Completes a trial that was evaluated elsewhere in `seconds`.

        Raises:
            MeasurementError: `returned` is not a measurement of the objective's metrics; the
                failed record is kept.
            StudyError: the trial has been told before.
        """
        outcome = evaluation.judge(returned, self.objective, seconds)
        return self._opened().close(record, outcome)

    def _opened(self) -> Session:
        if self._session is None:
            raise StudyError(
                f"study {self.name!r} is not open: run it, or use `with study.open()`."
            )
        return self._session

    def history(self) -> History:
        """What the searcher may know now."""
        session = self._opened()
        return session.history(session.ledger.everything())

    def results(self) -> Results:
        """The records with what is needed to read and report them."""
        ledger = self._opened().ledger
        return Results(
            name=self.name,
            space=self.space,
            metrics=self.objective.metrics,
            optimize=self.optimize,
            constraints=self.constraints,
            identity=self.identity(),
            records=tuple(ledger.records),
            sessions=tuple(ledger.sessions),
            storage=self._storage or "",
        )

    @property
    def records(self) -> tuple[Record, ...]:
        """Finished records in order of completion."""
        return tuple(self._opened().ledger.records)

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
