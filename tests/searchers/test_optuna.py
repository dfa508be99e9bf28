import logging
import warnings
from typing import ClassVar

import ConfigSpace as cs
import optuna
import pytest

from automl_nas import configs
from automl_nas.errors import UnknownName, UnsupportedSpace
from automl_nas.searchers.from_optuna import OptunaSearcher
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import SearcherContract, cell_space, drive, nasty_space, tiny_space
from automl_nas.types import History, Metric

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))


class TestTpe(SearcherContract):
    def make(self, space):
        return OptunaSearcher(space, "tpe", {"n_startup_trials": 5})


class TestTpeWithTwoMetrics(TestTpe):
    metrics = TWO


class TestNsga2(SearcherContract):
    metrics = TWO

    def make(self, space):
        return OptunaSearcher(space, "nsga2", {"population_size": 6})


class TestNsga3(SearcherContract):
    metrics = TWO

    def make(self, space):
        return OptunaSearcher(space, "nsga3", {"population_size": 6})


class TestQmc(SearcherContract):
    def make(self, space):
        return OptunaSearcher(space, "qmc")


class TestOptunaRandom(SearcherContract):
    def make(self, space):
        return OptunaSearcher(space, "random")


@pytest.mark.slow
class TestGp(SearcherContract):
    spaces: ClassVar = {"cell": cell_space, "tiny": tiny_space}
    budget = 8

    def make(self, space):
        return OptunaSearcher(space, "gp", {"n_startup_trials": 5})


def test_nsga_continues_its_generations():
    space = nasty_space()
    searcher = OptunaSearcher(space, "nsga2", {"population_size": 8})
    history = drive(searcher, space, TWO, 50, seed=0)
    key = "NSGAIISampler:generation"
    generations = [record.attrs["system"][key] for record in history.records]
    assert generations == sorted(generations)
    assert generations[-1] >= 4
    for generation in range(generations[-1]):
        members = [g for g, r in zip(generations, history.records, strict=True) if r.selectable]
        assert members.count(generation) == 8


def test_nsga2_learns_from_records_of_others():
    space = cell_space()
    others = drive(RandomSearcher(space), space, TWO, 30, seed=0)
    proposal = OptunaSearcher(space, "nsga2", {"population_size": 10}).propose(others, 30)
    assert proposal.attrs["system"] == {"NSGAIISampler:generation": 1}


def test_inactive_genes_are_kept_and_agree_with_the_configuration():
    space = nasty_space()
    history = drive(OptunaSearcher(space, "nsga2", {"population_size": 5}), space, TWO, 20, 0)
    for record in history.records:
        genes = record.attrs["flat"]
        assert set(genes) == set(space)
        assert configs.to_dict(record.configuration).items() <= genes.items()


def forbidding_space():
    space = cs.ConfigurationSpace()
    a, b = cs.Categorical("a", [0, 1, 2, 3]), cs.Categorical("b", [0, 1, 2, 3])
    space.add(a, b)
    for i in (1, 2, 3):
        others = [j for j in range(4) if j != i]
        space.add(
            cs.ForbiddenAndConjunction(
                cs.ForbiddenEqualsClause(a, i), cs.ForbiddenInClause(b, others)
            )
        )
    return space


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3", "qmc", "random"])
def test_forbidden_draws_are_never_proposed(sampler):
    space = forbidding_space()
    history = drive(OptunaSearcher(space, sampler), space, ONE, 30, seed=0)
    for record in history.records:
        a, b = record.configuration["a"], record.configuration["b"]
        assert a in (0, b)
        assert "fallback" not in record.attrs


def test_tpe_beats_random_search():
    space = cell_space()
    best = {}
    for searcher in (OptunaSearcher(space, "tpe"), RandomSearcher(space)):
        found = drive(searcher, space, ONE, 60, seed=1)
        best[searcher.name] = min(found.losses(record)[0] for record in found.selectable())
    assert best["optuna:tpe"] < best["random"]


def test_qmc_positions_are_the_numbers():
    space = cell_space()
    searcher = OptunaSearcher(space, "qmc")
    alone = searcher.propose(History(space, ONE, 3), 5)
    driven = drive(searcher, space, ONE, 6, seed=3)
    assert alone.configuration == driven.records[5].configuration
    assert alone.configuration != searcher.propose(History(space, ONE, 4), 5).configuration


def test_ordinals_are_integers_and_come_back_native():
    space = cs.ConfigurationSpace()
    space.add(cs.Categorical("kernel", ["s", "m", "l"], ordered=True), cs.Float("x", (0, 1)))
    history = drive(OptunaSearcher(space, "tpe"), space, ONE, 20, seed=0)
    assert {record.configuration["kernel"] for record in history.records} == {"s", "m", "l"}


def test_is_silent_and_leaves_the_verbosity(capfd):
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            drive(OptunaSearcher(nasty_space(), "tpe"), nasty_space(), TWO, 14, seed=0)
        assert optuna.logging.get_verbosity() == logging.DEBUG
    finally:
        optuna.logging.set_verbosity(optuna.logging.INFO)
    assert capfd.readouterr() == ("", "")


def test_unknown_names_and_unsupported_features_are_named():
    space = cell_space()
    with pytest.raises(UnknownName, match="nsga2"):
        OptunaSearcher(space, "nsga")
    with pytest.raises(UnknownName, match="population_size"):
        OptunaSearcher(space, "nsga2", {"populationsize": 3})
    with pytest.raises(UnknownName, match="seed"):
        OptunaSearcher(space, "tpe", {"seed": 3})
    space.add(cs.Float("rate", (0, 1), distribution=cs.Normal(0.5, 0.1)))
    with pytest.raises(UnsupportedSpace, match="'rate' has a normal prior"):
        OptunaSearcher(space, "tpe")
