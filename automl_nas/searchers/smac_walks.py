"""SMAC's local search, walk by walk: the same walks and random numbers, a third of the time.

Imports SMAC at once (two seconds): import this module inside functions only.

SMAC 2.4.1 translates the changed value of each of some 30,000 neighbours of a search, though only
categorical, ordinal and small integer hyperparameters are looked up, and keeps the state of all
walks in parallel lists. Here a `_Walk` has its own state and values are translated once.

SMAC takes its starting points from a set of configurations, whose order differs between processes;
here they come in the order of their digests.

SMAC 2.4.1 takes only neighbours that differ in one entry of the vector. Inactive entries are NaN,
which differs from NaN, so that a configuration with an inactive hyperparameter has none: it is
evaluated but never left. With `conditional=True` NaN equals NaN, and neighbours that activate or
deactivate others count too.
Source: `smac.acquisition.maximizer.local_search` 2.4.1; Hutter et al. 2011, LION 5.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ConfigSpace import Configuration
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    OrdinalHyperparameter,
    UniformIntegerHyperparameter,
)
from ConfigSpace.util import get_one_exchange_neighbourhood
from smac.acquisition.maximizer import LocalAndSortedRandomSearch
from smac.acquisition.maximizer.local_search import LocalSearch

from automl_nas import configs

_NEIGHBOURS = 8
"""Of a number, in each neighbourhood."""
_TRACKED_SIZE = 100
"""Integers with more values are not tracked."""


class _Space:
    """What all walks share: values of tracked entries of the vector, translated once."""

    def __init__(self, space: Any, *, conditional: bool) -> None:
        self.conditional = conditional
        self.tracked = {
            i: functools.cache(hyperparameter.to_value)
            for i, hyperparameter in enumerate(space.values())
            if _tracked(hyperparameter)
        }

    def changed(self, new: Any, old: Any) -> int | None:
        """Index of the hyperparameter that was changed; None: not a neighbour."""
        differs = new != old
        if self.conditional:
            differs &= ~(np.isnan(new) & np.isnan(old))
        indices = differs.nonzero()[0]
        alone = len(indices) == 1 or (self.conditional and len(indices) > 1)
        return int(indices[0]) if alone else None


def _tracked(hyperparameter: Any) -> bool:
    if isinstance(hyperparameter, UniformIntegerHyperparameter):
        return bool(hyperparameter.size <= _TRACKED_SIZE)
    return isinstance(hyperparameter, CategoricalHyperparameter | OrdinalHyperparameter)


class _Walk:
    """One local search: where it stands, its neighbourhood and its patience."""

    def __init__(self, search: LocalSearch, space: _Space, start: Any, value: float) -> None:
        self.search, self.space = search, space
        self.place, self.value = start, value
        self.deviation = search._stdev_init
        self.obtain = search._vectorization_min_obtain
        self.active, self.plateau, self.streak = True, 0, 0
        self.equal: list[Configuration] = []
        self.visited: dict[int, set[Any]] = {i: set() for i in space.tracked}
        self._surround()

    def _surround(self) -> None:
        seed = self.search._rng.randint(low=0, high=100000)
        self.neighbours: Iterator[Configuration] = get_one_exchange_neighbourhood(
            self.place, seed=seed, stdev=self.deviation, num_neighbors=_NEIGHBOURS
        )

    def collect(self) -> list[Configuration]:
        """The next new neighbours, `obtain` of them at most."""
        found: list[Configuration] = []
        self.exhausted = False
        here = self.place.get_array()
        for _ in range(self.obtain):
            try:
                neighbour = next(self.neighbours)
            except ValueError:
                self.exhausted = True
                continue
            except StopIteration:
                self.exhausted = True
                self.obtain = len(found)
                break
            if self._is_new(neighbour.get_array(), here):
                found.append(neighbour)
        return found

    def _is_new(self, vector: Any, here: Any) -> bool:
        index = self.space.changed(vector, here)
        if index not in self.visited:
            return index is not None
        value = self.space.tracked[index](vector[index])
        fresh = value not in self.visited[index]
        self.visited[index].add(value)
        return fresh

    def judge(self, neighbours: Sequence[Configuration], values: Sequence[float]) -> None:
        """Moves to the first better neighbour, and surrounds or ends the walk as that went."""
        improved = False
        for neighbour, value in zip(neighbours, values, strict=True):
            if value > self.value and _valid(neighbour):
                self._move(neighbour)
                self.value, self.equal, self.obtain, improved = value, [], 1, True
                break
            if value == self.value:
                self.equal.append(neighbour)
        widened = min(self.obtain * 2, self.search._vectorization_max_obtain)
        self.obtain = 2 if improved or self.obtain == 0 else widened
        if improved or self.exhausted:
            self._turn(improved=improved)

    def _move(self, place: Configuration) -> None:
        self.place = place
        for seen in self.visited.values():
            seen.clear()

    def _turn(self, *, improved: bool) -> None:
        self._widen(improved=improved)
        patience = self.search._n_steps_plateau_walk
        if not improved and self.plateau < patience:
            self._stay()
        if self.plateau >= patience:
            self.active = False
        else:
            self._surround()

    def _widen(self, *, improved: bool) -> None:
        search = self.search
        self.streak = self.streak + 1 if improved else 0
        if self.streak >= search._upscale_thresh and self.plateau == 0:
            largest = search._stdev_max
            if largest is None:
                largest = search._stdev_init * np.power(2, search._downscale_interval)
            self.deviation, self.streak = min(self.deviation * 2, largest), 0

    def _stay(self) -> None:
        """A step of the plateau: to a neighbour of equal value, with a smaller radius at times."""
        if self.equal:
            self._move(self.equal[0])
            self.equal = []
        self.plateau += 1
        if self.plateau % self.search._downscale_interval == 0:
            self.deviation = max(self.deviation * 0.5, self.search._stdev_min)


def _valid(configuration: Configuration) -> bool:
    try:
        configuration.check_valid_configuration()
    except ValueError:
        return False
    return True


class Walks(LocalSearch):
    """`LocalSearch` with `_Walk`s, started in the order of the points' digests."""

    conditional = False

    def _get_init_points_from_previous_configs(
        self, *args: Any, **kwargs: Any
    ) -> list[Configuration]:
        points = super()._get_init_points_from_previous_configs(*args, **kwargs)
        return sorted(points, key=configs.digest)

    def _search(self, start_points: list[Configuration]) -> list[tuple[float, Configuration]]:
        """Acquisition value and configuration where each walk ended."""
        acquisition: Any = self._acquisition_function
        spaces = {id(start.config_space): start.config_space for start in start_points}
        shared = {key: _Space(s, conditional=self.conditional) for key, s in spaces.items()}
        values = acquisition(start_points)[:, 0].tolist()
        walks = [
            _Walk(self, shared[id(start.config_space)], start, value)
            for start, value in zip(start_points, values, strict=True)
        ]
        running = walks
        while running:
            found = [walk.collect() for walk in running]
            together = [neighbour for neighbours in found for neighbour in neighbours]
            acquired = iter(acquisition(together)[:, 0].tolist() if together else [])
            for walk, neighbours in zip(running, found, strict=True):
                walk.judge(neighbours, [next(acquired) for _ in neighbours])
            running = [walk for walk in running if walk.active]
        return [(walk.value, walk.place) for walk in walks]


class Maximizer(LocalAndSortedRandomSearch):
    """The facades' own acquisition maximizer with `Walks` inside.

    Where `uniform` is given, half of the random candidates come from it: SMAC's own way for spaces
    with priors.
    """

    def __init__(
        self, space: Any, *, uniform: Any, challengers: int, seed: int, conditional: bool
    ) -> None:
        super().__init__(
            space,
            challengers=challengers,
            local_search_iterations=10,
            seed=seed,
            uniform_configspace=uniform,
        )
        self._local_search = Walks(space, seed=seed)
        self._local_search.conditional = conditional
