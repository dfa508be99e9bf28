"""piBO: SMAC's acquisition times the space's own priors, which fade as records come in.

Imports SMAC at once (two seconds): import this module inside functions only.

`Belief` is SMAC's `PriorAcquisitionFunction` with three differences: the initial design's size is
given (SMAC takes the records of its first fit for it, and here every fit is a first one, so that
the prior would never fade); the priors come from the space as the user wrote it, though the model
works on a uniform copy; an inactive hyperparameter counts as much as its average value, where SMAC
gives it a density of zero.
Source: Hvarfner et al. 2022, ICLR, "piBO".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import FloatHyperparameter
from smac.acquisition.function import AbstractAcquisitionFunction
from smac.acquisition.function.prior_acquisition_function import PriorAcquisitionFunction

from automl_nas import configs


class Belief(PriorAcquisitionFunction):
    """An acquisition function times the priors of `space` to the power of decay / records.

    Args:
        inner: positive, such as expected improvement.
        space: with priors.
        decay: records until the prior counts as much as the acquisition does; 0: not at all.
        initial: records before the model is first used.
        forest: whether densities are rounded, as SMAC does for models that are constant in pieces.
    """

    def __init__(
        self,
        inner: AbstractAcquisitionFunction,
        space: ConfigurationSpace,
        *,
        decay: float,
        initial: int,
        forest: bool,
    ) -> None:
        super().__init__(inner, decay_beta=decay, discretize=forest)
        self._priors = list(space.values())
        self._averages = [_average(hyperparameter) for hyperparameter in self._priors]
        self._initial_design_size: Any = initial

    @property
    def model(self) -> Any:
        """The surrogate."""
        return self._model

    @model.setter
    def model(self, model: Any) -> None:
        self._model = model

    def _update(self, **kwargs: Any) -> None:
        super()._update(**kwargs)
        self._iteration_number = max(0, self._iteration_number)

    def _compute_prior(self, X: Any) -> Any:  # noqa: N803
        product = np.ones((len(X), 1))
        for hyperparameter, average, column in zip(self._priors, self._averages, X.T, strict=True):
            inactive = np.isnan(column)
            density = self._density(hyperparameter, np.where(inactive, 0.0, column))
            product *= np.where(inactive[:, np.newaxis], average, density)
        return product

    def _density(self, hyperparameter: Any, column: Any) -> Any:
        if self._discretize and isinstance(hyperparameter, FloatHyperparameter):
            fading = self._decay_beta / (self._iteration_number + 1)
            bins = int(np.ceil(self._discrete_bins_factor * fading))
            return self._compute_discretized_pdf(hyperparameter, column, bins)
        return hyperparameter.pdf_vector(column)[:, np.newaxis]


def _average(hyperparameter: Any) -> float:
    """Density of an average value: of any where all are alike, else of the uniform counterpart."""
    if configs.prior(hyperparameter) is None:
        vector = np.array([hyperparameter.to_vector(hyperparameter.default_value)], dtype=float)
        return float(hyperparameter.pdf_vector(vector)[0])
    return 1.0 if np.isinf(hyperparameter.size) else 1.0 / hyperparameter.size
