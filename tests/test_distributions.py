import ConfigSpace as cs
import optuna
import pytest
from ConfigSpace.hyperparameters import Hyperparameter
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from automl_nas import configs
from automl_nas.distributions import (
    distribution,
    hyperparameter,
    require_lossless,
    space_from_trials,
    value_of,
)
from automl_nas.errors import SpaceError, UnsupportedSpace
from automl_nas.testing import nasty_space


@pytest.mark.parametrize(
    ("hyperparameter", "expected"),
    [
        (cs.Float("x", (0.5, 2)), FloatDistribution(0.5, 2.0)),
        (cs.Float("x", (1e-5, 1), log=True), FloatDistribution(1e-5, 1.0, log=True)),
        (cs.Integer("x", (0, 9)), IntDistribution(0, 9)),
        (cs.Integer("x", (1, 512), log=True), IntDistribution(1, 512, log=True)),
        (cs.Float("x", (0, 5), distribution=cs.Normal(1, 2)), FloatDistribution(0.0, 5.0)),
        (cs.Integer("x", (0, 5), distribution=cs.Beta(2, 2)), IntDistribution(0, 5)),
        (
            cs.Categorical("x", ["a", None, True, 2.5]),
            CategoricalDistribution(("a", None, True, 2.5)),
        ),
        (cs.Categorical("x", [1, 2, 4], ordered=True), CategoricalDistribution((1, 2, 4))),
        (cs.Constant("x", "k"), CategoricalDistribution(("k",))),
    ],
)
def test_each_kind(hyperparameter, expected):
    made = distribution(hyperparameter)
    assert made == expected
    assert json_to_distribution(distribution_to_json(made)) == made


def test_every_value_of_a_space_survives_the_round_trip():
    space, rng = nasty_space(), configs.Generator(0)
    for _ in range(200):
        for name, value in configs.to_dict(configs.sample(space, rng)).items():
            made = distribution(space[name])
            internal = made.to_internal_repr(value)
            assert made._contains(internal)
            back = made.to_external_repr(internal)
            assert (type(back), back) == (type(value), value)


def test_an_unknown_kind_is_named():
    class Odd(Hyperparameter):
        def __init__(self):
            self.name = "odd"

    with pytest.raises(UnsupportedSpace, match="'odd' of type Odd"):
        distribution(Odd())


@pytest.mark.parametrize(
    "given",
    [
        cs.Float("x", (0.5, 2)),
        cs.Float("x", (1e-5, 1), log=True),
        cs.Integer("x", (0, 9)),
        cs.Integer("x", (1, 512), log=True),
        cs.Categorical("x", ["a", None, True, 2.5]),
        cs.Constant("x", "k"),
    ],
)
def test_there_and_back_is_the_same_hyperparameter(given):
    assert hyperparameter("x", distribution(given)) == given
    require_lossless(given)


@pytest.mark.parametrize(
    ("given", "lost"),
    [
        (cs.Categorical("x", [1, 2, 4], ordered=True), "an order"),
        (cs.Categorical("x", ["a", "b"], weights=[0.2, 0.8]), "weights"),
        (cs.Float("x", (0, 5), distribution=cs.Normal(1, 2)), "a normal prior"),
        (cs.Integer("x", (0, 5), distribution=cs.Beta(2, 2)), "a beta prior"),
        (cs.Integer("x", (0, 9), default=7), "a default"),
    ],
)
def test_what_does_not_come_back_is_named(given, lost):
    with pytest.raises(UnsupportedSpace, match=f"'x' has {lost}"):
        require_lossless(given)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (IntDistribution(2, 8, step=3), [2, 5, 8]),
        (FloatDistribution(0.0, 0.3, step=0.1), [0.0, 0.1, 0.2, 0.3]),
    ],
)
def test_steps_are_ordinals(given, values):
    made = hyperparameter("x", given)
    assert list(made.sequence) == pytest.approx(values)
    assert [value_of(made, value) for value in values] == list(made.sequence)
    assert all(given._contains(given.to_internal_repr(value)) for value in made.sequence)


def test_one_value_is_a_constant():
    for given, value in ((IntDistribution(3, 3), 3), (CategoricalDistribution(["k"]), "k")):
        assert hyperparameter("x", given) == cs.Constant("x", value)


def trial(**distributions):
    values = {
        name: d.to_external_repr(d.to_internal_repr(d.low)) for name, d in distributions.items()
    }
    return optuna.trial.create_trial(params=values, distributions=distributions, value=0.0)


def test_the_space_of_trials_is_told_or_asked_for():
    x, n = FloatDistribution(0.1, 1.0), IntDistribution(1, 5)
    space = space_from_trials([trial(x=x, n=n), trial(x=x, n=n)])
    assert space["x"] == cs.Float("x", (0.1, 1.0))
    assert space["n"] == cs.Integer("n", (1, 5))
    with pytest.raises(SpaceError, match=r"'n' is missing in 1 of 2 trials.*ConfigurationSpace"):
        space_from_trials([trial(x=x, n=n), trial(x=x)])
    with pytest.raises(SpaceError, match="'n' has two distributions"):
        space_from_trials([trial(x=x, n=n), trial(x=x, n=IntDistribution(1, 6))])
    with pytest.raises(SpaceError, match="no complete trial"):
        space_from_trials([])


def test_a_value_outside_is_refused():
    with pytest.raises(SpaceError, match="x = 7"):
        value_of(cs.Integer("x", (1, 5)), 7)
