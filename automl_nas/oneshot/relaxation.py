"""Architecture parameters: logits for each hyperparameter, and the way back to a configuration.

    relaxation = Relaxation(space)                     # logits 0.001 x N(0, 1), as in DARTS
    mixture = relaxation.sample(sampler, progress=0.5) # Weights for every hyperparameter
    relaxation.mode(sampler)                           # the most probable legal configuration

All hyperparameters get weights, also those that a condition may switch off: a supernet decides what
an absent part means, `mode` drops them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from ConfigSpace import Configuration, ConfigurationSpace
from torch import nn

from automl_nas import configs
from automl_nas.errors import SpaceError
from automl_nas.layout import clause_names
from automl_nas.oneshot.samplers import Sampler
from automl_nas.supernet.mixture import Weights, relaxable

_SCALE = 1e-3
"""Standard deviation of the first logits (DARTS, published code)."""
_TRIED = 1_000_000
"""Assignments that `most_probable` tries before it calls the space impossible."""


class Relaxation(nn.Module):
    """The logits of a finite space; drawn from torch's current generator.

    Raises:
        UnsupportedSpace: a hyperparameter is numeric.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        super().__init__()
        self.space = space
        sizes = relaxable(space)
        self.names = tuple(sizes)
        self.logits = nn.ParameterList(_SCALE * torch.randn(size) for size in sizes.values())

    def sample(self, sampler: Sampler, progress: float) -> dict[str, Weights]:
        """One draw of the mixture, differentiable in the logits where the sampler learns."""
        return {
            name: sampler.draw(logits, progress)
            for name, logits in zip(self.names, self.logits, strict=True)
        }

    def probabilities(self, sampler: Sampler) -> dict[str, list[float]]:
        """Hyperparameter -> probability of each choice, as the sampler reads the logits."""
        with torch.no_grad():
            return {
                name: sampler.probabilities(logits.double()).tolist()
                for name, logits in zip(self.names, self.logits, strict=True)
            }

    def mode(self, sampler: Sampler) -> Configuration:
        """The most probable legal configuration, see `most_probable`."""
        return most_probable(self.space, self.probabilities(sampler))


def most_probable(
    space: ConfigurationSpace, probabilities: Mapping[str, Sequence[float]]
) -> Configuration:
    """The legal configuration of the most probable assignment, hyperparameters being independent.

    An assignment gives every hyperparameter a choice; those that its conditions switch off are then
    dropped. Without forbidden clauses this is each active hyperparameter's argmax, in topological
    order. With them, assignments are tried from the most probable down (exact best-first search
    over the hyperparameters that a clause can see; the others stay at their argmax). Ties go to the
    first choice.

    Raises:
        SpaceError: nothing legal among the 1,000,000 most probable assignments.
    """
    ranked = {name: _ranked(space, name, probabilities[name]) for name in space}
    seen = sorted(_seen_by_clauses(space), key=list(space).index)
    best = {name: options[0][1] for name, options in ranked.items()}
    losses = [[loss for loss, _ in ranked[name]] for name in seen]
    for _, ranks in zip(range(_TRIED), _cheapest_first(losses), strict=False):
        values = {n: ranked[n][rank][1] for n, rank in zip(seen, ranks, strict=True)}
        full = best | values
        configuration = configs.legal(space, configs.define_by_run(space, full.__getitem__))
        if configuration is not None:
            return configuration
    raise SpaceError("no legal configuration found: the forbidden clauses leave (almost) nothing.")


def _ranked(
    space: ConfigurationSpace, name: str, probabilities: Sequence[float]
) -> list[tuple[float, Any]]:
    """(-log probability, choice) from the most probable choice down."""
    options = configs.choices(space[name]) or ()
    losses = [-math.log(p) if p > 0 else math.inf for p in probabilities]
    return sorted(zip(losses, options, strict=True), key=lambda pair: pair[0])


def _seen_by_clauses(space: ConfigurationSpace) -> set[str]:
    """Hyperparameters of forbidden clauses and whatever their activity depends on."""
    found: set[str] = set()
    stack = [name for clause in space.forbidden_clauses for name in clause_names(clause)]
    while stack:
        if (name := stack.pop()) not in found:
            found.add(name)
            stack += [parent.name for parent in space.parents_of[name]]
    return found


def _cheapest_first(losses: Sequence[Sequence[float]]) -> Iterator[tuple[int, ...]]:
    """Index tuples by ascending sum of losses, each once; every list of losses is ascending.

    A tuple's only parent is the tuple with its last non-zero index lowered by one, which costs no
    more, so a heap of children yields everything in order.
    """
    start = (0,) * len(losses)
    heap = [(0.0, start)]
    while heap:
        _, ranks = heapq.heappop(heap)
        yield ranks
        last = max((i for i, rank in enumerate(ranks) if rank), default=0)
        for i in range(last, len(losses)):
            if ranks[i] + 1 < len(losses[i]):
                child = (*ranks[:i], ranks[i] + 1, *ranks[i + 1 :])
                cost = sum(c[rank] - c[0] for c, rank in zip(losses, child, strict=True))
                heapq.heappush(heap, (cost, child))
