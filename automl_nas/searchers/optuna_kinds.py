"""What has to be known about each of Optuna's samplers: encoding, memory, constraints.

No import of Optuna: the names are also listed where nothing is searched.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """How a sampler is asked and what of the record it is shown."""

    sampler: str
    """Class in `optuna.samplers`."""
    flat: bool = False
    """Whether it is asked for genomes: it models the parameters that all trials share."""
    learns: bool = True
    """Whether it looks at earlier trials."""
    lies: bool = False
    """Whether pending trials enter as COMPLETE with the worst loss so far instead of as RUNNING:
    GP would take a minute to condition on three of those."""
    constrained: bool = False
    """Whether constraints may be given: it learns what is infeasible, or it learns nothing."""
    one_metric: bool = False
    numeric: bool = False
    """Whether categorical hyperparameters would be left to chance."""
    exhaustive: bool = False
    """Whether it tries every configuration of a finite space."""


KINDS = {
    "tpe": Kind("TPESampler", constrained=True),
    "nsga2": Kind("NSGAIISampler", flat=True, constrained=True),
    "nsga3": Kind("NSGAIIISampler", flat=True, constrained=True),
    "gp": Kind("GPSampler", flat=True, lies=True, constrained=True),
    "cmaes": Kind("CmaEsSampler", flat=True, one_metric=True, numeric=True),
    "qmc": Kind("QMCSampler", flat=True, learns=False, constrained=True),
    "brute-force": Kind("BruteForceSampler", exhaustive=True, constrained=True),
    "random": Kind("RandomSampler", learns=False, constrained=True),
}
"""Samplers that are made from their name and settings."""
GRID = Kind("GridSampler", constrained=True)
"""Given as an instance only: the values of the grid are the user's."""
