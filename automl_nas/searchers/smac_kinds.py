"""Which of SMAC's facades a name stands for, and a space without its priors. Imports no SMAC."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ConfigSpace import ConfigurationSpace

from automl_nas import configs


class Kind(NamedTuple):
    """One of SMAC's facades."""

    facade: str
    """Class in `smac`."""
    design: str = "sobol"
    """The facade's own initial design."""
    several: bool = False
    """Whether it is for several metrics, by ParEGO's scalarisations."""
    process: bool = False
    """Whether it has a Gaussian process rather than a forest."""


_FOREST, _PROCESS = "HyperparameterOptimizationFacade", "BlackBoxFacade"
KINDS = {
    "rf": Kind(_FOREST),
    "parego": Kind(_FOREST, several=True),
    "gp": Kind(_PROCESS, process=True),
    "gp-parego": Kind(_PROCESS, several=True, process=True),
    "ac": Kind("AlgorithmConfigurationFacade", design="default"),
}
DESIGNS = ("sobol", "random", "default")


def has_priors(space: ConfigurationSpace) -> bool:
    """Whether some value of some hyperparameter is likelier than others."""
    return any(configs.prior(hyperparameter) for hyperparameter in space.values())


def uniform(space_json: str) -> ConfigurationSpace:
    """The space with the same legal values, all equally likely; vectors mean the same in both.

    ConfigSpace's own `remove_hyperparameter_priors` raises TypeError where a forbidden clause
    compares with a number (ConfigSpace 1.2).
    """
    stored = json.loads(space_json)
    stored["hyperparameters"] = [_uniform(each) for each in stored["hyperparameters"]]
    return configs.space_from_json(json.dumps(stored))


def _uniform(hyperparameter: dict[str, Any]) -> dict[str, Any]:
    prior, _, number = hyperparameter["type"].partition("_")
    if prior in ("normal", "beta"):
        shape = ("mu", "sigma", "alpha", "beta")
        kept = {key: value for key, value in hyperparameter.items() if key not in shape}
        return {**kept, "type": f"uniform_{number}"}
    if hyperparameter.get("weights") is not None:
        return {**hyperparameter, "weights": None}
    return hyperparameter
