"""SMAC as a searcher: a random forest and expected improvement, several proposals per fit.

    SmacSearcher(space, "rf")        # one metric
    SmacSearcher(space, "parego")    # several metrics: ParEGO's random scalarisations

The first `initial` numbers are SMAC's own scrambled Sobol design. Afterwards the numbers come in
blocks of `batch`: proposal n learns from records with a number below batch * floor(n / batch) and
is the (n mod batch)-th configuration that a fresh facade, seeded by study seed and block, is asked
for. The last block's asks are cached in `history.cache.memory`; without them they are made again.

Failed configurations are told as crashed with the worst loss seen so far in every metric (SMAC's
default of infinity would spoil the forest). SMAC works on a copy of the space in a temporary
folder, and neither logs, warns nor touches global generators.

Departures from SMAC's facade: no racing (every configuration once), one thread, batched prediction,
small trees, sorted starting points (`automl_nas.searchers.smac_parts`); 1,000 instead of 10,000
challengers.
Weights and priors of the space hold where SMAC samples from it, not in the Sobol design.
Source: Lindauer et al. 2022, "SMAC3", JMLR 23; Knowles 2006 (ParEGO), IEEE TEC 10(1).
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.errors import UnknownName, UnsupportedObjectives, UnsupportedSpace
from automl_nas.searchers.base import require_choice, require_unmeasured
from automl_nas.searchers.engines import contained
from automl_nas.settings import require_positive
from automl_nas.types import History, Proposal, Record

_FACADES = ("rf", "parego")
_UNLIMITED = 10**6
"""Trials that SMAC believes it may run; the study's budget decides."""

Values = dict[str, configs.Value]


