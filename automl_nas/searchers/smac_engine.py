"""SMAC put together from its own parts for one fit: what a fresh facade would propose.

Imports SMAC at once (two seconds): import this module inside functions only.

A facade wires parts, writes to a folder and races; here the same parts are wired, seeded as the
facade seeds them, and the selector is asked directly.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import smac
from ConfigSpace import Configuration
from smac import Scenario
from smac.main.exceptions import ConfigurationSpaceExhaustedException
from smac.multi_objective.parego import ParEGO

from automl_nas import configs
from automl_nas.searchers.smac_gp import Process
from automl_nas.searchers.smac_kinds import KINDS, has_priors, uniform
from automl_nas.searchers.smac_parts import Finished, Forest, Selector
from automl_nas.searchers.smac_priors import Belief
from automl_nas.searchers.smac_walks import Maximizer

if TYPE_CHECKING:
    from automl_nas.searchers.from_smac import SmacSearcher, Told

_UNLIMITED = 10**6
"""Trials that SMAC believes it may run; the study's budget decides."""
_PATIENCE = 20
"""Asks per proposal, illegal ones included, before the rest of the batch is drawn at random."""
_TREES, _RESTARTS = 10, 10
Values = dict[str, configs.Value]


class Shadow:
    """SMAC's own copies of a space, and the vectors of the configurations that it was told.

    Holds nothing that proposals depend on: spaces are seeded anew for each fit.
    """

    def __init__(self, space_json: str) -> None:
        self.space = configs.space_from_json(space_json)
        self.uniform = uniform(space_json) if has_priors(self.space) else self.space
        self._vectors: dict[str, Any] = {}

    def configuration(self, digest: str, original: Configuration) -> Configuration:
        """The configuration as a member of `space`, by way of its values."""
        if digest not in self._vectors:
            copy = configs.from_dict(self.space, configs.to_dict(original))
            self._vectors[digest] = copy.get_array()
        return Configuration(self.space, vector=self._vectors[digest].copy())

    def scenario(self, seed: int, metrics: int, *, plain: bool = False) -> Any:
        """On the space, or (plain) on its uniform copy, seeded."""
        space = self.uniform if plain else self.space
        space.seed(seed)
        return Scenario(
            space,
            name="shadow",
            deterministic=True,
            objectives="loss" if metrics == 1 else [f"m{i}" for i in range(metrics)],
            n_trials=_UNLIMITED,
            seed=seed,
        )


def sobol(recipe: SmacSearcher, shadow: Shadow, seed: int) -> list[Values]:
    """SMAC drops forbidden and repeated points, so there may be fewer than `recipe.initial`."""
    from smac.initial_design.sobol_design import SobolInitialDesign

    scenario = shadow.scenario(seed, 1)
    design = SobolInitialDesign(scenario, n_configs=recipe.initial, max_ratio=1.0)
    return _legal(recipe, design.select_configurations())


def ask(
    recipe: SmacSearcher,
    shadow: Shadow,
    told: Told,
    metrics: int,
    seed: int,
) -> list[Values]:
    """`recipe.batch` proposals after one fit; fewer where the space is almost exhausted."""
    digests, costs = zip(*told.lessons, strict=True)
    pairs = zip(digests, told.configurations, strict=True)
    history = Finished(metrics)
    history.tell(digests, [shadow.configuration(*pair) for pair in pairs], costs)
    scenario = shadow.scenario(seed, metrics)
    model = _model(recipe, shadow.scenario(seed, metrics, plain=True))
    selector = _selector(recipe, shadow, scenario, model, history)
    asks: list[Values] = []
    with contextlib.suppress(ConfigurationSpaceExhaustedException):
        for configuration in itertools.islice(selector, _PATIENCE * recipe.batch):
            asks += _legal(recipe, [configuration])
            if len(asks) == recipe.batch:
                break
    return asks


def _legal(recipe: SmacSearcher, drawn: Iterable[Configuration]) -> list[Values]:
    """Without what ConfigSpace 1.2 samples though a clause inside an or-clause forbids it."""
    values = map(configs.to_dict, drawn)
    return [each for each in values if configs.legal(recipe.space, each) is not None]


def _selector(
    recipe: SmacSearcher, shadow: Shadow, scenario: Any, model: Any, history: Finished
) -> Selector:
    """The facade's parts, wired and seeded as `AbstractFacade` does."""
    facade: Any = getattr(smac, KINDS[recipe.facade].facade)
    acquisition = _acquisition(recipe, shadow, scenario)
    maximizer = _maximizer(recipe, shadow, scenario)
    maximizer.acquisition_function = acquisition
    acquisition.model = model
    encoder = facade.get_runhistory_encoder(scenario)
    encoder.runhistory = history
    if KINDS[recipe.facade].several:
        encoder.multi_objective_algorithm = ParEGO(scenario)
    chance = {} if recipe.interleave is None else {"probability": recipe.interleave}
    selector = Selector(scenario, retrain_after=recipe.batch)
    selector._set_components(
        initial_design=_NoDesign(),  # type: ignore[arg-type]
        runhistory=history,
        runhistory_encoder=encoder,
        model=model,
        acquisition_maximizer=maximizer,
        acquisition_function=acquisition,
        random_design=facade.get_random_design(scenario, **chance),
    )
    return selector


class _NoDesign:
    def select_configurations(self) -> list[Configuration]:
        return []


def _model(recipe: SmacSearcher, scenario: Any) -> Any:
    """The facade's own model, with its settings in SMAC 2.4.1."""
    space, seed = scenario.configspace, scenario.seed
    if KINDS[recipe.facade].process:
        kernel = smac.BlackBoxFacade.get_kernel(scenario)
        return Process(space, kernel, n_restarts=recipe.restarts or _RESTARTS, seed=seed)
    trees = recipe.trees or _TREES
    if recipe.facade == "ac":
        return Forest(space, n_trees=trees, max_depth=20, seed=seed)
    split: dict[str, Any] = {"ratio_features": 1.0, "min_samples_split": 2, "min_samples_leaf": 1}
    return Forest(space, n_trees=trees, log_y=True, seed=seed, **split)


def _acquisition(recipe: SmacSearcher, shadow: Shadow, scenario: Any) -> Any:
    facade: Any = getattr(smac, KINDS[recipe.facade].facade)
    improvement = facade.get_acquisition_function(scenario, xi=recipe.xi)
    if shadow.uniform is shadow.space or not recipe.prior_decay:
        return improvement
    return Belief(
        improvement,
        shadow.space,
        decay=recipe.prior_decay,
        initial=recipe.designed,
        forest=not KINDS[recipe.facade].process,
    )


def _maximizer(recipe: SmacSearcher, shadow: Shadow, scenario: Any) -> Maximizer:
    return Maximizer(
        shadow.space,
        uniform=None if shadow.uniform is shadow.space else shadow.uniform,
        challengers=recipe.challengers,
        seed=scenario.seed,
        conditional=recipe.conditional_walks,
    )
