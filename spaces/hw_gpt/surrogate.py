"""The whole space of HW-GPT-Bench: perplexity, latency and energy predicted, parameters exact.

    objective = Surrogate(table, SCALES["s"], ("latency_a100", "energy_a100"))
    objective.error("perplexity")           # cross-validated: CrossValidated(relative=.0011, ...)

For each width a linear model of the logarithm, with every layer's heads and ratio as categories, of
depth, bias, and the sums with their squares and product: ridge regression, deterministic.

Five-fold cross-validation on the 10,000 rows of scale S, mean relative error / R^2 of the
logarithm: perplexity 0.11 % / .99995; latency on a100 0.2 % / .9999, on CPUs 3 to 9 %; energy on
a100 3.6 % / .964, on v100 1.8 % / .997, on a6000 6.3 % / .897. What energy lacks is mostly noise of
its measurement.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ConfigSpace import Configuration
from sklearn.linear_model import Ridge

from automl_nas.errors import SettingError, UnknownName
from automl_nas.tables.hwgpt import read_key
from automl_nas.tables.table import Table
from automl_nas.types import Fidelity, Measurement, Metric, Trial

from .space import Scale, parameters, to_key

_ALPHA = 1e-3
_FOLDS = 5
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CrossValidated:
    """Error of a prediction on rows that it was not fitted on."""

    relative: float
    """Mean of |predicted / measured - 1|."""
    explained: float
    """R^2 of the logarithm."""


@dataclass(frozen=True, eq=False)
class Surrogate:
    """An `Objective` over the whole space; it has no fidelity and no cost."""

    table: Table
    """What the models are fitted on."""
    scale: Scale
    columns: tuple[str, ...] = ()
    """Columns predicted besides the perplexity, such as `latency_a100`."""

    def __post_init__(self) -> None:
        for name in self._predicted:
            if name == "params":
                raise SettingError("parameters are always given, exactly: leave the column out.")
            if not (self.table.query(slice(None), name) > 0).all():
                raise SettingError(f"column {name!r} has values that are not positive.")

    @property
    def _predicted(self) -> tuple[str, ...]:
        return ("perplexity", *self.columns)

    @property
    def name(self) -> str:
        """Such as `surrogate:hw_gpt_bench/s`."""
        return f"surrogate:{self.table.name}"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Perplexity, parameters, and the columns."""
        others = tuple(self.table.column(name).metric for name in self.columns)
        perplexity = self.table.column("perplexity").metric
        return (perplexity, Metric("params", "min", "parameters"), *others)

    @property
    def fidelity(self) -> Fidelity | None:
        """None."""
        return None

    @property
    def full_training_flops(self) -> float | None:
        """None: nothing is trained."""
        return None

    @property
    def packages(self) -> tuple[str, ...]:
        """What the fit depends on."""
        return ("scikit-learn",)

    def identity_json(self) -> dict[str, Any]:
        """The table by its digest, and what is predicted from it."""
        return {
            "type": type(self).__qualname__,
            "table": self.table.name,
            "digest": self.table.digest,
            "columns": list(self.columns),
            "alpha": _ALPHA,
        }

    def __call__(
        self,
        configuration: Configuration,
        fidelity: int | None,  # noqa: ARG002
        trial: Trial,  # noqa: ARG002
    ) -> Measurement:
        """Predictions for one configuration."""
        key = to_key(configuration)
        inputs = self._inputs([key])
        values = {name: float(np.exp(self._models[name].predict(inputs)[0]))
                  for name in self._predicted}  # fmt: skip
        return Measurement({**values, "params": float(parameters(key))})

    def error(self, column: str) -> CrossValidated:
        """Five-fold cross-validated error of one of the predicted columns.

        Raises:
            UnknownName: it is not predicted.
        """
        if column not in self._predicted:
            raise UnknownName("predicted column", column, self._predicted)
        inputs, truth = self._inputs(self.table.keys.tolist()), self._logarithm(column)
        fold = np.random.default_rng(0).permutation(len(truth)) % _FOLDS
        guess = np.empty_like(truth)
        for one in range(_FOLDS):
            model = _fit(inputs[fold != one], truth[fold != one])
            guess[fold == one] = model.predict(inputs[fold == one])
        residual = guess - truth
        explained = 1.0 - float((residual**2).sum() / ((truth - truth.mean()) ** 2).sum())
        return CrossValidated(float(np.abs(np.expm1(residual)).mean()), explained)

    @functools.cached_property
    def _models(self) -> dict[str, Any]:
        inputs = self._inputs(self.table.keys.tolist())
        return {name: _fit(inputs, self._logarithm(name)) for name in self._predicted}

    def _logarithm(self, column: str) -> Floats:
        return np.log(self.table.query(slice(None), column))

    def _inputs(self, keys: Sequence[str]) -> Floats:
        """(n, widths * m): the m inputs of an architecture, zeros for the other widths."""
        widths = self.scale.widths
        rows = [_described(key, self.scale) for key in keys]
        inputs = np.zeros((len(keys), len(widths), len(rows[0])))
        for row, (key, described) in enumerate(zip(keys, rows, strict=True)):
            inputs[row, widths.index(read_key(key)[0])] = described
        return inputs.reshape(len(keys), -1)


def _described(key: str, scale: Scale) -> list[float]:
    _, bias, heads, ratios = read_key(key)
    depth = max(scale.depths)
    described = [1.0, float(bias), *(float(len(heads) == number) for number in scale.depths[1:])]
    for chosen, choices in ((heads, scale.heads), (ratios, scale.ratios)):
        filled = [*chosen, *[0] * (depth - len(chosen))]
        described += [float(value == choice) for choice in choices for value in filled]
    width = sum(heads) / (depth * max(scale.heads))
    hidden = sum(ratios) / (depth * max(scale.ratios))
    return [*described, width, hidden, width**2, hidden**2, width * hidden]


def _fit(inputs: Floats, truth: Floats) -> Any:
    return Ridge(alpha=_ALPHA, fit_intercept=False, solver="cholesky").fit(inputs, truth)
