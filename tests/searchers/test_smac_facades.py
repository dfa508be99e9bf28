"""Every facade: SMAC 2.4.1's own proposals, its own settings, legal on awkward spaces."""

from typing import ClassVar

import pytest

from automl_nas import configs
from automl_nas.searchers.from_smac import SmacSearcher
from automl_nas.searchers.smac_kinds import KINDS
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import SearcherContract, cell_space, drive, nasty_space
from automl_nas.types import Metric
from tests.searchers.smac_spaces import SPACES, conditional_space, illegal
from tests.searchers.smac_stock import stock_asks

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))


def metrics_of(facade):
    return TWO if KINDS[facade].several else ONE


class Small(SearcherContract):
    budget = 9
    facade = ""

    def make(self, space):
        quick = {"restarts": 1} if KINDS[self.facade].process else {}
        return SmacSearcher(space, self.facade, initial=4, batch=4, challengers=20, **quick)


@pytest.mark.slow
class TestGp(Small):
    facade = "gp"


@pytest.mark.slow
class TestGpParego(Small):
    facade = "gp-parego"
    metrics = TWO
    spaces: ClassVar = {"nasty": nasty_space}


@pytest.mark.slow
class TestAc(Small):
    facade = "ac"
    spaces: ClassVar = {"nasty": nasty_space}


def compare(facade, space, n=14, seed=5):
    metrics = metrics_of(facade)
    searcher = SmacSearcher(space, facade, batch=3, challengers=30)
    history = drive(RandomSearcher(space), space, metrics, n, seed=0)
    told = searcher._told(history, n)
    ours = searcher._asks(history, told, seed)
    assert ours == stock_asks(searcher, told, len(metrics), seed)
    assert ours == searcher._asks(history, told, seed)
    assert len(ours) == 3


@pytest.mark.parametrize("facade", ["gp", "rf"])
def test_proposals_are_those_of_smacs_own_facade(facade):
    compare(facade, nasty_space())


@pytest.mark.slow
@pytest.mark.parametrize("facade", sorted(KINDS))
@pytest.mark.parametrize("space", [cell_space, conditional_space])
def test_proposals_are_those_of_every_facade_of_smac(facade, space):
    compare(facade, space(), n=20)


@pytest.mark.parametrize("facade", ["rf", "ac"])
def test_a_forest_has_the_facades_own_settings(facade):
    import smac

    from automl_nas.searchers.smac_engine import Shadow, _model

    space = nasty_space()
    scenario = Shadow(configs.space_to_json(space)).scenario(3, 1)
    stock = getattr(smac, KINDS[facade].facade).get_model(scenario)
    assert _model(SmacSearcher(space, facade), scenario)._rf_opts == stock._rf_opts
    fewer = _model(SmacSearcher(space, facade, trees=3), scenario)
    assert fewer._rf_opts == {**stock._rf_opts, "n_estimators": 3}


def test_algorithm_configuration_begins_with_the_default():
    space = cell_space()
    history = drive(SmacSearcher(space, "ac", challengers=20), space, ONE, 9, seed=0)
    assert history.records[0].configuration == space.get_default_configuration()
    assert [dict(record.attrs) for record in history.records[1:4]] == [{"fallback": True}] * 3
    assert all(not record.attrs for record in history.records[4:])


def test_random_interleaving_is_a_setting():
    space = cell_space()
    history = drive(RandomSearcher(space), space, ONE, 20, seed=0)
    seldom, always = (
        SmacSearcher(space, challengers=20, interleave=chance).propose(history, 20)
        for chance in (0.0, 1.0)
    )
    assert seldom.configuration != always.configuration


@pytest.mark.slow
@pytest.mark.parametrize("facade", sorted(KINDS))
@pytest.mark.parametrize("space", sorted(SPACES))
def test_forbidden_relations_conditions_and_priors_are_honoured(facade, space):
    made = SPACES[space]()
    quick = {"restarts": 1} if KINDS[facade].process else {}
    searcher = SmacSearcher(made, facade, batch=8, challengers=30, conditional_walks=True, **quick)
    history = drive(searcher, made, metrics_of(facade), 24, seed=1)
    assert [illegal(made, record.configuration) for record in history.records] == [None] * 24
    assert len({record.digest for record in history.records}) > 20
