import ConfigSpace as cs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_nas import configs, seeds
from automl_nas.errors import UnsupportedSpace
from automl_nas.searchers.syne_tune_space import Coding, domains, space_from_domains
from automl_nas.testing import cell_space, nasty_space

NAMES = st.text("abcdefg_", min_size=1, max_size=6)
CHOICES = st.one_of(
    st.lists(st.integers(-9, 99), min_size=1, max_size=5, unique=True),
    st.lists(st.sampled_from(["a", "b", "c", "1", ""]), min_size=1, max_size=5, unique=True),
    st.lists(st.floats(-5, 5).map(lambda x: round(x, 3) + 0.0), min_size=1, unique=True),
    st.just([True, False]),
)
RANGES = st.tuples(st.integers(1, 50), st.integers(1, 1000)).map(lambda p: (p[0], p[0] + p[1]))


@st.composite
def hyperparameters(draw, name):
    low, high = draw(RANGES)
    log, kind = draw(st.booleans()), draw(st.sampled_from(["float", "int", "choice", "constant"]))
    if kind == "float":
        return cs.Float(name, (low / 8, high / 8), log=log)
    if kind == "int":
        return cs.Integer(name, (low, high), log=log)
    if kind == "choice":
        return cs.Categorical(name, draw(CHOICES), ordered=log)
    return cs.Constant(name, draw(CHOICES)[0])


@st.composite
def spaces(draw):
    space = cs.ConfigurationSpace()
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    space.add([draw(hyperparameters(name)) for name in names])
    return space


@settings(max_examples=80, deadline=None)
@given(spaces())
def test_a_space_survives_syne_tune(space):
    there = domains(space)
    again = space_from_domains(there)
    assert configs.space_to_json(again) == configs.space_to_json(space)
    assert domains(again) == there


@settings(max_examples=40, deadline=None)
@given(spaces(), st.booleans(), st.integers(0, 99))
def test_a_genome_survives_its_coding(space, unit, seed):
    """Numbers on the unit interval are exact up to rounding, everything else is exact."""
    genes = configs.to_dict(configs.sample(space, seeds.rng("coding", seed)))
    coding = Coding(space, unit)
    encoded = coding.encode(genes)
    for name, value in coding.decode(encoded).items():
        assert type(value) is type(genes[name])
        exact = not (unit and isinstance(value, float) and configs.choices(space[name]) is None)
        assert value == (genes[name] if exact else pytest.approx(genes[name]))
    for name, domain in coding.domains.items():
        assert domain.is_valid(encoded[name])


def space_of(*parts, **named):
    space = cs.ConfigurationSpace(**named)
    space.add(list(parts))
    return space


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (nasty_space(), "has a condition"),
        (space_of(cs.Categorical("a", [1, 2], weights=[0.1, 0.9])), "'a' has weights"),
        (space_of(cs.Float("a", (0.0, 1.0), distribution=cs.Normal(0.5, 1))), "'a' has a normal"),
        (space_of(cs.Integer("a", (1, 9), distribution=cs.Beta(2, 3))), "'a' has a beta"),
        (space_of(cs.Categorical("a", ["x", None])), "'a' has choices of several types"),
        (space_of(cs.Categorical("a", [None])), "'a' has None"),
        (space_of(cs.Integer("a", (1, 9), default=2)), "'a' has the default 2 of its own"),
        (space_of(cs.Categorical("a", [1, 2], default=2)), "'a' has the default 2 of its own"),
        (space_of(cs.Integer("a", (1, 9), meta={"unit": "s"})), "'a' has meta"),
        (space_of(cs.Integer("a", (1, 9)), name="mine"), "the space's name"),
    ],
)
def test_what_syne_tune_has_no_word_for_is_named(space, says):
    with pytest.raises(UnsupportedSpace, match=says):
        domains(space)


def test_a_forbidden_clause_is_named():
    space = cell_space()
    space.add(cs.ForbiddenEqualsClause(space["edge0"], "op1"))
    with pytest.raises(UnsupportedSpace, match=r"forbidden clause .*edge0"):
        domains(space)


def test_what_configspace_has_no_word_for_is_named():
    from syne_tune import config_space as syne

    cases = {
        "nn": syne.ordinal([1, 2, 4], kind="nn"),
        "logordinal": syne.logordinal([1, 2, 4]),
        "finrange": syne.finrange(0.1, 1.0, 4),
        "ReverseLogUniform": syne.reverseloguniform(0.1, 0.9),
        "Normal": syne.Float(float("-1e9"), 1e9).normal(),
        "Quantized": syne.quniform(0.0, 1.0, 0.25),
        "grid": syne.choice([1, 2]).__class__([1, 2]).grid(),
        "one value": syne.randint(3, 3),
        "repeated": syne.choice([1, 1]),
        "type tuple": (1, 2),
    }
    for says, domain in cases.items():
        with pytest.raises(UnsupportedSpace, match=rf"'a' has .*{says}"):
            space_from_domains({"a": domain, "b": syne.uniform(0.0, 1.0)})
