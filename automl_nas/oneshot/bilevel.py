"""The one training loop of every one-shot method: architecture and weights in turn.

    state = start(network, Relaxation(space), recipe)
    for epoch in range(epochs):
        flops += train_epoch(state, sampler, splits, recipe, epoch=epoch, epochs=epochs)

Each step is first-order bilevel optimisation (Liu et al. 2019, arXiv 1806.09055, algorithm 1 with
xi = 0): the architecture on a batch of the `architecture` split, weights as they are, unless the
sampler does not learn; then the weights on a `train` batch. Each half draws its own mixture.
Everything random comes from torch's current generator.

Departures from the published codes: images are not augmented; the architecture half computes no
gradients of weights, the weights' half none of logits; operations that were not drawn keep their
weights (no decay, no momentum). FLOPs are charged as forward + backward = 3 forward passes in both
halves, although the gradients left out cost less.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from ConfigSpace import ConfigurationSpace
from torch import Tensor, nn
from torch.nn import functional

from automl_nas.errors import StudyError
from automl_nas.flops import PASSES
from automl_nas.images import Split, Splits
from automl_nas.oneshot.recipe import OneShotRecipe
from automl_nas.oneshot.relaxation import Relaxation
from automl_nas.oneshot.samplers import Sampler
from automl_nas.supernet.mixture import Mixture, Supernet, Weights, relaxable

__all__ = ["FlopsMeter", "OneShot", "OneShotRecipe", "epoch_flops", "start", "train_epoch"]

_DRAWS = 64
"""At least so many mixtures stand for a hard sampler's expected cost."""


@dataclass
class OneShot:
    """All that training changes."""

    network: nn.Module
    """A `Supernet`."""
    relaxation: Relaxation
    weights: torch.optim.SGD
    architecture: torch.optim.Adam

    @property
    def supernet(self) -> Supernet:
        """The network by its other interface."""
        return cast(Supernet, self.network)


def start(network: nn.Module, relaxation: Relaxation, recipe: OneShotRecipe) -> OneShot:
    """Both modules on the recipe's device, channels last, with fresh optimisers."""
    network.to(recipe.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    relaxation.to(recipe.device)
    weights = torch.optim.SGD(
        network.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
    )
    architecture = torch.optim.Adam(
        relaxation.parameters(),
        lr=recipe.architecture_lr,
        betas=recipe.architecture_betas,
        weight_decay=recipe.architecture_weight_decay,
    )
    return OneShot(network, relaxation, weights, architecture)


class FlopsMeter:
    """`forward_flops` of mixtures, asked once for each set of drawn indices.

    Soft weights are taken to cost the same whatever their values.
    """

    def __init__(self, supernet: Supernet) -> None:
        self._supernet = supernet
        self._known: dict[tuple[int | None, ...], float] = {}

    def __call__(self, mixture: Mixture) -> float:
        """FLOPs per sample of one forward pass."""
        key = tuple(weights.index for weights in mixture.values())
        if key not in self._known:
            self._known[key] = self._supernet.forward_flops(mixture)
        return self._known[key]


def train_epoch(
    state: OneShot,
    sampler: Sampler,
    splits: Splits,
    recipe: OneShotRecipe,
    *,
    epoch: int,
    epochs: int,
) -> float:
    """One pass over the `train` split, epoch 0 ... epochs - 1 of the run; returns training FLOPs.

    Raises:
        StudyError: a loss became infinite or not a number.
    """
    progress = epoch / (epochs - 1) if epochs > 1 else 0.0
    for group in state.weights.param_groups:
        group["lr"] = recipe.lr_at(epoch, epochs)
    state.network.train()
    meter, flops = FlopsMeter(state.supernet), 0.0
    losses = torch.zeros((), device=recipe.device)
    for train, architecture in zip(*_epoch_batches(splits, recipe), strict=True):
        if sampler.learns:
            mixture = state.relaxation.sample(sampler, progress)
            losses += _architecture_step(state, mixture, architecture)
            flops += PASSES * len(architecture.labels) * meter(mixture)
        with torch.no_grad():
            mixture = state.relaxation.sample(sampler, progress)
        losses += _weight_step(state, mixture, train, recipe.clip)
        flops += PASSES * len(train.labels) * meter(mixture)
    if not math.isfinite(float(losses)):
        raise StudyError(
            f"one-shot training diverged in epoch {epoch}: lower OneShotRecipe.lr or "
            "OneShotRecipe.architecture_lr, or check that the images are finite."
        )
    return flops


def _architecture_step(state: OneShot, mixture: Mixture, batch: Split) -> Tensor:
    loss = functional.cross_entropy(state.supernet.soft(batch.images, mixture), batch.labels)
    logits = list(state.relaxation.parameters())
    gradients = torch.autograd.grad(loss, logits, allow_unused=True)
    for parameter, gradient in zip(logits, gradients, strict=True):
        parameter.grad = gradient
    state.architecture.step()
    return loss.detach()


def _weight_step(state: OneShot, mixture: Mixture, batch: Split, clip: float) -> Tensor:
    loss = functional.cross_entropy(state.supernet.soft(batch.images, mixture), batch.labels)
    state.weights.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), clip)
    state.weights.step()
    return loss.detach()


