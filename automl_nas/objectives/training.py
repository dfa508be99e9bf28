"""Trains a configuration's network from scratch and measures it.

    objective = TrainingObjective(networks, Digits(), TrainingRecipe(epochs=10))

`networks` says how a configuration becomes a network and what it costs: a frozen dataclass with
`build`, `forward_flops` and `mean_forward_flops` (`spaces.nasbench201.NetworkRecipe` is one), or
`FromFunction(build)` around a plain function. The fidelity is `epochs`: fewer epochs are a training
of their own with a cosine schedule of their own, not the beginning of a longer one, unless the
recipe says `continues=True`. Then a trial leaves a checkpoint, a trial that continues it goes on
from there exactly, and only its own epochs are charged. Where the checkpoint is missing or torn, or
the study has no folder, the training is done again from the start: the same values (bit for bit on
the CPU), the same charge, the same learning curve.

All randomness is keyed by `trial.seed`, that of a `build` which draws from global generators too;
Python's, NumPy's and torch's generators and torch's thread count are as before when the call
returns. Results repeat exactly for one thread count and device; on a GPU only with deterministic
kernels. Threads are a setting of the process: run workers as processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from ConfigSpace import Configuration
from torch import nn

from automl_nas import configs, seeds
from automl_nas.errors import SettingError
from automl_nas.flops import PASSES, Shape, forward_flops
from automl_nas.images import ImageTask, Splits
from automl_nas.isolation import isolated, reseed
from automl_nas.objectives import continuing
from automl_nas.objectives.fit import Fitted, TrainingRecipe, error, fit, images_per_epoch
from automl_nas.types import Fidelity, Measurement, Metric, Trial


class Networks(Protocol):
    """How configurations become networks; a frozen dataclass, part of a study's identity."""

    def build(self, configuration: Configuration) -> nn.Module:
        """A fresh network, (batch, channels, height, width) -> (batch, classes)."""

    def forward_flops(self, configuration: Configuration, image: Shape) -> float:
        """FLOPs per image, 2 x MACs."""

    def mean_forward_flops(self, image: Shape) -> float | None:
        """The mean of `forward_flops` over the space; None: not known."""


@dataclass(frozen=True)
class FromFunction:
    """A plain `build(configuration) -> nn.Module` as `Networks`; FLOPs are counted by torch."""

    function: Callable[[Configuration], nn.Module]

    def build(self, configuration: Configuration) -> nn.Module:
        """The function's network."""
        return self.function(configuration)

    def forward_flops(self, configuration: Configuration, image: Shape) -> float:
        """Counted on a network built for it."""
        with isolated():
            reseed(0)
            return forward_flops(self.function(configuration), image)

    def mean_forward_flops(self, image: Shape) -> float | None:  # noqa: ARG002
        """Not known for a mere function."""
        return None


@dataclass(frozen=True)
class TrainingObjective:
    """Error of a network trained from scratch, its parameters and FLOPs; an `Objective`."""

    networks: Networks
    """How a configuration becomes a network."""
    task: ImageTask
    """Trained on `train`, measured on `validation` and `test`."""
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)
    """How to train."""
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("validation_error", unit="%"),
        Metric("test_error", unit="%"),
        Metric("parameters"),
        Metric("flops", unit="FLOPs per image"),
    )
    packages: ClassVar[tuple[str, ...]] = ("torch",)

    @property
    def name(self) -> str:
        """Such as `training:digits`."""
        return f"training:{self.task.name}"

    @property
    def fidelity(self) -> Fidelity:
        """Epochs."""
        return Fidelity("epochs", self.recipe.epochs)

    @property
    def full_training_flops(self) -> float | None:
        """Training FLOPs at full fidelity of the mean network of the space."""
        splits = self.task.load()
        flops = self.networks.mean_forward_flops(image_shape(splits))
        seen = self.recipe.epochs * images_per_epoch(len(splits.train.labels), self.recipe)
        return None if flops is None else seen * PASSES * flops

    @property
    def continues(self) -> bool:
        """Whether a trial goes on from its parent's checkpoint and is charged the rest alone."""
        return self.recipe.continues

    def __call__(
        self, configuration: Configuration, fidelity: int | None, trial: Trial
    ) -> Measurement:
        """Trains for `fidelity` epochs (None: all). A diverged training has NaN errors.

        Raises:
            SettingError: the fidelity is outside 1 … `recipe.epochs`, or not more than what the
                trial continues.
        """
        epochs = self.recipe.epochs if fidelity is None else fidelity
        if not 1 <= epochs <= self.recipe.epochs:
            raise SettingError(f"expected 1 … {self.recipe.epochs} epochs, got {fidelity=}.")
        done = self._done(epochs, trial)
        splits, device = self.task.load(), self.recipe.device
        flops = self.networks.forward_flops(configuration, image_shape(splits))
        with isolated(device, threads=self.recipe.threads):
            reseed(seeds.derive("training", trial.seed), device)
            network = self.networks.build(configuration).to(device)
            fitted = self._fit(network, configuration, splits, epochs, trial)
            errors = _errors(network, splits, device) if not fitted.diverged else (math.nan,) * 2
        paid = done * images_per_epoch(len(splits.train.labels), self.recipe)
        parameters = float(sum(parameter.numel() for parameter in network.parameters()))
        values = (*errors, parameters, flops)
        return Measurement(
            {metric.name: value for metric, value in zip(self.metrics, values, strict=True)},
            training_flops=(fitted.images_seen - paid) * PASSES * flops,
        )

    def _fit(
        self,
        network: nn.Module,
        configuration: Configuration,
        splits: Splits,
        epochs: int,
        trial: Trial,
    ) -> Fitted:
        """Trains from the checkpoint of the trial that this one continues, or from the start."""
        done, of = self._done(epochs, trial), self._chain(configuration, trial.seed)
        fitted = fit(
            network,
            splits.train,
            self.recipe,
            seed=trial.seed,
            epochs=epochs,
            done=done,
            begun=continuing.read(trial.parent_folder, of, done),
            report=lambda epoch, point: trial.report(epoch, point) if epoch > done else None,
        )
        continuing.save(trial.folder, of, epochs, fitted.state)
        return fitted

    def _done(self, epochs: int, trial: Trial) -> int:
        """Epochs that the continued trial has been charged for."""
        if not self.recipe.continues:
            return 0
        if trial.continued >= epochs:
            raise SettingError(
                f"expected more epochs than the {trial.continued} of the continued trial, "
                f"got {epochs}."
            )
        return trial.continued

    def _chain(self, configuration: Configuration, seed: int) -> str:
        return continuing.chain(
            self.networks, self.task, self.recipe, configs.to_dict(configuration), seed
        )


def _errors(network: nn.Module, splits: Splits, device: str) -> tuple[float, float]:
    return error(network, splits.validation, device), error(network, splits.test, device)


def image_shape(splits: Splits) -> Shape:
    """(channels, height, width) of the task's images."""
    channels, height, width = splits.train.images.shape[1:]
    return channels, height, width
