"""ConfigSpace hyperparameters as Optuna distributions and back.

    distribution(space["width"])  # IntDistribution(low=8, high=64, log=True, step=1)
    hyperparameter("width", IntDistribution(8, 64, log=True))  # the same hyperparameter
    space_from_trials(study.trials)  # what an Optuna study has searched

Bounds, log scales and native choices are kept. Optuna has no ordinals, constants, weights or
normal and beta priors: an ordinal becomes a categorical in its order, a constant a categorical of
one choice, and priors are left to the searchers (a distribution says what is allowed, not how
likely it is). `require_lossless` refuses what would not come back.

The other way round a step becomes an ordinal of its values, as ConfigSpace has no steps, and a
distribution of one value a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ConfigSpace import Categorical, ConfigurationSpace, Constant, Float, Integer
from ConfigSpace.hyperparameters import FloatHyperparameter, Hyperparameter, IntegerHyperparameter

from automl_nas import configs
from automl_nas.errors import SpaceError, UnsupportedSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
    from optuna.trial import FrozenTrial


def distribution(hyperparameter: Hyperparameter[Any, Any]) -> BaseDistribution:
    """The Optuna distribution with the same legal values.

    Raises:
        UnsupportedSpace: a kind of hyperparameter that Optuna cannot store.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    log = bool(getattr(hyperparameter, "log", False))
    match hyperparameter:
        case IntegerHyperparameter():
            return IntDistribution(int(hyperparameter.lower), int(hyperparameter.upper), log=log)
        case FloatHyperparameter():
            return FloatDistribution(
                float(hyperparameter.lower), float(hyperparameter.upper), log=log
            )
    options = configs.choices(hyperparameter)
    if options is None:
        raise UnsupportedSpace(
            f"hyperparameter {hyperparameter.name!r} of type {type(hyperparameter).__name__} has "
            "no Optuna distribution: use a Float, Integer, Categorical, Ordinal or Constant."
        )
    return CategoricalDistribution(options)


def hyperparameter(name: str, given: BaseDistribution) -> Hyperparameter[Any, Any]:
    """The ConfigSpace hyperparameter with the same legal values.

    Raises:
        UnsupportedSpace: a kind of distribution that ConfigSpace has not.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match given:
        case IntDistribution() | FloatDistribution() if given.single():
            return Constant(name, given.low)
        case IntDistribution() | FloatDistribution() if given.step not in (None, 1) or (
            isinstance(given, FloatDistribution) and given.step is not None
        ):
            return Categorical(name, _steps(given), ordered=True)
        case IntDistribution():
            return Integer(name, (given.low, given.high), log=given.log)
        case FloatDistribution():
            return Float(name, (given.low, given.high), log=given.log)
        case CategoricalDistribution(choices=(choice,)):
            return Constant(name, choice)
        case CategoricalDistribution():
            return Categorical(name, list(given.choices))
    raise UnsupportedSpace(
        f"parameter {name!r} has a {type(given).__name__}, which ConfigSpace has not: give the "
        "space as a ConfigurationSpace."
    )


def _steps(given: IntDistribution | FloatDistribution) -> list[Any]:
    """The values of a distribution with a step, each once and computed as Optuna's samplers do."""
    count = round((given.high - given.low) / (given.step or 1)) + 1
    return [min(given.low + i * (given.step or 1), given.high) for i in range(count)]


def require_lossless(given: Hyperparameter[Any, Any]) -> None:
    """Raises UnsupportedSpace where a distribution does not tell all about a hyperparameter."""
    again = hyperparameter(given.name, distribution(given))
    if again == given:
        return
    lost = configs.prior(given) or (
        "an order" if type(again) is not type(given) else "a default or meta data"
    )
    raise UnsupportedSpace(
        f"hyperparameter {given.name!r} has {lost}, which an Optuna distribution cannot keep: "
        "store the space as JSON (configs.space_to_json)."
    )


def space_from_trials(trials: Sequence[FrozenTrial]) -> ConfigurationSpace:
    """The flat space from whose distributions the complete and pruned trials were drawn.

    Raises:
        SpaceError: no such trial; a parameter with two distributions; a parameter that not all
            trials have, whose condition only a ConfigurationSpace can tell.
    """
    from optuna.trial import TrialState

    told = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    if not any(trial.distributions for trial in told):
        raise SpaceError(
            "the Optuna study has no complete trial with parameters: give the space as a "
            "ConfigurationSpace."
        )
    found = _distributions(told)
    for name in found:
        missing = [trial.number for trial in told if name not in trial.distributions]
        if missing:
            raise SpaceError(
                f"parameter {name!r} is missing in {len(missing)} of {len(told)} trials (such as "
                f"{missing[0]}): give the space as a ConfigurationSpace that says when it is "
                "active."
            )
    space = ConfigurationSpace()
    space.add([hyperparameter(name, found[name]) for name in sorted(found)])
    configs.check_space(space)
    return space


def _distributions(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """The one distribution of each parameter."""
    found: dict[str, BaseDistribution] = {}
    for trial in trials:
        for name, given in trial.distributions.items():
            if found.setdefault(name, given) != given:
                raise SpaceError(
                    f"parameter {name!r} has two distributions, {found[name]} and in trial "
                    f"{trial.number} {given}: give the space as a ConfigurationSpace."
                )
    return found


def value_of(given: Hyperparameter[Any, Any], value: Any) -> configs.Value:
    """A trial's parameter as the hyperparameter spells it: the step nearest to a stepped number.

    Raises:
        SpaceError: the hyperparameter has no such value.
    """
    options = configs.choices(given)
    if options is not None and value not in options and isinstance(value, float):
        numbers = [option for option in options if isinstance(option, float)]
        near = min(numbers, key=lambda number: abs(number - value), default=None)
        if near is not None and abs(near - value) <= 1e-9 * max(1.0, abs(value)):
            return near
    if not given.legal_value(value):
        raise SpaceError(
            f"{given.name} = {value!r} is no value of hyperparameter {given}: give the space from "
            "which the trials were drawn."
        )
    plain: configs.Value = configs.native(value)
    return plain
