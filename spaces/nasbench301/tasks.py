"""What can be searched on NAS-Bench-301: files of trained networks, and a surrogate.

    space, objective = labelled("cifar10", path="~/benchmarks")
    objective = surrogate("~/benchmarks/yahpo/nb301")

No optimum is published as a yardstick: the benchmark is a surrogate over 1e18 networks.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ConfigSpace import Configuration

from automl_nas import tables
from automl_nas.errors import SettingError
from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.tables.yahpo import Yahpo
from automl_nas.types import Fidelity, Measurement, Metric, Trial
from spaces.labelled import Labelled
from spaces.labelled import labelled as over_rows

from .space import PREFIX, to_key, to_nb301

EPOCHS = 98
"""To which the YAHPO surrogate predicts."""
_SCENARIO = PREFIX.replace(":", "_COLON_")
"""How YAHPO writes NAS-Bench-301's prefix."""


def table(task: str = "cifar10", *, path: str | Path | None = None) -> TableObjective:
    """The trained networks of one data set; any other network is a TableError.

    Raises:
        MissingTable: the files are not there.
        TableError: a file is damaged.
    """
    data = tables.open("nasbench301", task, path=path)
    readings = [Reading("validation_error")]
    if "parameters" in data.columns:
        readings.append(Reading("parameters"))
    seconds = "training_seconds" if "training_seconds" in data.columns else None
    return TableObjective(data, to_key, tuple(readings), seconds, continues=True)


def labelled(task: str = "cifar10", *, path: str | Path | None = None) -> Labelled:
    """The trained networks as a space of their own, with the objective."""
    return over_rows(table(task, path=path))


def surrogate(path: str | Path, *, accuracy_scale: float = 1.0, epochs: int = EPOCHS) -> Surrogate:
    """YAHPO's surrogate of NAS-Bench-301 in a folder: a model `*.onnx` and an `encoding*.json`.

    Raises:
        TableError: there are no such files, or they are damaged.
        MissingPackage: onnxruntime is not installed (`pip install automl_nas[nb301]`).
    """
    return Surrogate(Yahpo.find(Path(path).expanduser()), accuracy_scale, epochs)


@dataclass(frozen=True)
class Surrogate:
    """Predictions for any network at any epoch; an `Objective`."""

    model: Yahpo
    """The model and how it encodes choices."""
    accuracy_scale: float = 1.0
    """What a predicted accuracy is multiplied with to be a percentage."""
    epochs: int = EPOCHS
    """The full training."""

    @property
    def name(self) -> str:
        """`surrogate:nasbench301/cifar10`."""
        return "surrogate:nasbench301/cifar10"

    @functools.cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The predicted validation error."""
        return (Metric("validation_error", unit="%"),)

    @property
    def fidelity(self) -> Fidelity:
        """Epochs."""
        return Fidelity("epochs", self.epochs)

    @property
    def full_training_flops(self) -> float | None:
        """None: the model does not predict them."""
        return None

    @property
    def packages(self) -> tuple[str, ...]:
        """What predicts."""
        return ("onnxruntime",)

    def identity_json(self) -> dict[str, Any]:
        """The model's and the encoding's digest, and how they are read."""
        return {
            "type": type(self).__qualname__,
            "model": self.model.digest,
            "accuracy_scale": self.accuracy_scale,
            "epochs": self.epochs,
        }

    def __call__(
        self, configuration: Configuration, fidelity: int | None, trial: Trial
    ) -> Measurement:
        """The predicted error and the predicted seconds up to the epoch (None: full).

        Raises:
            SettingError: the epoch is outside 1 ... `epochs`, or the scale gives no percentage.
        """
        epoch = self.epochs if fidelity is None else fidelity
        if not 1 <= epoch <= self.epochs:
            raise SettingError(f"expected an epoch from 1 to {self.epochs}, got {epoch}.")
        names = to_nb301(configuration)
        now = self._predict(names, epoch)
        before = self._predict(names, trial.continued)["runtime"] if trial.continued else 0.0
        seconds = max(0.0, now["runtime"] - before)
        return Measurement({"validation_error": self._error(now)}, simulated_seconds=seconds)

    def _predict(self, names: Mapping[str, str], epoch: int) -> dict[str, float]:
        choices = {name.replace(PREFIX, _SCENARIO): value for name, value in names.items()}
        return self.model.predict(choices, {"epoch": float(epoch)})

    def _error(self, predicted: Mapping[str, float]) -> float:
        accuracy = predicted["val_accuracy"] * self.accuracy_scale
        if not 1.0 < accuracy <= 101.0:
            raise SettingError(
                f"the model predicts an accuracy of {accuracy} %, where chance is 10 %: set "
                "accuracy_scale to 100 if it predicts fractions, or to 1 if percentages."
            )
        return 100.0 - accuracy
