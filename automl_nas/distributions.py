"""ConfigSpace hyperparameters as Optuna distributions, for the ledger and for Optuna's samplers.

    distribution(space["width"])  # IntDistribution(low=8, high=64, log=True, step=1)

Bounds, log scales and native choices are kept. Optuna has no ordinals, constants, weights or
normal and beta priors: an ordinal becomes a categorical in its order, a constant a categorical of
one choice, and priors are left to the searchers (a distribution says what is allowed, not how
likely it is).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ConfigSpace.hyperparameters import FloatHyperparameter, Hyperparameter, IntegerHyperparameter

from automl_nas import configs
from automl_nas.errors import UnsupportedSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


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
