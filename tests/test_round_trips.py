"""There and back between all the ways to write a space: nothing is lost, or a named error comes."""

import contextlib
import json
import math

import ConfigSpace as cs
import optuna
import pytest
import torch
from ConfigSpace.hyperparameters import OrdinalHyperparameter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from automl_nas import configs
from automl_nas.distributions import distribution, hyperparameter, require_lossless, value_of
from automl_nas.errors import UnsupportedSpace
from automl_nas.oneshot.relaxation import most_probable
from automl_nas.searchers import flat
from automl_nas.searchers.optuna_encoding import Encoding
from automl_nas.searchers.syne_tune_space import Coding, domains, space_from_domains
from automl_nas.supernet.mixture import one_hot, relaxable
from automl_nas.testing.nasty import NASTY, finite, plain
from automl_nas.testing.strategies import hyperparameters, spaces
from automl_nas.types import Record

many = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEEDS = st.integers(0, 10**6)


def drawn(space, seed, count=3):
    rng = configs.Generator(seed)
    return [configs.sample(space, rng) for _ in range(count)]


def alone(given):
    space = cs.ConfigurationSpace()
    space.add(given)
    return space


def same(left, right):
    """Equal values of equal types: 1 is not True, and 1.0 not 1."""
    assert json.dumps(left) == json.dumps(right)


def same_space(made, given):
    """Equal weights say what no weights say."""
    same(configs.space_to_json(made), configs.space_to_json(plain(given)))


@many
@given(spaces(), SEEDS)
def test_space_and_json(space, seed):
    text = configs.space_to_json(space)
    again = configs.space_from_json(text)
    assert configs.space_to_json(again) == text
    for one, other in zip(drawn(space, seed), drawn(again, seed), strict=True):
        same(configs.to_dict(one), configs.to_dict(other))
        moved = configs.adopt(again, one)
        assert configs.digest(moved) == configs.digest(one)


@many
@given(hyperparameters("h"))
def test_hyperparameter_and_optuna_distribution(given):
    made = json_to_distribution(distribution_to_json(distribution(given)))
    assert made == distribution(given)
    again = hyperparameter("h", made)
    try:
        require_lossless(given)
    except UnsupportedSpace as refusal:
        assert "'h' has " in str(refusal)
        assert lost_in_optuna(given, str(refusal))
    else:
        assert again == given
        same_space(alone(again), alone(given))


def lost_in_optuna(given, message):
    """Whether the feature that the message names is one of the hyperparameter."""
    if (prior := configs.prior(given)) is not None:
        return f"has {prior}," in message
    if isinstance(given, OrdinalHyperparameter):
        return "an order" in message
    return "a default or meta data" in message or "an order" in message


@many
@given(hyperparameters("h"), SEEDS)
def test_value_and_optuna_parameter(given, seed):
    made = distribution(given)
    for configuration in drawn(alone(given), seed):
        value = configs.to_dict(configuration)["h"]
        internal = made.to_internal_repr(value)
        assert made._contains(internal)
        same(value, made.to_external_repr(internal))


@st.composite
def distributions(draw):
    low, width = draw(st.integers(1, 50)), draw(st.integers(0, 200))
    kind = draw(st.sampled_from(["int", "float", "choice"]))
    scale = draw(st.sampled_from(["log", "step", "linear"]))
    if kind == "choice":
        options = st.sampled_from([None, False, "1", 2, 2.5, "x"])
        return CategoricalDistribution(draw(st.lists(options, min_size=1, unique=True)))
    log, step = scale == "log", draw(st.integers(1, 9))
    width = width // step * step
    if kind == "int":
        return IntDistribution(low, low + width, log=log, step=step if scale == "step" else 1)
    size = step / 8 if scale == "step" else None
    return FloatDistribution(low / 8, (low + width) / 8, log=log, step=size)


@many
@given(distributions())
def test_optuna_distribution_and_hyperparameter(given):
    made = hyperparameter("h", given)
    options = configs.choices(made)
    if options is None or isinstance(given, CategoricalDistribution):
        assert distribution(made) == given
        return
    assert isinstance(made, cs.Constant) == given.single()
    count = math.floor((given.high - given.low) / (given.step or 1) + 1e-9) + 1
    assert len(options) == count
    for option in options:
        assert given._contains(given.to_internal_repr(option))
        assert value_of(made, option) == option


