"""What `check_space` refuses, each with the hyperparameter's name and a way out."""

import math

import ConfigSpace as cs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from automl_nas import configs
from automl_nas.acceptance import check_space, prior
from automl_nas.errors import SpaceError, UnsupportedSpace
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import SPACES
from automl_nas.testing.nasty import NASTY, finite, ordered, plain
from automl_nas.testing.strategies import spaces


def space_of(*members):
    space = cs.ConfigurationSpace()
    space.add(list(members))
    return space


@pytest.mark.parametrize("make", [*NASTY.values(), *SPACES.values()])
def test_spaces_of_the_library_are_accepted_in_all_forms(make):
    for form in (lambda space: space, plain, ordered, finite):
        check_space(form(make()))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spaces())
def test_an_accepted_space_survives_json_and_is_accepted_again(space):
    check_space(configs.space_from_json(configs.space_to_json(space)))


def test_an_empty_space_is_refused():
    with pytest.raises(SpaceError, match="empty: add"):
        check_space(cs.ConfigurationSpace())


@pytest.mark.parametrize("choice", [(1, 2), b"bytes", 1j, frozenset({1}), np.datetime64(0, "s")])
def test_a_choice_that_json_has_not_is_refused(choice):
    for odd in (cs.Categorical("odd", ["a", choice]), cs.Constant("odd", choice)):
        with pytest.raises(UnsupportedSpace, match=r"'odd' has the choice .* use None, bool"):
            check_space(space_of(odd))


def test_nan_is_refused_among_choices_and_by_configspace_as_a_constant():
    with pytest.raises(UnsupportedSpace, match="'odd' has the choice nan"):
        check_space(space_of(cs.Categorical("odd", ["a", math.nan])))
    with pytest.raises(ValueError, match="nan"):
        cs.Constant("odd", math.nan)


@pytest.mark.parametrize("options", [[True, 1], [0, False, 2], [1, 1.0], ["a", 0.0, 0]])
@pytest.mark.parametrize("in_order", [False, True])
def test_choices_of_equal_value_are_refused_here_or_by_configspace(options, in_order):
    with pytest.raises((UnsupportedSpace, ValueError), match=r"mixed|[Cc]hoices|values|equal"):
        check_space(space_of(cs.Categorical("mixed", options, ordered=in_order)))


@pytest.mark.parametrize("options", [["1", 1, "True", True][:3], [None, "None"], [2.5, "2.5", 2]])
def test_choices_that_only_look_alike_are_accepted(options):
    space = space_of(cs.Categorical("alike", options))
    check_space(space)
    for option in options:
        again = configs.to_dict(configs.from_dict(space, {"alike": option}))["alike"]
        assert (type(again), again) == (type(option), option)


@pytest.mark.parametrize(
    "given",
    [
        cs.Float("fine", (0.0, 1e-11)),
        cs.Float("fine", (1e-12, 1.0), log=True),
        cs.Float("fine", (0.5, 0.5 + 9e-11), distribution=cs.Normal(0.5, 1e-11)),
    ],
)
def test_a_float_finer_than_configspace_keeps_is_refused(given):
    with pytest.raises(UnsupportedSpace, match=r"'fine' goes from .* exponent, or in another unit"):
        check_space(space_of(given))


def test_a_float_just_wide_enough_keeps_its_values_apart():
    space = space_of(cs.Float("wide", (0.0, 1e-10)), cs.Float("log", (1e-10, 1.0), log=True))
    check_space(space)
    rng = configs.Generator(0)
    drawn = [configs.to_dict(configs.sample(space, rng)) for _ in range(300)]
    assert len({values["wide"] for values in drawn}) > 200


def conjunctions(first, second, *, terms=2):
    space = cs.ConfigurationSpace()
    a, b = cs.Categorical("a", [1, 2]), cs.Categorical("b", [1, 2])
    one, other = cs.Float("one", (0, 1)), cs.Float("other", (0, 1))
    space.add(a, b, one, other)

    def joined(kind, child, count):
        parts = [cs.EqualsCondition(child, a, 1), cs.EqualsCondition(child, b, 1)]
        return kind(*parts, *parts[: count - 2])

    space.add(joined(first, one, 2), joined(second, other, terms))
    return space


@pytest.mark.parametrize("kinds", [("and", "or"), ("or", "and")])
def test_and_beside_or_of_equal_conditions_is_refused(kinds):
    """ConfigSpace would make both hyperparameters active where one is."""
    known = {"and": cs.AndConjunction, "or": cs.OrConjunction}
    first, second = (known[kind] for kind in kinds)
    with pytest.raises(UnsupportedSpace, match=r"'one' and 'other' have the conditions|'other'"):
        RandomSearcher(conjunctions(first, second))
    check_space(conjunctions(first, first))
    check_space(conjunctions(first, second, terms=3))


@pytest.mark.parametrize("kinds", [("and", "or"), ("or", "and")])
def test_the_advice_for_and_beside_or_works(kinds):
    known = {"and": cs.AndConjunction, "or": cs.OrConjunction}
    first, second = (known[kind] for kind in kinds)
    space, rng = conjunctions(first, second, terms=3), configs.Generator(0)
    for _ in range(50):
        values = configs.to_dict(configs.sample(space, rng))
        holds = [values["a"] == 1, values["b"] == 1]
        for name, kind in zip(("one", "other"), kinds, strict=True):
            assert (name in values) == (all(holds) if kind == "and" else any(holds))


@pytest.mark.parametrize(
    "make",
    [
        lambda: cs.Integer("x", (3, 3)),
        lambda: cs.Float("x", (0.5, 0.5)),
        lambda: cs.Float("x", (0.1, 1.0), log=True, distribution=cs.Normal(-1.0, 1.0)),
        lambda: cs.Float("x", (0.0, 1.0), log=True),
    ],
)
def test_configspace_itself_refuses(make):
    with pytest.raises(ValueError):
        check_space(space_of(make()))


def test_a_forbidden_default_is_refused_by_configspace():
    space = space_of(cs.Categorical("a", [1, 2], default=1))
    with pytest.raises(ValueError, match="forbidden"):
        space.add(cs.ForbiddenEqualsClause(space["a"], 1))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (cs.Categorical("x", ["a", "b"], weights=[0.2, 0.8]), "weights"),
        (cs.Categorical("x", ["a", "b"], weights=[1, 1]), None),
        (cs.Float("x", (0, 5), distribution=cs.Normal(1, 2)), "a normal prior"),
        (cs.Integer("x", (0, 5), distribution=cs.Beta(2, 2)), "a beta prior"),
        (cs.Constant("x", 1), None),
    ],
)
def test_the_prior_in_words(given, words):
    assert prior(given) == words
