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
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from torch import nn

from automl_nas import configs
from automl_nas.errors import SpaceError
from automl_nas.layout import Slot, clause_names, layout
from automl_nas.oneshot.samplers import Sampler
from automl_nas.supernet.mixture import Weights, relaxable

_SCALE = 1e-3
"""Standard deviation of the first logits (DARTS, published code)."""
_TRIED = 1_000_000
"""Partial assignments that `most_probable` tries before it calls the space impossible."""


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
    order. With them, partial assignments are continued from the most probable one on and dropped
    where a clause rules them out (exact best-first search over the hyperparameters that a clause
    can see; the others stay at their argmax). Ties go to the first choice; a probability of zero
    counts as the least that a float can be.

    Raises:
        SpaceError: nothing legal among the 1,000,000 most probable partial assignments.
    """
    seen, slots = _seen_by_clauses(space), list(layout(space).slots.items())
    ranked = [
        _ranked(slot, probabilities[name])[: None if name in seen else 1] for name, slot in slots
    ]
    start = _Partial(0.0, 0, (), {}, np.full(len(slots), np.nan))
    heap = [start]
    for _ in range(_TRIED):
        if not heap:
            break
        partial = heapq.heappop(heap)
        depth = len(partial.ranks)
        if depth == len(slots):
            return configs.from_dict(space, partial.values)
        for longer in _continued(partial, *slots[depth], ranked[depth]):
            heapq.heappush(heap, longer)
    raise SpaceError("no legal configuration found: the forbidden clauses leave (almost) nothing.")


class _Partial(NamedTuple):
    """Choices of the first hyperparameters; its order is that of the search."""

    cost: float
    """-log of the probability, relative to the argmax of each."""
    left: int
    """Minus the number of choices made: of equal ones the longest is continued."""
    ranks: tuple[int, ...]
    """Of the choices among those of their hyperparameter; different in each."""
    values: dict[str, configs.Value]
    vector: configs.Vector


def _continued(
    partial: _Partial, name: str, slot: Slot, ranked: Sequence[tuple[float, configs.Value]]
) -> Iterator[_Partial]:
    """With every choice of the next hyperparameter that no clause settled here rules out."""
    active = not slot.conditions or slot.active(partial.vector)
    for rank, (loss, option) in enumerate(ranked if active else ranked[:1]):
        values, vector = partial.values, partial.vector
        if active:
            values, vector = {**values, name: option}, vector.copy()
            vector[slot.index] = slot.coded(option)
        try:
            slot.refuse_forbidden(vector)
        except ForbiddenValueError:
            continue
        cost = partial.cost + (loss - ranked[0][0])
        yield _Partial(cost, partial.left - 1, (*partial.ranks, rank), values, vector)


def _ranked(slot: Slot, probabilities: Sequence[float]) -> list[tuple[float, configs.Value]]:
    """(-log probability, choice) from the most probable choice down."""
    losses = [-math.log(max(p, sys.float_info.min)) for p in probabilities]
    return sorted(zip(losses, slot.options or (), strict=True), key=lambda pair: pair[0])


def _seen_by_clauses(space: ConfigurationSpace) -> set[str]:
    """Hyperparameters of forbidden clauses and whatever their activity depends on."""
    found: set[str] = set()
    stack = [name for clause in space.forbidden_clauses for name in clause_names(clause)]
    while stack:
        if (name := stack.pop()) not in found:
            found.add(name)
            stack += [parent.name for parent in space.parents_of[name]]
    return found