NO_WORD = ("a condition", "a normal prior", "a beta prior", "weights", "choices of several types")
NO_WORD += ("None as a choice", "of its own", "meta")


@many
@given(spaces())
def test_space_and_syne_tune_domains(space):
    back_from_domains(space)


@many
@given(hyperparameters("h"))
def test_hyperparameter_and_syne_tune_domain(given):
    back_from_domains(alone(given))


def back_from_domains(space):
    try:
        there = domains(space)
    except UnsupportedSpace as refusal:
        message = str(refusal)
        if "forbidden clause" in message:
            assert space.forbidden_clauses
            return
        assert any(repr(name) in message for name in space)
        assert any(word in message for word in NO_WORD)
        assert space.conditions or "a condition" not in message
        return
    same_space(space_from_domains(there), space)


@many
@given(spaces(), SEEDS, st.booleans())
def test_configuration_and_optuna_trial(space, seed, genomes):
    check_trials(plain(space), seed, genomes)


def check_trials(space, seed, genomes):
    encoding = Encoding(space, genomes)
    for number, configuration in enumerate(drawn(space, seed)):
        params = encoding.params(Record(number, configuration, "random"))
        made = {name: encoding.distributions[name] for name in params}
        trial = optuna.trial.create_trial(params=params, distributions=made, value=0.0)
        values = encoding.ask(optuna.trial.FixedTrial(trial.params))
        same(flat.express(space, values) if genomes else values, configs.to_dict(configuration))


@pytest.mark.parametrize("genomes", [False, True])
@pytest.mark.parametrize("name", sorted(NASTY))
def test_configuration_and_optuna_trial_on_the_nasty_spaces(name, genomes):
    for seed in range(15):
        check_trials(plain(NASTY[name]()), seed, genomes)


@many
@given(spaces(), SEEDS, st.booleans())
def test_configuration_and_syne_tune_configuration(space, seed, unit):
    check_coding(plain(space), seed, unit)


def check_coding(space, seed, unit):
    """Exact but for floats on the unit interval, which keep about fifteen digits."""
    coding = Coding(space, unit)
    for number, configuration in enumerate(drawn(space, seed)):
        encoded = coding.encode(flat.genome(space, Record(number, configuration, "random")))
        for name, domain in coding.domains.items():
            assert domain.is_valid(encoded[name])
        values, genes = (
            configs.to_dict(configuration),
            coding.decode(json.loads(json.dumps(encoded))),
        )
        for name, value in values.items():
            if not (unit and isinstance(value, float) and configs.choices(space[name]) is None):
                same(genes[name], value)
            else:
                extent = float(space[name].upper) - float(space[name].lower)
                assert genes[name] == pytest.approx(value, rel=1e-9, abs=1e-9 * extent)


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("name", sorted(NASTY))
def test_configuration_and_syne_tune_configuration_on_the_nasty_spaces(name, unit):
    for seed in range(15):
        check_coding(plain(NASTY[name]()), seed, unit)


@many
@given(spaces(), SEEDS)
def test_configuration_and_gradient_weights(space, seed):
    numbers = [name for name in space if configs.choices(space[name]) is None]
    refused = (
        pytest.raises(UnsupportedSpace, match=f"{numbers[0]!r} is numeric") if numbers else None
    )
    with refused or contextlib.nullcontext():
        relaxable(space)
    check_weights(finite(space), seed)


def check_weights(space, seed):
    sizes = relaxable(space)
    for configuration in drawn(space, seed):
        mixture = one_hot(configuration, dtype=torch.float64)
        assert list(mixture) == list(configs.to_dict(configuration))
        weights = {name: [1 / size] * size for name, size in sizes.items()}
        weights |= {name: one.values.tolist() for name, one in mixture.items()}
        back = most_probable(space, weights)
        same(configs.to_dict(back), configs.to_dict(configuration))


@pytest.mark.parametrize("name", sorted(NASTY))
def test_configuration_and_gradient_weights_on_the_nasty_spaces(name):
    for seed in range(5):
        check_weights(finite(NASTY[name]()), seed)
