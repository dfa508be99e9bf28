"""Spaces, a cheap objective and a searcher that costs nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

from automl_nas import Metric, Proposal, configs, seeds
from automl_nas.testing import cell_space

METRICS = (Metric("loss"), Metric("size"))


def mixed_space():
    """Twenty parameters: eight floats (three logarithmic), six integers, six choices."""
    space = ConfigurationSpace()
    space.add([Float(f"f{i}", (1e-4, 1.0), log=i < 3) for i in range(8)])
    space.add([Integer(f"i{i}", (1, 256), log=i < 2) for i in range(6)])
    space.add([Categorical(f"c{i}", ["a", "b", "c", "d"]) for i in range(6)])
    return space


SPACES = {"mixed": mixed_space, "cell": cell_space}


def values(configuration):
    """Cheap and deterministic."""
    vector = configuration.get_array()
    return {"loss": float(((vector - 0.3) ** 2).sum()), "size": float(vector.sum())}


def clock(call):
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def draw(space, number):
    return configs.sample(space, seeds.rng("overhead", number))


@dataclass(frozen=True)
class Prepared:
    """Hands out the configurations in POOL."""

    space: ConfigurationSpace
    count: int

    name: ClassVar[str] = "prepared"
    packages: ClassVar[tuple[str, ...]] = ()

    def propose(self, _history, number):
        return Proposal(POOL[number])


POOL = []
