import ConfigSpace as cs
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
from automl_nas.distributions import distribution
from automl_nas.errors import UnsupportedSpace
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
