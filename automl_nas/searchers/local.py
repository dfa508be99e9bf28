"""Local search: measure neighbours of the best configuration, move on at once, restart when stuck.

    LocalSearcher(space, initial=10)

A function of the record: after `initial` learnable records (random ones) the centre is the best
record since the last restart, and the proposal is its first neighbour that nobody has measured, in
an order shuffled by study seed and centre. A better record becomes the centre by itself
(first improvement). When no neighbour is left, the search restarts at a random unmeasured
configuration and marks it with `attrs["restart"]`.
Source: White et al. 2021, "Exploring the loss landscape in neural architecture search", UAI;
procedure of NASLib.

Departures: with several metrics every record on the front since the restart is a centre, widest
crowding first (Pareto local search, Paquete et al. 2004), since one point of a front is no optimum;
a number has four random neighbours, drawn once per centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.searchers.base import centres, measured, require_unmeasured, selectable
from automl_nas.settings import require_positive
from automl_nas.types import History, Proposal, Record

_DRAWS = 100
"""Draws in search of an unmeasured restart; then a measured one has to do."""


@dataclass(frozen=True)
class LocalSearcher:
    """First-improvement local search with random restarts."""

    space: ConfigurationSpace
    """What can be chosen."""
    initial: int = 10
    """Learnable records, random where nobody has made them, before the first centre is chosen."""

    name: ClassVar[str] = "local-search"
    packages: ClassVar[tuple[str, ...]] = ("ConfigSpace",)

    def __post_init__(self) -> None:
        configs.check_space(self.space)
        require_positive(self, "initial")

    @property
    def startup(self) -> int:
        """Random records before the first centre."""
        return self.initial

    def propose(self, history: History, number: int) -> Proposal:
        """A random configuration, an unmeasured neighbour of the centre, or a restart.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
        """
        require_unmeasured(self.space, history)
        rng = seeds.rng(self.name, history.seed, number)
        if len(selectable(history)) < self.initial:
            return Proposal(configs.sample(self.space, rng))
        taken = measured(history) | {record.digest for record in history.pending}
        for centre in self._centres(history):
            for neighbour in self._neighbours(history, centre):
                if configs.digest(neighbour) not in taken:
                    return Proposal(neighbour, attrs={"centre": centre.number})
        return Proposal(self._restart(taken, rng), attrs={"restart": True})

    def _centres(self, history: History) -> list[Record]:
        """The best record since the last restart; with several metrics the front, best first."""
        begin = 0
        for index, record in enumerate(history.records):
            if record.searcher == self.name and record.attrs.get("restart"):
                begin = index
        since = [record for record in history.records[begin:] if record.selectable]
        ranked = centres(history, since)
        return ranked[:1] if len(history.metrics) == 1 else ranked

    def _neighbours(self, history: History, centre: Record) -> list[Configuration]:
        rng = seeds.rng(self.name, "centre", history.seed, centre.digest)
        found = list(configs.neighbours(configs.adopt(self.space, centre.configuration), rng))
        return [found[index] for index in rng.permutation(len(found))]

    def _restart(self, taken: set[str], rng: configs.Generator) -> Configuration:
        for _ in range(_DRAWS):
            configuration = configs.sample(self.space, rng)
            if configs.digest(configuration) not in taken:
                break
        return configuration
