import itertools
import json

import ConfigSpace as cs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_nas import configs
from automl_nas.errors import SpaceError, UnsupportedSpace
from automl_nas.layout import layout
from automl_nas.testing import SPACES, cell_space, nasty_space, tiny_space
from automl_nas.testing.strategies import spaces

SEEDS = st.integers(0, 2**31 - 1)


@settings(max_examples=60, deadline=None)
@given(spaces(), SEEDS)
def test_dict_json_and_digest_round_trip(space, seed):
    space.seed(seed % 1000)
    own = configs.sample(space, configs.Generator(seed))
    for configuration in (own, space.sample_configuration(), space.get_default_configuration()):
        values = configs.to_dict(configuration)
        assert not any(isinstance(value, np.generic) for value in values.values())
        loaded = json.loads(json.dumps(values))
        again = configs.from_dict(space, loaded)
        assert configs.to_dict(again) == loaded == values
        assert [type(v) for v in loaded.values()] == [type(v) for v in values.values()]
        assert configs.digest(again) == configs.digest(configuration) == configs.digest(loaded)
        copy = configs.adopt(configs.space_from_json(configs.space_to_json(space)), configuration)
        assert configs.digest(copy) == configs.digest(configuration)


def ancestors(space, name):
    parents = {parent.name for parent in space.parents_of[name]}
    return parents.union(*(ancestors(space, parent) for parent in parents))


@settings(max_examples=60, deadline=None)
@given(spaces(), SEEDS)
def test_a_mutation_changes_one_active_value_and_its_children(space, seed):
    rng = configs.Generator(seed)
    configuration = configs.sample(space, rng)
    before = configs.to_dict(configuration)
    try:
        after = configs.to_dict(configs.mutate(configuration, rng))
    except SpaceError:
        alone = [name for name in configs.mutable(space, configs.to_dict(configuration))]
        assert not alone or not list(configs.neighbours(configuration, rng))
        return
    assert configs.legal(space, after) is not None
    changed = [name for name in before if name in after and before[name] != after[name]]
    assert len(changed) == 1
    switched = set(before) ^ set(after)
    assert all(changed[0] in ancestors(space, name) for name in switched)


@settings(max_examples=40, deadline=None)
@given(spaces(), SEEDS)
def test_neighbours_are_legal_distinct_and_complete_for_choices(space, seed):
    rng = configs.Generator(seed)
    configuration = configs.sample(space, rng)
    before = configs.to_dict(configuration)
    reached = {}
    for neighbour in configs.neighbours(configuration, rng):
        after = configs.to_dict(neighbour)
        assert configs.legal(space, after) is not None
        changed = [name for name in before if name in after and before[name] != after[name]]
        assert len(changed) == 1
        reached.setdefault(changed[0], []).append(after[changed[0]])
    for name, values in reached.items():
        assert len(values) == len(set(values))
        options = configs.choices(space[name])
        if options is not None and not space.forbidden_clauses:
            assert sorted(map(str, values)) == sorted(str(o) for o in options if o != before[name])


@settings(max_examples=40, deadline=None)
@given(spaces())
def test_enumeration_equals_filtering_the_product(space):
    if any(h.size > 8 for h in space.values()):
        return
    names = list(space)
    options = [configs._finite_choices(layout(space).slots[name]) for name in names]
    expected = set()
    for combination in itertools.product(*options):
        full = dict(zip(names, combination, strict=True))
        configuration = configs.legal(space, configs.define_by_run(space, full.__getitem__))
        if configuration is not None:
            expected.add(configs.digest(configuration))
    found = [configs.digest(configuration) for configuration in configs.enumerate_space(space)]
    assert len(found) == len(set(found)) == configs.count(space)
    assert set(found) == expected


def test_counts():
    assert configs.count(cell_space()) == 5**6
    assert configs.count(cell_space(60, 5)) == 5**60
    assert configs.count(tiny_space()) == 4
    assert configs.count(nasty_space()) is None
    space = tiny_space()
    space.add(
        cs.ForbiddenAndConjunction(
            cs.ForbiddenEqualsClause(space["a"], "y"), cs.ForbiddenEqualsClause(space["b"], "y")
        )
    )
    assert configs.count(space) == 3
    assert configs.count(space, limit=2) is None
    with pytest.raises(UnsupportedSpace, match="'rate' is continuous"):
        list(configs.enumerate_space(nasty_space()))


