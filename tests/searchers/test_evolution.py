import numpy as np
import pytest

from automl_nas import configs, pareto, seeds
from automl_nas.searchers.evolution import EvolutionSearcher
from automl_nas.testing import SearcherContract, cell_space, drive
from automl_nas.types import Metric

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))


class TestEvolutionSearcher(SearcherContract):
    def make(self, space):
        return EvolutionSearcher(space, population_size=6, sample_size=3)


class TestEvolutionSearcherWithTwoMetrics(TestEvolutionSearcher):
    metrics = TWO


def restated(history, number, population_size, sample_size):
    """Real et al. 2019, algorithm 1, as one would write it down."""
    queue = []
    for record in history.records:
        if record.status == "complete":
            queue.append(record)
            if len(queue) > population_size:
                queue.pop(0)
    rng = seeds.rng("regularized-evolution", history.seed, number)
    if len(queue) < population_size:
        return configs.sample(history.space, rng), None
    sample = [queue[i] for i in rng.randint(len(queue), size=sample_size)]
    best = sample[0]
    for candidate in sample[1:]:
        if history.losses(candidate)[0] < history.losses(best)[0]:
            best = candidate
    return configs.mutate(best.configuration, rng), best.number


def test_agrees_with_a_restatement_of_the_paper():
    space = cell_space()
    searcher = EvolutionSearcher(space, population_size=10, sample_size=4)
    history = drive(searcher, space, ONE, 60, seed=5)
    for number, record in enumerate(history.records):
        before = type(history)(space, ONE, 5, history.records[:number])
        configuration, parent = restated(before, number, 10, 4)
        assert configs.to_dict(configuration) == configs.to_dict(record.configuration)
        assert record.attrs.get("parent") == parent


def test_a_child_differs_from_its_parent_in_one_edge():
    space = cell_space()
    history = drive(EvolutionSearcher(space, 10, 4), space, ONE, 60, seed=0)
    children = [record for record in history.records if "parent" in record.attrs]
    assert len(children) > 40
    for child in children:
        parent = history.records[child.attrs["parent"]]
        changed = child.configuration.get_array() != parent.configuration.get_array()
        assert changed.sum() == 1


def test_finds_better_configurations_than_it_started_with():
    space = cell_space()
    history = drive(EvolutionSearcher(space, 10, 5), space, ONE, 150, seed=0)
    found = [history.losses(record)[0] for record in history.selectable()]
    assert min(found) < 0.5 * min(found[:10])


def test_with_two_metrics_the_parent_is_on_the_front_of_the_sample():
    space = cell_space()
    searcher = EvolutionSearcher(space, population_size=12, sample_size=40)
    history = drive(searcher, space, TWO, 40, seed=0)
    for number in range(20, 40):
        record = history.records[number]
        population = [r for r in history.records[:number] if r.selectable][-12:]
        losses = np.array([history.losses(r) for r in population])
        front = {population[i].number for i in pareto.front(losses)}
        assert record.attrs["parent"] in front


@pytest.mark.parametrize("settings", [{"population_size": 0}, {"sample_size": -1}])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        EvolutionSearcher(cell_space(), **settings)
