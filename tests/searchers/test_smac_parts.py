"""The parts of SMAC that were replaced, against SMAC's own."""

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float

from automl_nas import configs, seeds
from automl_nas.searchers.from_smac import SmacSearcher
from automl_nas.searchers.smac_kinds import uniform
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import drive, losses, nasty_space
from automl_nas.types import Metric
from tests.searchers.smac_spaces import SPACES, conditional_space

ONE = (Metric("loss"),)


def one_of_each():
    return ConfigurationSpace({"x": Float("x", (0, 1)), "c": Categorical("c", ["a", "b"])})


def numbers_only():
    return ConfigurationSpace({"x": (0.0, 1.0), "y": (1, 9), "z": (0.0, 2.0)})


@pytest.mark.parametrize("space", [nasty_space, one_of_each, numbers_only])
def test_the_likelihood_is_smacs_to_the_last_bit(space):
    from smac import BlackBoxFacade, Scenario
    from smac.model.gaussian_process.gaussian_process import GaussianProcess

    from automl_nas.searchers.smac_gp import Process

    space, rng = space(), seeds.rng("gp")
    drawn = [configs.sample(space, rng) for _ in range(20)]
    points = np.array([configuration.get_array() for configuration in drawn])
    targets = np.array([[losses(configuration, ONE)["loss"]] for configuration in drawn])
    scenario = Scenario(space, seed=3)
    fitted = [
        kind(space, BlackBoxFacade.get_kernel(scenario), n_restarts=2, seed=3).train(
            points, targets
        )
        for kind in (GaussianProcess, Process)
    ]
    stock, ours = ([model._hypers, *model.predict_marginalized(points)] for model in fitted)
    assert all(np.array_equal(a, b) for a, b in zip(stock, ours, strict=True))
    theta = np.full(len(stock[0]), -1.0)
    for a, b in zip(
        *(m._gp.log_marginal_likelihood(theta, eval_gradient=True) for m in fitted), strict=True
    ):
        assert np.array_equal(a, b)


def test_a_forest_predicts_what_smacs_own_predicts():
    from smac.model.random_forest.random_forest import RandomForest

    from automl_nas.searchers.smac_parts import Forest

    space, rng = nasty_space(), seeds.rng("forest")
    points = np.array([configs.sample(space, rng).get_array() for _ in range(30)])
    targets = rng.uniform(size=(30, 1))
    stock, ours = (kind(space, log_y=True, seed=1) for kind in (RandomForest, Forest))
    stock.train(points, targets), ours.train(points, targets)
    for a, b in zip(stock.predict(points), ours.predict(points), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_the_uniform_copy_has_the_same_legal_values_and_vectors(name):
    space = SPACES[name]()
    copy, rng = uniform(configs.space_to_json(space)), seeds.rng("copy")
    assert list(copy) == list(space)
    assert all(configs.prior(hyperparameter) is None for hyperparameter in copy.values())
    for _ in range(50):
        there = configs.sample(space, rng)
        here = configs.from_dict(copy, configs.to_dict(there))
        assert np.allclose(here.get_array(), there.get_array(), equal_nan=True, atol=1e-9)


def test_smac_leaves_no_configuration_with_an_inactive_hyperparameter_unless_told_to():
    from automl_nas.searchers.smac_walks import _Space

    space = conditional_space()
    values = {"kind": "z", "depth": 2, "rate": 0.1}
    here, there = (
        configs.from_dict(space, {**values, "rate": rate}).get_array() for rate in (0.1, 0.2)
    )
    more = {"kind": "x", "width": 8, "fixed": "yes", "child": -1.0}
    active = configs.from_dict(space, {**values, **more})
    stock, mended = (_Space(space, conditional=conditional) for conditional in (False, True))
    assert stock.changed(there, here) is None
    assert mended.changed(there, here) == space.index_of["rate"]
    assert mended.changed(active.get_array(), here) == space.index_of["kind"]
    assert mended.changed(here, here) is None


def test_walks_among_conditional_configurations_change_proposals():
    space = conditional_space()
    history = drive(RandomSearcher(space), space, ONE, 20, seed=0)
    stock, mended = (
        [searcher.propose(history, number).configuration for number in (20, 21, 22, 23)]
        for searcher in (
            SmacSearcher(space, challengers=20, conditional_walks=conditional)
            for conditional in (False, True)
        )
    )
    assert stock != mended
