"""Random search: independent draws from the space's own priors.

    RandomSearcher(space)

The draw for trial n depends on the study seed and n alone: nothing is learned, and a resumed or
parallel study draws the same configurations.
Source: Bergstra and Bengio 2012, "Random search for hyper-parameter optimization", JMLR 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ConfigSpace import ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.searchers.base import require_unmeasured
from automl_nas.types import History, Proposal


@dataclass(frozen=True)
class RandomSearcher:
    """Draws every configuration from the space's priors, given conditions and forbidden clauses."""

    space: ConfigurationSpace
    """What can be chosen."""

    name: ClassVar[str] = "random"
    packages: ClassVar[tuple[str, ...]] = ("ConfigSpace",)

    def __post_init__(self) -> None:
        configs.check_space(self.space)

    def propose(self, history: History, number: int) -> Proposal:
        """The draw for trial `number`.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
        """
        require_unmeasured(self.space, history)
        return Proposal(configs.sample(self.space, seeds.rng(self.name, history.seed, number)))