def _epoch_batches(
    splits: Splits, recipe: OneShotRecipe
) -> tuple[Iterator[Split], Iterator[Split]]:
    steps, batch = _steps(splits.train, recipe)
    _, architecture = _steps(splits.architecture, recipe)
    return (
        _batches(splits.train, _order(len(splits.train.labels), batch, steps)),
        _batches(splits.architecture, _order(len(splits.architecture.labels), architecture, steps)),
    )


def _steps(split: Split, recipe: OneShotRecipe) -> tuple[int, int]:
    """Batches per pass over a split, and their size."""
    batch = min(recipe.batch_size, len(split.labels))
    return len(split.labels) // batch, batch


def _order(samples: int, batch: int, steps: int) -> Tensor:
    """(steps, batch) indices: one permutation after another, whole batches of each."""
    each = samples // batch
    passes = [torch.randperm(samples)[: each * batch] for _ in range(-(-steps // each))]
    return torch.cat(passes)[: steps * batch].view(steps, batch)


def _batches(split: Split, order: Tensor) -> Iterator[Split]:
    for indices in order.to(split.images.device):
        yield Split(split.images[indices], split.labels[indices])


def epoch_flops(
    supernet: Supernet,
    space: ConfigurationSpace,
    sampler: Sampler,
    splits: Splits,
    recipe: OneShotRecipe,
) -> float:
    """Training FLOPs of one epoch, to size a run by a budget.

    Exact for soft samplers. For hard ones the expectation before anything is learned, every choice
    being equally likely: exact where the cost is a sum over hyperparameters, else an estimate.
    """
    steps, batch = _steps(splits.train, recipe)
    samples = steps * batch
    if sampler.learns:
        samples += steps * _steps(splits.architecture, recipe)[1]
    return PASSES * samples * expected_forward(supernet, space, sampler)


def expected_forward(supernet: Supernet, space: ConfigurationSpace, sampler: Sampler) -> float:
    """Forward FLOPs per sample before anything is learned; see `epoch_flops`."""
    sizes = relaxable(space)
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        drawn = {name: sampler.draw(torch.zeros(size), 0.0) for name, size in sizes.items()}
    if all(weights.index is None for weights in drawn.values()):
        return supernet.forward_flops(drawn)
    block = min(math.lcm(*sizes.values()), 40 * _DRAWS)
    draws = block * -(-_DRAWS // block)
    # A balanced design: every choice of every hyperparameter occurs equally often.
    columns = {
        name: (torch.randperm(draws, generator=generator) % size).tolist()
        for name, size in sizes.items()
    }
    total = sum(
        supernet.forward_flops({name: _fixed(sizes[name], columns[name][i]) for name in sizes})
        for i in range(draws)
    )
    return total / draws


def _fixed(size: int, index: int) -> Weights:
    values = torch.zeros(size)
    values[index] = 1
    return Weights(values, index)
