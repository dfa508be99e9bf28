"""Halving around every kind of searcher keeps the contract of a searcher."""

from typing import ClassVar

import pytest

from automl_nas.searchers import (
    EvolutionSearcher,
    HalvingSearcher,
    LocalSearcher,
    OptunaSearcher,
    RandomSearcher,
    SmacSearcher,
    SyneTuneSearcher,
)
from automl_nas.testing import SearcherContract, cell_space, nasty_space, tiny_space
from automl_nas.types import Fidelity, Metric

TWO = (Metric("loss"), Metric("accuracy", "max"))


class HalvingContract(SearcherContract):
    fidelity = Fidelity("epochs", 9)
    learns_from_low_fidelity = True
    budget = 36
    scheme = "asha"

    def inner(self, space):
        raise NotImplementedError

    def make(self, space):
        return HalvingSearcher(self.inner(space), scheme=self.scheme)


class TestAshaRandom(HalvingContract):
    def inner(self, space):
        return RandomSearcher(space)


class TestAshaEvolution(HalvingContract):
    def inner(self, space):
        return EvolutionSearcher(space, population_size=8, sample_size=3)


class TestAshaLocal(HalvingContract):
    def inner(self, space):
        return LocalSearcher(space, initial=4)


class TestAshaTpe(HalvingContract):
    def inner(self, space):
        return OptunaSearcher(space, "tpe", {"n_startup_trials": 5})


class TestAshaNsga2(HalvingContract):
    metrics = TWO

    def inner(self, space):
        return OptunaSearcher(space, "nsga2", {"population_size": 6})


class TestAshaSyneTune(HalvingContract):
    metrics = TWO

    def inner(self, space):
        return SyneTuneSearcher(space, "mo-rea", population_size=6, sample_size=3)


@pytest.mark.slow
class TestAshaSmac(HalvingContract):
    spaces: ClassVar = {"cell": cell_space, "nasty": nasty_space, "tiny": tiny_space}
    budget = 24

    def inner(self, space):
        return SmacSearcher(space, "rf", initial=5)


class TestHyperbandRandom(TestAshaRandom):
    scheme = "hyperband"


class TestHyperbandTpe(TestAshaTpe):
    scheme = "hyperband"


class TestSynchronousHalvingRandom(TestAshaRandom):
    scheme = "synchronous-halving"


class TestSynchronousHyperbandTpe(TestAshaTpe):
    scheme = "synchronous-hyperband"
