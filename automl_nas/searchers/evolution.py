"""Regularized (ageing) evolution: mutate the best of a few random members of the youngest ones.

    EvolutionSearcher(space, population_size=50, sample_size=10)

The population is the last `population_size` learnable records in order of completion, whoever
proposed them: until there are as many, configurations are random; afterwards the parent is the best
of `sample_size` members drawn with replacement and the child differs by one mutation.
Source: Real et al. 2019, "Regularized evolution for image classifier architecture search", AAAI,
algorithm 1; defaults of NASLib.

Departures: with several metrics "best" means non-domination rank, then crowding distance (Deb et
al. 2002), as the paper has one; a parent whose every mutation is forbidden is answered with a
random configuration instead of searching for ever.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.errors import SpaceError
from automl_nas.searchers.base import best_first, require_unmeasured
from automl_nas.settings import require_positive
from automl_nas.types import History, Proposal, Record


@dataclass(frozen=True)
class EvolutionSearcher:
    """Ageing evolution over the completed records."""

    space: ConfigurationSpace
    """What can be chosen."""
    population_size: int = 50
    """How many of the youngest records may become parents."""
    sample_size: int = 10
    """How many draws, with replacement, compete for being the parent."""

    name: ClassVar[str] = "regularized-evolution"
    packages: ClassVar[tuple[str, ...]] = ("ConfigSpace",)

    def __post_init__(self) -> None:
        configs.check_space(self.space)
        require_positive(self, "population_size", "sample_size")

    @property
    def startup(self) -> int:
        """A population."""
        return self.population_size

    def propose(self, history: History, number: int) -> Proposal:
        """A random configuration, or a mutation of the parent.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
        """
        require_unmeasured(self.space, history)
        rng = seeds.rng(self.name, history.seed, number)
        youngest = (record for record in reversed(history.records) if record.selectable)
        population = [*itertools.islice(youngest, self.population_size)][::-1]
        if len(population) < self.population_size:
            return Proposal(configs.sample(self.space, rng))
        parent = self._parent(history, population, rng)
        return Proposal(self._child(parent, rng), attrs={"parent": parent.number})

    def _parent(self, history: History, population: list[Record], rng: configs.Generator) -> Record:
        draws = rng.randint(len(population), size=self.sample_size)
        return best_first(history, [population[i] for i in dict.fromkeys(draws.tolist())])[0]

    def _child(self, parent: Record, rng: configs.Generator) -> Configuration:
        try:
            return configs.mutate(configs.adopt(self.space, parent.configuration), rng)
        except SpaceError:
            return configs.sample(self.space, rng)
