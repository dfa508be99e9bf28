"""The supervised training loop: stochastic gradient descent with a cosine schedule, in memory.

    with isolated(device, threads=1):
        reseed(seed, device)
        network = build().to(device)
        fitted = fit(network, splits.train, TrainingRecipe(epochs=10), seed=seed)

The order of the images is keyed by `seed`; weights and dropout come from torch's current
generators (`automl_nas.isolation` sets them and puts them back).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automl_nas import seeds
from automl_nas.errors import SettingError
from automl_nas.images import Split
from automl_nas.objectives.continuing import State, restore, state
from automl_nas.settings import require_between, require_positive

_EVALUATION_BATCH = 125
"""Images per forward pass outside training; of no influence on results in evaluation mode."""


@dataclass(frozen=True)
class TrainingRecipe:
    """Stochastic gradient descent with a cosine schedule."""

    epochs: int = 10
    """Passes over the training part at full fidelity."""
    batch_size: int = 100
    """Images per step; an incomplete last batch of an epoch is left out."""
    learning_rate: float = 0.1
    """At the first step; it falls to zero along half a cosine over all steps of the schedule."""
    momentum: float = 0.9
    """Decay of the running sum of gradients."""
    weight_decay: float = 5e-4
    """L2 penalty on all parameters."""
    nesterov: bool = True
    """Nesterov's form of the momentum."""
    clip: float | None = None
    """Largest norm of a step's gradient; None: any."""
    threads: int = 1
    """CPU threads of the training."""
    device: str = "cpu"
    """Where to train, in torch's words."""
    continues: bool = False
    """Whether fewer epochs are the beginning of the full training, with its schedule, and a
    promoted trial goes on from there; else they are a training with a schedule of its own."""

    def __post_init__(self) -> None:
        require_positive(self, "epochs", "batch_size", "threads")
        require_between(self, 0, math.inf, "learning_rate", "weight_decay")
        require_between(self, 0, 1, "momentum")
        if self.nesterov and self.momentum == 0:
            raise SettingError("TrainingRecipe: Nesterov needs a momentum, say nesterov=False.")
        if self.clip is not None:
            require_between(self, 0, math.inf, "clip")


@dataclass(frozen=True)
class Fitted:
    """What a training did."""

    images_seen: int
    """Training images, counted as often as they were seen."""
    diverged: bool
    """Whether it was stopped at an epoch whose loss was not finite."""
    state: State | None = None
    """What a longer training goes on from, where the recipe continues and there is a longer one."""


def steps_per_epoch(images: int, recipe: TrainingRecipe) -> int:
    """Whole batches in `images` training images; one smaller batch where there are too few."""
    return max(1, images // recipe.batch_size)


def images_per_epoch(images: int, recipe: TrainingRecipe) -> int:
    """How many of `images` training images an epoch uses."""
    return min(images, steps_per_epoch(images, recipe) * recipe.batch_size)


def fit(
    network: nn.Module,
    split: Split,
    recipe: TrainingRecipe,
    *,
    seed: int,
    epochs: int | None = None,
    done: int = 0,
    begun: State | None = None,
    report: Callable[[int, Mapping[str, float]], None] = lambda _epoch, _values: None,
) -> Fitted:
    """Trains in place on the recipe's device, where the network must be.

    After each epoch, from 1, `report(epoch, {"train_loss", "train_error"})` gives the mean over the
    epoch's own steps, the error in percent. With the state `begun` after `done` epochs it goes on
    from there, and is afterwards as if it had done them; nothing is reported of them.
    """
    epochs = recipe.epochs if epochs is None else epochs
    data = split.to(recipe.device)
    used = images_per_epoch(len(data.labels), recipe)
    optimizer = _optimizer(network, recipe)
    generator = torch.Generator().manual_seed(seeds.derive("order", seed))
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    first = 1
    if begun is not None:
        restore(begun, network, optimizer, generator, recipe.device)
        first = done + 1
    steps, length = steps_per_epoch(len(data.labels), recipe), _schedule(recipe, epochs)
    rates = _cosine(recipe.learning_rate, length * steps, first=(first - 1) * steps)
    for epoch in range(first, epochs + 1):
        total = torch.zeros(2, device=recipe.device)
        for batch in _batches(data, used, recipe.batch_size, generator):
            optimizer.param_groups[0]["lr"] = next(rates)
            total += len(batch.labels) * _step(network, batch, optimizer, recipe.clip)
        loss, wrong = (total / used).tolist()
        if not math.isfinite(loss):
            return Fitted(epoch * used, diverged=True)
        report(epoch, {"train_loss": loss, "train_error": 100 * wrong})
    longer = recipe.continues and epochs < recipe.epochs
    left = state(network, optimizer, generator, recipe.device) if longer else None
    return Fitted(epochs * used, diverged=False, state=left)


def _schedule(recipe: TrainingRecipe, epochs: int) -> int:
    """Epochs from the first to the last of the cosine."""
    return recipe.epochs if recipe.continues else epochs


def _batches(split: Split, used: int, size: int, generator: torch.Generator) -> Iterator[Split]:
    """The first `used` images of a fresh permutation, gathered once."""
    order = torch.randperm(len(split.labels), generator=generator)[:used].to(split.labels.device)
    images, labels = split.images[order], split.labels[order]
    for start in range(0, used, size):
        yield Split(images[start : start + size], labels[start : start + size])


def _optimizer(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        foreach=True,
    )


def _cosine(learning_rate: float, steps: int, *, first: int = 0) -> Iterator[float]:
    for step in range(first, steps):
        yield learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))


def _step(
    network: nn.Module, batch: Split, optimizer: torch.optim.Optimizer, clip: float | None
) -> Tensor:
    """One step; (mean loss, share of wrong images) before it."""
    logits = network(batch.images)
    loss = F.cross_entropy(logits, batch.labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        nn.utils.clip_grad_norm_(network.parameters(), clip, foreach=True)
    optimizer.step()
    wrong = (logits.detach().argmax(1) != batch.labels).float().mean()
    return torch.stack([loss.detach(), wrong])


@torch.no_grad()
def error(network: nn.Module, split: Split, device: torch.device | str = "cpu") -> float:
    """Wrong answers in percent, in evaluation mode; the network is left in it."""
    network.eval()
    data = split.to(device)
    wrong = torch.zeros((), dtype=torch.int64, device=device)
    for start in range(0, len(data.labels), _EVALUATION_BATCH):
        part = slice(start, start + _EVALUATION_BATCH)
        wrong += (network(data.images[part]).argmax(1) != data.labels[part]).sum()
    return 100 * float(wrong) / len(data.labels)
