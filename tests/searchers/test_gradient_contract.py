"""Gradient searchers hold the same contract as all others, on the space of a toy supernet."""

from typing import ClassVar

from automl_nas.testing import SearcherContract, nasty_space
from tests.oneshot import toy
from tests.searchers.gradient_runs import searcher


class Gradient(SearcherContract):
    spaces: ClassVar = {"nasty": nasty_space, "toy": toy.space}
    sampler = ""

    def make(self, space):
        return searcher(self.sampler, space=space)


class TestDarts(Gradient):
    sampler = "darts"


class TestDrnas(Gradient):
    sampler = "drnas"


class TestGdas(Gradient):
    sampler = "gdas"


class TestUniform(Gradient):
    sampler = "uniform"