@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_thousand_samples_and_mutations_are_legal(name):
    space, rng = SPACES[name](), configs.Generator(0)
    child = configs.sample(space, rng)
    for _ in range(500):
        child = configs.mutate(child, rng)
        for configuration in (configs.sample(space, rng), child):
            assert configs.legal(space, configs.to_dict(configuration)) is not None


def test_samples_follow_the_priors():
    space = cs.ConfigurationSpace()
    space.add(
        cs.Categorical("w", ["p", "q"], weights=[0.8, 0.2]),
        cs.Float("n", (0.0, 10.0), distribution=cs.Normal(3.0, 0.5)),
        cs.Integer("b", (0, 10), distribution=cs.Beta(4.0, 1.5)),
        cs.Float("l", (1e-4, 1.0), log=True),
        cs.Integer("i", (1, 1024), log=True),
    )
    rng = configs.Generator(0)
    drawn = [configs.to_dict(configs.sample(space, rng)) for _ in range(2000)]
    column = {name: [values[name] for values in drawn] for name in space}
    assert abs(column["w"].count("p") / 2000 - 0.8) < 0.04
    assert abs(np.mean(column["n"]) - 3.0) < 0.05
    assert np.mean(column["b"]) > 6
    assert abs(np.median(np.log10(column["l"])) + 2) < 0.15
    assert 24 <= np.median(column["i"]) <= 43
    assert {type(value) for value in column["b"] + column["i"]} == {int}


def test_the_prior_of_each_hyperparameter_in_words():
    space = cs.ConfigurationSpace()
    space.add(
        cs.Categorical("w", [1, 2], weights=[1, 3]),
        cs.Categorical("u", [1, 2], weights=[1, 1]),
        cs.Float("n", (0, 1), distribution=cs.Normal(0.5, 1)),
        cs.Integer("b", (0, 9), distribution=cs.Beta(2, 2)),
        cs.Float("f", (0, 1)),
    )
    words = {name: configs.prior(space[name]) for name in space}
    expected = {"w": "weights", "u": None, "n": "a normal prior", "b": "a beta prior", "f": None}
    assert words == expected


def test_a_peaked_prior_does_not_stop_a_mutation():
    space = cs.ConfigurationSpace()
    space.add(cs.Integer("i", (0, 100), distribution=cs.Normal(50, 1e-3)))
    start = configs.from_dict(space, {"i": 50})
    assert configs.mutate(start, configs.Generator(0))["i"] != 50


def test_a_relation_between_hyperparameters_is_kept():
    space = cs.ConfigurationSpace()
    low, high = cs.Integer("low", (1, 9)), cs.Integer("high", (1, 9))
    space.add(low, high, cs.ForbiddenLessThanRelation(high, low))
    configuration, rng = space.get_default_configuration(), configs.Generator(0)
    for _ in range(200):
        configuration = configs.mutate(configuration, rng)
        assert configuration["low"] <= configuration["high"]


def test_impossible_spaces_and_bad_choices_are_named():
    space = cs.ConfigurationSpace()
    with pytest.raises(SpaceError, match="empty"):
        configs.check_space(space)
    space.add(cs.Categorical("pair", [(1, 2), (3, 4)]))
    with pytest.raises(UnsupportedSpace, match="'pair' has the choice"):
        configs.check_space(space)
    mixed = cs.ConfigurationSpace()
    mixed.add(cs.Constant("c", 1))
    with pytest.raises(SpaceError, match="more than one value"):
        configs.mutate(mixed.get_default_configuration(), configs.Generator(0))
    with pytest.raises(SpaceError, match="no legal configuration"):
        configs.draw_legal(illegal_space(), lambda: {"a": 0, "b": 1})


def illegal_space():
    space = cs.ConfigurationSpace()
    a, b = cs.Categorical("a", [0, 1]), cs.Categorical("b", [0, 1])
    space.add(a, b)
    space.add(
        cs.ForbiddenAndConjunction(cs.ForbiddenEqualsClause(a, 0), cs.ForbiddenEqualsClause(b, 1))
    )
    return space


def test_equal_spaces_have_equal_json():
    assert configs.space_to_json(nasty_space()) == configs.space_to_json(nasty_space())
    again = configs.space_from_json(configs.space_to_json(nasty_space()))
    assert configs.space_to_json(again) == configs.space_to_json(nasty_space())
