"""`Layout.read` accepts what ConfigSpace's own check accepts; draws have ConfigSpace's law."""

import contextlib
import io
import math

import ConfigSpace as cs
import numpy as np
import pytest
from ConfigSpace import Configuration
from ConfigSpace.exceptions import IllegalValueError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_nas import configs
from automl_nas.layout import Slot, layout
from automl_nas.testing.nasty import NASTY, finite
from automl_nas.testing.strategies import spaces

UNLIKELY = 1e-3
DRAWS = 500
SEEDS = st.integers(0, 10**6)
many = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CRASHES = (TypeError, RuntimeWarning)
"""What ConfigSpace ends with where a number gets a truth value or infinity."""
ODD = (None, True, False, 0, 1, -1, 2.5, "x", "", 10**12, -1e300, math.inf)


def verdict(read, *given, also=()):
    """What it gives, or the class of ConfigSpace's complaint."""
    with contextlib.redirect_stdout(io.StringIO()):  # some clauses print
        try:
            return read(*given)
        except (ValueError, *also) as error:
            return type(error)


def theirs(space, values):
    """ConfigSpace's own check: of the constructor, which makes a vector, and of the vector."""
    configuration = Configuration(space, values=values)
    configuration.check_valid_configuration()
    space._check_configuration_rigorous(configuration)
    return configuration


def ours(space, values):
    return configs.from_dict(space, values)


def spoilt(space, values, rng):
    """A change that may or may not be legal: another value, one more, one less, two swapped."""
    changed, names = dict(values), list(space)
    name = names[rng.randint(len(names))]
    match rng.randint(5):
        case 0:
            changed.pop(name, None)
        case 1:
            changed[name] = ODD[rng.randint(len(ODD))]
        case 2:
            changed[name] = configs.native(space[name].default_value)
        case 3:
            other = configs.to_dict(configs.sample(space, rng))
            changed |= {key: value for key, value in other.items() if rng.randint(2)}
        case _:
            options = configs.choices(space[name]) or (space[name].lower, space[name].upper)
            changed[name] = options[rng.randint(len(options))]
    return changed


def close(space, one, other):
    """Vectors that are the same but for the last digits of floats, which ConfigSpace moves."""
    for index, name in enumerate(space):
        finest = 0.0
        if configs.choices(space[name]) is None:
            low, high = float(space[name].lower), float(space[name].upper)
            finest = 1e-6 + 4 * math.ulp(max(abs(low), abs(high))) / (high - low)
        if not np.isclose(one[index], other[index], 0, finest, equal_nan=True):
            return False
    return True


def check_agreement(space, seed, count):
    rng, accepted = configs.Generator(seed), 0
    for _ in range(count):
        values = configs.to_dict(configs.sample(space, rng))
        for _ in range(1 + rng.randint(3)):
            values = spoilt(space, values, rng)
        there, here = verdict(theirs, space, values, also=CRASHES), verdict(ours, space, values)
        assert isinstance(here, type) == isinstance(there, type), (values, there, here)
        if not isinstance(here, type):
            accepted += 1
            assert close(space, here.get_array(), there.get_array())
    return accepted


@many
@given(spaces(), SEEDS)
def test_verdicts_are_those_of_configspace(space, seed):
    check_agreement(space, seed, 8)


@pytest.mark.parametrize("form", [lambda space: space, finite], ids=["as it is", "finite"])
@pytest.mark.parametrize("name", sorted(NASTY))
def test_verdicts_are_those_of_configspace_on_the_nasty_spaces(name, form):
    accepted = check_agreement(form(NASTY[name]()), 3, 300)
    assert 10 < accepted < 290


@many
@given(spaces(), SEEDS)
def test_a_vector_is_that_of_configspace(space, seed):
    rng = configs.Generator(seed)
    for _ in range(3):
        values, vector = (
            layout(space).drawn(rng) if not space.forbidden_clauses else read(space, rng)
        )
        again = Configuration(space, values=values)
        assert close(space, vector, again.get_array())
        assert set(values) == space.get_active_hyperparameters(again)


def read(space, rng):
    return layout(space).read(configs.to_dict(configs.sample(space, rng)))


