from collections import Counter

import ConfigSpace as cs

from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import SearcherContract, cell_space, drive
from automl_nas.types import History, Metric


class TestRandomSearcher(SearcherContract):
    def make(self, space):
        return RandomSearcher(space)


def test_the_draw_depends_on_seed_and_number_alone():
    space = cell_space()
    searcher, metrics = RandomSearcher(space), (Metric("loss"),)
    long = drive(searcher, space, metrics, 20, seed=1)
    assert searcher.propose(History(space, metrics, 1), 19).configuration == (
        long.records[19].configuration
    )
    assert searcher.propose(History(space, metrics, 2), 19).configuration != (
        long.records[19].configuration
    )


def test_weights_of_the_space_are_honoured():
    space = cs.ConfigurationSpace()
    space.add(cs.Categorical("a", ["often", "rarely"], weights=[0.9, 0.1]), cs.Float("b", (0, 1)))
    history = drive(RandomSearcher(space), space, (Metric("loss"),), 400, seed=0)
    counts = Counter(record.configuration["a"] for record in history.records)
    assert 330 <= counts["often"] <= 385