@dataclass(frozen=True)
class SmacSearcher:
    """SMAC's hyperparameter optimisation facade as a function of the record.

    Raises:
        UnknownName: a facade that is not one of rf, parego.
        UnsupportedSpace: a conditional hyperparameter with a normal or beta prior.
    """

    space: ConfigurationSpace
    """What can be chosen."""
    facade: str = "rf"
    """rf (one metric) or parego (several)."""
    initial: int = 8
    """Size of the Sobol design."""
    batch: int = 4
    """Proposals per fit of the forest."""
    challengers: int = 1000
    """Random candidates per fit, among which local search starts."""

    variant: ClassVar[str] = "facade"
    variants: ClassVar[tuple[str, ...]] = _FACADES
    packages: ClassVar[tuple[str, ...]] = ("ConfigSpace", "scikit-learn", "scipy", "smac")

    def __post_init__(self) -> None:
        configs.check_space(self.space)
        if self.facade not in _FACADES:
            raise UnknownName("SMAC facade", self.facade, _FACADES)
        require_positive(self, "initial", "batch", "challengers")
        require_choice(self.space, self.name)
        for name, hyperparameter in self.space.items():
            prior = configs.prior(hyperparameter)
            if prior not in (None, "weights") and self.space.parents_of[name]:
                raise UnsupportedSpace(
                    f"hyperparameter {name!r} is conditional and has {prior}, which SMAC's forest "
                    "cannot encode: make its prior uniform or its condition unnecessary."
                )

    @property
    def name(self) -> str:
        """`smac:` and the facade."""
        return f"smac:{self.facade}"

    def propose(self, history: History, number: int) -> Proposal:
        """A point of the initial design, or the next ask of the number's block.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
            UnsupportedObjectives: rf with several metrics or parego with one.
        """
        self._check_metrics(len(history.metrics))
        require_unmeasured(self.space, history)
        block, index = divmod(number, self.batch)
        if number < self.initial:
            asks, index = self._initial(history), number
        else:
            asks = self._block(history, block)
        if index < len(asks):
            return Proposal(configs.from_dict(self.space, asks[index]))
        rng = seeds.rng("smac", self.facade, history.seed, number, "fallback")
        return Proposal(configs.sample(self.space, rng), attrs={"fallback": True})

    def _check_metrics(self, count: int) -> None:
        if self.facade == "rf" and count > 1:
            raise UnsupportedObjectives(self.name, "one metric", count, 'use facade="parego".')
        if self.facade == "parego" and count < 2:
            raise UnsupportedObjectives(self.name, "two metrics or more", count, 'use "rf".')

    def _initial(self, history: History) -> list[Values]:
        key = f"{self.name}:initial:{self._digest(history, 'initial')}"
        memory = history.cache.memory
        if key not in memory:
            memory[key] = self._design(seeds.derive("smac", "initial", history.seed))
        asks: list[Values] = memory[key]
        return asks

    def _design(self, seed: int) -> list[Values]:
        """SMAC drops forbidden and repeated points, so there may be fewer than `initial`."""
        with contained(seed, "smac"), tempfile.TemporaryDirectory() as folder:
            from smac import HyperparameterOptimizationFacade as Facade

            scenario = self._scenario(folder, seed, ["loss"])
            design = Facade.get_initial_design(scenario, n_configs=self.initial, max_ratio=1.0)
            return [
                configs.to_dict(configuration) for configuration in design.select_configurations()
            ]

    def _block(self, history: History, block: int) -> list[Values]:
        known = self._known(history, block * self.batch)
        if not any(record.selectable for record in known):
            return []
        told = [
            (configs.to_dict(r.configuration), history.losses(r) if r.selectable else None)
            for r in known
        ]
        slot, key = f"{self.name}:block", self._digest(history, [block, told])
        if history.cache.memory.get(slot, ("", []))[0] != key:
            seed = seeds.derive("smac", self.facade, history.seed, block)
            history.cache.memory[slot] = key, self._asks(told, len(history.metrics), seed)
        asks: list[Values] = history.cache.memory[slot][1]
        return asks

    def _known(self, history: History, below: int) -> list[Record]:
        """Measured or failed records below a number, in order; of repeats the first."""
        first: dict[str, Record] = {}
        for record in sorted(history.records, key=lambda record: record.number):
            usable = record.selectable or (record.status == "failed" and not record.audit)
            known = first.get(record.digest)
            fresh = known is None or not known.selectable
            if record.number < below and record.fidelity is None and usable and fresh:
                first[record.digest] = record
        return list(first.values())

    def _digest(self, history: History, depends: Any) -> str:
        settings = [self.facade, self.initial, self.batch, self.challengers]
        space = configs.space_to_json(self.space)
        parts = [space, settings, len(history.metrics), history.seed, depends]
        return configs.digest({"all": json.dumps(parts)})

    def _scenario(self, folder: str, seed: int, objectives: list[str]) -> Any:
        from smac import Scenario

        return Scenario(
            configs.space_from_json(configs.space_to_json(self.space)),
            name="shadow",
            output_directory=Path(folder),
            deterministic=True,
            objectives=objectives if len(objectives) > 1 else objectives[0],
            n_trials=_UNLIMITED,
            seed=seed,
        )

    def _asks(
        self, told: list[tuple[Values, tuple[float, ...] | None]], metrics: int, seed: int
    ) -> list[Values]:
        """What a fresh facade proposes, given what it is told; fewer than `batch` near the end."""
        worst = [max(column) for column in zip(*(x for _, x in told if x), strict=True)]
        with contained(seed, "smac"), tempfile.TemporaryDirectory() as folder:
            from smac.main.exceptions import ConfigurationSpaceExhaustedException

            scenario = self._scenario(folder, seed, [f"m{i}" for i in range(metrics)])
            facade = self._facade(scenario, len(told))
            for values, losses in told:
                _tell(facade, values, list(losses or worst), failed=losses is None)
            asks: list[Values] = []
            with contextlib.suppress(ConfigurationSpaceExhaustedException):
                while len(asks) < self.batch:
                    asks.append(configs.to_dict(facade.ask().config))
        return asks

    def _facade(self, scenario: Any, records: int) -> Any:
        from smac import HyperparameterOptimizationFacade as Facade
        from smac.multi_objective.parego import ParEGO

        from automl_nas.searchers import smac_parts

        parego = ParEGO(scenario) if self.facade == "parego" else None
        return Facade(
            scenario,
            model=smac_parts.small_forest(scenario, records),
            initial_design=Facade.get_initial_design(scenario, n_configs=0),
            acquisition_maximizer=smac_parts.SortedMaximizer(
                scenario.configspace, challengers=self.challengers, seed=scenario.seed
            ),
            config_selector=smac_parts.BatchedSelector(scenario, retrain_after=self.batch),
            intensifier=smac_parts.OneShot(scenario, max_config_calls=1),
            multi_objective_algorithm=parego,
            logging_level=False,
            overwrite=True,
        )


def _tell(facade: Any, values: Values, losses: list[float], *, failed: bool) -> None:
    from smac.runhistory.dataclasses import TrialInfo, TrialValue
    from smac.runhistory.enumerations import StatusType

    space: ConfigurationSpace = facade.scenario.configspace
    configuration: Configuration = configs.from_dict(space, values)
    status = StatusType.CRASHED if failed else StatusType.SUCCESS
    cost = losses if len(losses) > 1 else losses[0]
    info = TrialInfo(configuration, seed=0)
    facade.tell(info, TrialValue(cost=cost, status=status), save=False)