def even_space():
    space = cs.ConfigurationSpace()
    space.add(cs.Categorical("choice", list("abcdefg")), cs.Categorical("one", ["k"]))
    space.add(cs.Categorical("order", [1, 2, 4, 8, 16], ordered=True))
    space.add(cs.Categorical("weighted", ["a", "b", "c"], weights=[1, 2, 3]))
    return space


def test_the_direct_draw_is_the_draw_of_configspace_to_the_bit():
    """Not only in law: the same generator gives the same choices."""
    space = even_space()
    for name, slot in layout(space).slots.items():
        assert slot.even == (name != "weighted")
        for seed in range(300):
            hyperparameter = space[name]
            one, other = configs.Generator(seed), configs.Generator(seed)
            for _ in range(3):
                drawn = slot.drawn(one)
                assert drawn == slot.at(hyperparameter.sample_vector(seed=other))


@pytest.mark.parametrize("name", ["choice", "order", "weighted"])
def test_the_direct_draw_has_the_law_of_its_weights(name):
    slot, rng = layout(even_space()).slots[name], configs.Generator(5)
    drawn = [slot.drawn(rng) for _ in range(6000)]
    counts = [drawn.count(option) for option in slot.options]
    shares = np.array([1, 2, 3]) / 6 if name == "weighted" else np.ones(len(counts)) / len(counts)
    assert stats.chisquare(counts, shares * len(drawn)).pvalue > UNLIKELY


def drawn_one_by_one(space, rng, count):
    """Each hyperparameter by ConfigSpace, forbidden draws thrown away.

    `sample_configuration` of ConfigSpace 1.2.2 is no reference: its or-conjunctions throw away too
    much (of kind "d" in the forbidden space it keeps a sixth).
    """
    found = []
    while len(found) < count:
        values = configs.define_by_run(space, lambda name: space[name].sample_value(seed=rng))
        if (configuration := configs.legal(space, values)) is not None:
            found.append(configuration.get_array())
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NASTY))
def test_draws_have_the_law_of_the_hyperparameters(name):
    """Column by column, conditions and clauses included; unlikely in any of the columns."""
    space, rng = NASTY[name](), configs.Generator(2)
    there = drawn_one_by_one(space, rng, DRAWS)
    here = np.array([configs.sample(space, rng).get_array() for _ in range(DRAWS)])
    for index, key in enumerate(space):
        theirs, ours = (column[:, index][~np.isnan(column[:, index])] for column in (there, here))
        table = [[len(theirs), len(ours)], [DRAWS - len(theirs), DRAWS - len(ours)]]
        chances = [stats.fisher_exact(table).pvalue]
        if len(theirs) and len(ours):
            chances.append(stats.ks_2samp(theirs, ours).pvalue)
        assert min(chances) > UNLIKELY / len(space), key


@pytest.mark.parametrize("value", [True, False, None, "1", math.nan, math.inf, (1,)])
def test_what_is_no_number_is_refused_as_a_value(value):
    space = cs.ConfigurationSpace()
    space.add(cs.Float("real", (-1.0, 1.0)), cs.Integer("whole", (-1, 1)))
    for name in ["real"] if isinstance(value, bool) else space:
        with pytest.raises(IllegalValueError):
            configs.from_dict(space, {"real": 0.5, "whole": 1, name: value})


def test_a_layout_follows_its_space():
    space = even_space()
    before = layout(space)
    assert layout(space) is before
    space.add(cs.Float("new", (0.0, 1.0)))
    assert "new" in layout(space).slots
    assert "new" not in before.slots


def test_a_slot_spells_numbers_inside_their_bounds():
    space = cs.ConfigurationSpace()
    space.add(cs.Float("third", (1 / 3, 2 / 3)), cs.Integer("whole", (-3, 3)))
    third, whole = (layout(space).slots[name] for name in ("third", "whole"))
    assert isinstance(third, Slot)
    for value in np.linspace(third.lower, third.upper, 7):
        spelt = third.spelt(value)
        assert third.lower <= spelt <= third.upper
        assert third.spelt(spelt) == spelt == third.canonical(spelt)
    for value in (np.int64(2), 2, 2.0, np.float64(2.0)):
        assert type(whole.spelt(value)) is int
        assert whole.spelt(value) == 2
    assert [whole.spelt(value) for value in (-9, 9)] == [-3, 3]
