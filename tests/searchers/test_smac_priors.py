"""Weights, normal and beta priors of the space."""

import dataclasses

import ConfigSpace as cs
import numpy as np
import pytest

from automl_nas import configs
from automl_nas.searchers.from_smac import SmacSearcher
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import drive
from automl_nas.types import Metric
from tests.searchers.smac_spaces import believed_space
from tests.searchers.smac_stock import stock_asks

ONE = (Metric("loss"),)


def peaked_space(distribution=None, weights=None):
    space = cs.ConfigurationSpace()
    distribution = distribution or cs.Normal(0.9, 0.05)
    space.add(cs.Float("x", (0, 1), distribution=distribution))
    space.add(cs.Float("free", (0, 1)))
    space.add(cs.Categorical("kind", list("abcd"), weights=weights or [0.97, 0.01, 0.01, 0.01]))
    space.add(cs.Integer("n", (1, 20), distribution=cs.Normal(5, 2)))
    return space


def test_the_initial_design_is_drawn_from_the_priors():
    space = peaked_space()
    history = drive(SmacSearcher(space, initial=30), space, ONE, 25, seed=0)
    drawn = [record.configuration for record in history.records]
    assert np.mean([c["x"] for c in drawn]) == pytest.approx(0.9, abs=0.05)
    assert sum(c["kind"] == "a" for c in drawn) >= 22


@pytest.mark.slow
@pytest.mark.parametrize("facade", ["rf", "gp"])
def test_proposals_are_those_of_smacs_own_prior_acquisition(facade):
    space = peaked_space()
    searcher = SmacSearcher(space, facade, batch=3, challengers=20)
    history = drive(RandomSearcher(space), space, ONE, 14, seed=0)
    told = searcher._told(history, 14)
    assert searcher._asks(history, told, 5) == stock_asks(searcher, told, 1, 5)


def asked(history, **settings):
    searcher = SmacSearcher(history.space, challengers=30, batch=6, interleave=0.0, **settings)
    return [searcher.propose(history, 30 + i).configuration for i in range(6)]


def test_a_prior_draws_proposals_and_fades_with_its_decay():
    space = peaked_space()
    uniform = cs.ConfigurationSpace()
    uniform.add([cs.Float("x", (0, 1)), cs.Float("free", (0, 1))])
    uniform.add([cs.Categorical("kind", list("abcd")), cs.Integer("n", (1, 20))])
    there = drive(RandomSearcher(uniform), uniform, ONE, 30, seed=0)
    records = [
        dataclasses.replace(r, configuration=configs.adopt(space, r.configuration))
        for r in there.records
    ]
    history = dataclasses.replace(there, space=space, records=records)
    far = {
        decay: np.mean([abs(c["x"] - 0.9) for c in asked(history, prior_decay=decay)])
        for decay in (0.0, 1e3)
    }
    assert far[1e3] < 0.1 < far[0.0]


def test_inactive_hyperparameters_count_as_much_as_an_average_value():
    from smac.acquisition.function import EI

    from automl_nas.searchers.smac_priors import Belief

    space = believed_space()
    belief = Belief(EI(), space, decay=10.0, initial=4, forest=False)
    ones = np.full((1, len(space)), np.nan)
    expected = 1 / 20 * 1 / 90 * 1 / 3 * 1 / 2
    plain = space["plain"].pdf_vector(np.array([0.5]))[0]
    assert belief._compute_prior(ones)[0, 0] == pytest.approx(expected * plain)


@pytest.mark.parametrize("facade", ["rf", "gp"])
def test_conditional_hyperparameters_may_have_priors(facade):
    space = believed_space()
    history = drive(RandomSearcher(space), space, ONE, 20, seed=0)
    searcher = SmacSearcher(space, facade, challengers=20)
    for number in (20, 21, 22, 23):
        proposal = searcher.propose(history, number)
        proposal.configuration.check_valid_configuration()
        assert proposal.attrs == {}
