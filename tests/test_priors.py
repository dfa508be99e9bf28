"""Random configurations follow the weights and priors of the space, whoever draws them."""

import itertools

import ConfigSpace as cs
import numpy as np
import pytest
from scipy import stats

from automl_nas import configs
from automl_nas.searchers.evolution import EvolutionSearcher
from automl_nas.searchers.local import LocalSearcher
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import drive
from automl_nas.testing.nasty import NASTY, priors_space
from automl_nas.types import History, Metric

DRAWS = 800
UNLIKELY = 1e-3
"""Of each test; seeds are fixed, so that a correct draw passes for ever."""
DRAWING = [RandomSearcher, EvolutionSearcher, LocalSearcher]


@pytest.fixture(scope="module", params=DRAWING, ids=lambda made: made.name)
def columns(request):
    """Values of each hyperparameter over draws of a searcher that has no records yet."""
    space = priors_space()
    searcher, history = request.param(space), History(space, (Metric("loss"),), 5)
    drawn = [searcher.propose(history, n).configuration for n in range(DRAWS)]
    dicts = [configs.to_dict(configuration) for configuration in drawn]
    return {name: [values[name] for values in dicts if name in values] for name in space}


def counted(values, options):
    return [sum(value == option for value in values) for option in options]


def test_weights_are_followed(columns):
    for name in ("kind", "never", "plain"):
        hyperparameter = priors_space()[name]
        chances = np.array(hyperparameter.weights) / sum(hyperparameter.weights)
        counts = np.array(counted(columns[name], hyperparameter.choices))
        likely = chances > 1e-6
        assert not counts[~likely].any()
        expected = chances[likely] / chances[likely].sum() * counts.sum()
        assert stats.chisquare(counts[likely], expected).pvalue > UNLIKELY


def truncated(mean, deviation, low, high):
    return stats.truncnorm((low - mean) / deviation, (high - mean) / deviation, mean, deviation)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("normal", truncated(1.0, 1.5, -5.0, 5.0)),
        ("child", truncated(7.0, 1.0, 0.0, 10.0)),
        ("beta", stats.beta(4.0, 1.5, loc=2.0, scale=2.0)),
    ],
)
def test_priors_of_floats_are_followed(columns, name, expected):
    assert stats.kstest(columns[name], expected.cdf).pvalue > UNLIKELY


def test_a_prior_on_a_log_scale_is_a_prior_of_the_exponent(columns):
    exponents = np.log10(columns["decay"])
    expected = stats.beta(3.0, 2.0, loc=-5, scale=4)
    assert stats.kstest(exponents, expected.cdf).pvalue > UNLIKELY


@pytest.mark.parametrize("name", ["rounded", "counted", "width"])
def test_priors_of_integers_are_followed(columns, name):
    """As ConfigSpace draws them itself: its densities of integers are not those of its draws."""
    own = priors_space()[name].sample_value(DRAWS, seed=configs.Generator(1))
    assert stats.ks_2samp(columns[name], own).pvalue > UNLIKELY


def without_child(space):
    values = configs.to_dict(space.get_default_configuration())
    return {**{name: value for name, value in values.items() if name != "child"}, "kind": "b"}


def test_a_child_that_a_mutation_switches_on_is_drawn_from_its_prior():
    space = priors_space()
    off = configs.from_dict(space, without_child(space))
    children = []
    for seed in range(1500):
        after = configs.to_dict(configs.mutate(off, configs.Generator(seed)))
        children += [after["child"]] if "child" in after else []
    assert len(children) > 25
    assert stats.kstest(children, truncated(7.0, 1.0, 0.0, 10.0).cdf).pvalue > UNLIKELY


def test_a_neighbour_that_is_switched_on_is_drawn_from_its_prior():
    space = priors_space()
    off = configs.from_dict(space, without_child(space))
    children = []
    for seed in range(60):
        near = map(configs.to_dict, configs.neighbours(off, configs.Generator(seed)))
        children += [values["child"] for values in near if "child" in values]
    assert len(children) == 60
    assert stats.kstest(children, truncated(7.0, 1.0, 0.0, 10.0).cdf).pvalue > UNLIKELY


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NASTY))
def test_mutations_and_neighbours_are_legal_and_move_every_hyperparameter(name):
    space, rng = NASTY[name](), configs.Generator(0)
    configuration, moved = configs.sample(space, rng), set()
    for step in range(2000):
        after = configs.mutate(configuration, rng)
        near = configs.neighbours(after, rng) if step % 500 == 0 else ()
        for one in [after, *itertools.islice(near, 40)]:
            assert configs.legal(space, configs.to_dict(one)) is not None
        old, new = configs.to_dict(configuration), configs.to_dict(after)
        moved |= {key for key in new if old.get(key) != new[key]}
        configuration = after
    constant = {key for key in space if space[key].size == 1}
    assert moved >= set(space) - constant


def small_space(forbidden):
    """Conditions three deep and an integer: few enough to walk through all."""
    space = cs.ConfigurationSpace()
    a, b = cs.Categorical("a", [None, True, 2]), cs.Integer("b", (1, 3), default=2)
    c, d = cs.Categorical("c", ["x", "y"], ordered=True), cs.Integer("d", (-1, 1))
    space.add(a, b, c, d, cs.Constant("e", "k"))
    space.add(
        cs.InCondition(b, a, [None, 2]),
        cs.GreaterThanCondition(c, b, 1),
        cs.AndConjunction(cs.EqualsCondition(d, c, "x"), cs.NotEqualsCondition(d, a, 2)),
    )
    if forbidden:
        space.add(
            cs.ForbiddenAndConjunction(
                cs.ForbiddenEqualsClause(a, 2), cs.ForbiddenGreaterThanEqualsClause(b, 3)
            ),
            cs.ForbiddenEqualsClause(d, 1),
        )
    return space


def reached(space, step):
    """Digests that repeated steps lead to from the default configuration."""
    found, frontier = set(), [space.get_default_configuration()]
    while frontier:
        configuration = frontier.pop()
        if (key := configs.digest(configuration)) not in found:
            found.add(key)
            frontier += step(configuration)
    return found


@pytest.mark.parametrize("forbidden", [False, True])
def test_steps_reach_every_configuration_of_a_small_space(forbidden):
    space = small_space(forbidden)
    everything = {configs.digest(one) for one in configs.enumerate_space(space)}

    def near(configuration):
        rounds = [configs.neighbours(configuration, configs.Generator(s)) for s in range(6)]
        return [one for found in rounds for one in found]

    def mutated(configuration):
        return [configs.mutate(configuration, configs.Generator(s)) for s in range(40)]

    assert reached(space, near) == everything == reached(space, mutated)
    assert configs.count(space) == len(everything) > 8


def test_evolution_goes_on_from_mutations_after_its_first_population():
    space = priors_space()
    searcher = EvolutionSearcher(space, 4, 2)
    history = drive(RandomSearcher(space), space, (Metric("loss"),), 8, 5)
    parents = {record.number: configs.to_dict(record.configuration) for record in history.records}
    for number in range(8, 60):
        proposal = searcher.propose(history, number)
        before, after = parents[proposal.attrs["parent"]], configs.to_dict(proposal.configuration)
        changed = {key for key in before if key in after and before[key] != after[key]}
        assert len(changed) == 1
