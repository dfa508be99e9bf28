"""The studies of the self-test: small spaces, a closed-form objective, small settings.

Which searchers there are is the registry's knowledge; what they need besides a space is offered by
the name of their fields, so a stranger's searcher is tested like a built-in one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ConfigSpace import (
    Categorical,
    Configuration,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    Integer,
)

from automl_nas import Budget, Study, configs, registry, seeds, spelling
from automl_nas.errors import UnknownName
from automl_nas.testing.driver import losses
from automl_nas.testing.spaces import cell_space
from automl_nas.types import Fidelity, Measurement, Metric, Trial

if TYPE_CHECKING:
    from automl_nas.searchers.base import Searcher

TRIALS = 12


def conditional_space() -> ConfigurationSpace:
    """A logarithm, an integer, an ordinal, a condition and a forbidden pair."""
    space = ConfigurationSpace()
    rate, width = Float("rate", (1e-4, 1e-1), log=True), Integer("width", (4, 64))
    kernel = Categorical("kernel", [3, 5, 7], ordered=True)
    optimizer, momentum = Categorical("optimizer", ["sgd", "adam"]), Float("momentum", (0.0, 0.99))
    space.add(rate, width, kernel, optimizer, momentum)
    pair = ForbiddenEqualsClause(kernel, 7), ForbiddenEqualsClause(optimizer, "adam")
    space.add(EqualsCondition(momentum, optimizer, "sgd"), ForbiddenAndConjunction(*pair))
    return space


def numerical_space() -> ConfigurationSpace:
    """A logarithm and an integer."""
    space = ConfigurationSpace()
    space.add(Float("rate", (1e-4, 1e-1), log=True), Integer("width", (4, 64)))
    return space


SPACES: Mapping[str, Callable[[], ConfigurationSpace]] = {
    "conditional": conditional_space,
    "categorical": lambda: cell_space(3, 3),
    "numerical": numerical_space,
}
"""In the order of preference: the first that the searcher can express is used."""
METRICS = (Metric("error"), Metric("score", "max"))
_OWN = {
    "population_size": 4,
    "sample_size": 2,
    "initial": 4,
    "batch": 4,
    "challengers": 50,
    "rounds": 6,
    "candidates": 4,
}
"""Fields of searchers, made small, so that the model and not the start of the search is tested."""
_INNER = {"population_size": 4, "n_startup_trials": 8}
"""The same for engines' own settings."""
_LATE = {"n_startup_trials": TRIALS - 2}
"""Instead, where a model takes seconds for each proposal."""


@dataclass(frozen=True)
class Case:
    """A searcher on a space with some metrics."""

    searcher: str
    space: str
    metrics: int
    late: bool = False
    """Whether the search proper starts later, because it is slow."""

    def study(self, name: str, seed: int, happened: Callable[[str], None]) -> Study:
        """The study, of `TRIALS` trials.

        Raises:
            AutoMLNASError: the searcher cannot express the space, or lacks a package.
        """
        space = SPACES[self.space]()
        return Study(
            space,
            Formula(happened),
            subject(self.searcher, space, {**_INNER, **(_LATE if self.late else {})}),
            budget=Budget(trials=TRIALS),
            optimize=METRICS[: self.metrics],
            seed=seed,
            name=name,
        )


class Formula:
    """Losses that the space's names determine; every ninth configuration or so fails."""

    name: ClassVar[str] = "formula"
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    fidelity: ClassVar[Fidelity] = Fidelity("epochs", 9)
    full_training_flops: ClassVar[float] = 9.0
    packages: ClassVar[tuple[str, ...]] = ()

    def __init__(self, happened: Callable[[str], None]) -> None:
        self._happened = happened

    def __call__(
        self, configuration: Configuration, fidelity: int | None, trial: Trial
    ) -> Measurement:
        """Both metrics; a low fidelity adds to them what epochs would take away."""
        self._happened("run")
        amount = fidelity or self.fidelity.full
        if seeds.derive("fails", configs.digest(configuration)) % 9 == 0:
            raise RuntimeError("does not converge")
        late = math.exp(-amount)
        values = {k: v + late for k, v in losses(configuration, METRICS).items()}
        trial.report(amount, values)
        self._happened("run")
        return Measurement(values, training_flops=float(amount))


def subject(name: str, space: ConfigurationSpace, small: Mapping[str, Any] = _INNER) -> Searcher:
    """The registered searcher with small settings, `small` ones of its engine where it has them."""
    known = getattr(registry.load("searcher", name.partition(":")[0]), "__dataclass_fields__", {})
    offered = {**_OWN, **(_one_shot() if "supernet" in known else {})}
    needed = {key: value for key, value in offered.items() if key in known}
    fields = {key: value for key, value in needed.items() if key not in _OWN}
    for key in _OWN.keys() & needed.keys():
        if _knows(name, space, **fields, **{key: needed[key]}):
            fields[key] = needed[key]
    inner = {
        key: value
        for key, value in small.items()
        if "settings" in known and _knows(name, space, **fields, settings={key: value})
    }
    return spelling.make(spelling.Spelt(name, inner), space, **fields)


def _knows(name: str, space: ConfigurationSpace, **settings: Any) -> bool:
    """Whether the searcher, in this variant, has these settings."""
    try:
        spelling.make(spelling.Spelt(name), space, **settings)
    except UnknownName:
        return False
    return True


def _one_shot() -> dict[str, Any]:
    from automl_nas.oneshot.recipe import OneShotRecipe
    from automl_nas.selftest.supernet import LinearSupernet, Points

    recipe = OneShotRecipe(epochs_per_round=1, batch_size=16, architecture_lr=0.1)
    return {"supernet": LinearSupernet(), "data": Points(), "recipe": recipe}
