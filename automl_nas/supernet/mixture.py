"""A mixture maps each hyperparameter to weights over its choices; a configuration is a one-hot one.

A supernet takes the mixture as an argument and keeps no mode: DARTS passes a soft one, GDAS a hard
sample, single-path training and blackbox evaluation a one-hot one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from ConfigSpace import Configuration, ConfigurationSpace
from torch import Tensor, nn

from automl_nas import configs
from automl_nas.errors import UnsupportedSpace


@dataclass(frozen=True)
class Weights:
    """Weights over the choices of one hyperparameter."""

    values: Tensor
    """(choices,) in the order of `configs.choices`."""
    index: int | None = None
    """Set for a hard draw: only this choice is computed. `values` is one there and zero elsewhere
    (its gradient may be a straight-through one)."""


Mixture = Mapping[str, Weights]


class Supernet(Protocol):
    """All sub-networks of a space in one set of weights (an nn.Module)."""

    def soft(self, x: Tensor, mixture: Mixture) -> Tensor:
        """(batch, ...) -> (batch, classes) under a mixture."""

    def hard(self, x: Tensor, configuration: Configuration) -> Tensor:
        """The same for one configuration; equals `soft(x, one_hot(configuration))`."""

    def export(self, configuration: Configuration) -> nn.Module:
        """A stand-alone network with a copy of the configuration's weights."""

    def forward_flops(self, mixture: Mixture) -> float:
        """FLOPs per sample of what `soft` computes under this mixture."""


class SupernetRecipe(Protocol):
    """Builds a supernet; a frozen dataclass, so that a study knows what it was."""

    def build(self) -> nn.Module:
        """A freshly initialised `Supernet`, drawn from torch's current generator."""


def relaxable(space: ConfigurationSpace) -> dict[str, int]:
    """Hyperparameter -> number of choices.

    Raises:
        UnsupportedSpace: a hyperparameter is numeric and so has no finite set of weights.
    """
    sizes = {}
    for name, hyperparameter in space.items():
        options = configs.choices(hyperparameter)
        if options is None:
            raise UnsupportedSpace(
                f"hyperparameter {name!r} is numeric ({type(hyperparameter).__name__}) and cannot "
                "be relaxed by a gradient searcher: make it a Categorical or Ordinal of a few "
                "values, or fix it here and tune it in an outer study."
            )
        sizes[name] = len(options)
    return sizes


def one_hot(
    configuration: Configuration,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> dict[str, Weights]:
    """The configuration as a mixture; inactive hyperparameters are absent."""
    space, mixture = configuration.config_space, {}
    for name, value in configs.to_dict(configuration).items():
        options = configs.choices(space[name]) or ()
        index = options.index(value)
        values = torch.zeros(len(options), dtype=dtype, device=device)
        values[index] = 1
        mixture[name] = Weights(values, index)
    return mixture
