"""The objective protocol, and a user's plain function as an objective.

    Study(space, train, searcher, optimize=[Metric("error")], ...)     # def train(configuration)

An objective returns a `Measurement`, a dict of metric values, or one float where it has one metric.
Exceptions and NaN become failed records; a wrong set of metrics is a `MeasurementError`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ConfigSpace import Configuration

from automl_nas.types import Fidelity, Measurement, Metric, Trial

Returned = Measurement | Mapping[str, float] | float


@runtime_checkable
class Objective(Protocol):
    """Measures configurations.

    One with a true attribute `continues` (optional) goes on from what the trial's parent left in
    `trial.parent_folder` and charges only what lies beyond `trial.continued`.
    """

    @property
    def name(self) -> str:
        """What the record and the report call it."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Everything it measures; a study optimises the first unless told otherwise."""

    @property
    def fidelity(self) -> Fidelity | None:
        """What can be measured cheaper, if anything."""

    @property
    def full_training_flops(self) -> float | None:
        """Training FLOPs of one full training, the unit of equivalents; None: no such unit."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions whose versions are part of the study's identity."""

    def __call__(
        self, configuration: Configuration, fidelity: int | None, trial: Trial
    ) -> Returned:
        """Measures at `fidelity` (None: full) with the evaluation seed `trial.seed`."""


@dataclass(frozen=True)
class FunctionObjective:
    """A plain function of (configuration[, fidelity[, trial]]) as an objective."""

    function: Callable[..., Returned]
    metrics: tuple[Metric, ...]
    fidelity: Fidelity | None = None
    full_training_flops: float | None = None
    packages: tuple[str, ...] = ()
    continues: bool = False
    """Whether a trial goes on from its parent's folder and charges the rest alone."""

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def __call__(
        self, configuration: Configuration, fidelity: int | None, trial: Trial
    ) -> Returned:
        """Calls the function with as many arguments as it takes.

        Parameters without a default are filled in order; ones with a default only where they are
        called `fidelity` or `trial`.
        """
        arguments: tuple[Any, ...] = (configuration, fidelity, trial)
        required, named = self._parameters
        given = {"fidelity": fidelity, "trial": trial}
        return self.function(*arguments[:required], **{name: given[name] for name in named})

    @functools.cached_property
    def _parameters(self) -> tuple[int, list[str]]:
        return _parameters_of(self.function)


def _parameters_of(function: Callable[..., Any]) -> tuple[int, list[str]]:
    """How many parameters must be filled in order, and which optional ones are meant for us."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    required = [p.name for p in parameters if p.kind in kinds and p.default is p.empty]
    optional = [p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY]
    named = [name for name in optional if name in ("fidelity", "trial") and name not in required]
    return max(1, min(3, len(required))), named
