"""Which spaces the library accepts, and what an engine without priors cannot express.

ConfigSpace can say a little more than JSON, Optuna or ConfigSpace itself can keep apart.
`check_space` refuses:

| refused                                            | why                                         |
|----------------------------------------------------|---------------------------------------------|
| an empty space                                     | there is nothing to choose                  |
| a choice that is not None, bool, int, float or str | JSON has no such value                      |
| NaN as a choice                                    | it does not equal itself                    |
| choices of equal value, such as True and 1         | JSON tells them apart, ConfigSpace does not |
| a float narrower, or a log float lower, than 1e-10 | ConfigSpace rounds to 13 decimals           |
| "and" beside "or" of equal conditions              | ConfigSpace 1.2.2 takes one for the other   |

ConfigSpace itself refuses numbers with one value (use a Constant), a normal prior on a log scale
whose mean is not positive, and a space whose default configuration is forbidden.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.conditions import Conjunction
from ConfigSpace.hyperparameters import (
    BetaFloatHyperparameter,
    BetaIntegerHyperparameter,
    CategoricalHyperparameter,
    FloatHyperparameter,
    NormalFloatHyperparameter,
    NormalIntegerHyperparameter,
)

from automl_nas.errors import SpaceError, UnsupportedSpace
from automl_nas.layout import AnyHyperparameter, choices

_FINEST = 1e-10
"""Smaller floats would keep fewer than three of ConfigSpace's 13 decimals."""


def prior(hyperparameter: AnyHyperparameter) -> str | None:
    """What an engine without priors cannot express, in words; None for a uniform one."""
    match hyperparameter:
        case CategoricalHyperparameter() if hyperparameter.weights is not None:
            return "weights" if len(set(hyperparameter.weights)) > 1 else None
        case NormalFloatHyperparameter() | NormalIntegerHyperparameter():
            return "a normal prior"
        case BetaFloatHyperparameter() | BetaIntegerHyperparameter():
            return "a beta prior"
        case _:
            return None


def check_space(space: ConfigurationSpace) -> None:
    """Refuses what the table above lists.

    Raises:
        SpaceError: the space is empty.
        UnsupportedSpace: names the hyperparameter and what to do.
    """
    if len(space) == 0:
        raise SpaceError("the space is empty: add at least one hyperparameter to it.")
    for hyperparameter in space.values():
        _check_choices(hyperparameter)
        if isinstance(hyperparameter, FloatHyperparameter):
            _check_resolution(hyperparameter)
    for one, other in itertools.combinations(space.conditions, 2):
        _check_conjunctions(one, other)


def _check_choices(hyperparameter: AnyHyperparameter) -> None:
    name, options = hyperparameter.name, choices(hyperparameter) or ()
    for option in options:
        if not isinstance(option, None | bool | int | float | str) or option != option:
            raise UnsupportedSpace(
                f"hyperparameter {name!r} has the choice {option!r} of type "
                f"{type(option).__name__}: use None, bool, int, float or str (a name for it)."
            )
    if len({json.dumps(option) for option in options}) > len(set(options)):
        raise UnsupportedSpace(
            f"hyperparameter {name!r} mixes equal choices {options!r}: use strings instead."
        )


def _check_resolution(hyperparameter: Any) -> None:
    low, high = float(hyperparameter.lower), float(hyperparameter.upper)
    finest = low if hyperparameter.log else high - low
    if finest < _FINEST:
        raise UnsupportedSpace(
            f"hyperparameter {hyperparameter.name!r} goes from {low} to {high}, too fine for "
            f"ConfigSpace, which rounds floats to 13 decimals ({_FINEST} is the least): search "
            "over its exponent, or in another unit."
        )


def _check_conjunctions(one: Any, other: Any) -> None:
    if not (isinstance(one, Conjunction) and isinstance(other, Conjunction)):
        return
    taken_as_equal = one.equivalent_condition_on_parent(other)
    if taken_as_equal and _meaning(one) != _meaning(other):
        raise UnsupportedSpace(
            f"hyperparameters {one.child.name!r} and {other.child.name!r} have the conditions "
            f"{one} and {other}, which ConfigSpace takes for the same: repeat one of the terms of "
            "one of them, so that they have not the same number."
        )


def _meaning(condition: Any) -> Any:
    """A condition without its child, so that equal ones mean the same."""
    if isinstance(condition, Conjunction):
        terms = {json.dumps(_meaning(term), default=str) for term in condition.components}
        return [type(condition).__name__, sorted(terms)]
    return [type(condition).__name__, condition.parent.name, repr(condition.value)]
