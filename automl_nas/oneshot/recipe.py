"""How a supernet and its architecture parameters are trained, as one frozen recipe. No torch here.

Defaults follow DARTS (Liu et al. 2019, arXiv 1806.09055, and its published code), with the Nesterov
momentum and weight decay of NAS-Bench-201's search code (Dong & Yang 2020, arXiv 2001.00326).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from automl_nas.settings import require_between, require_positive


@dataclass(frozen=True)
class OneShotRecipe:
    """Settings of the one training loop, `automl_nas.oneshot.bilevel`."""

    epochs_per_round: int = 5
    """Passes over the `train` split between two proposals."""
    batch_size: int = 64
    """Images per step; a split with fewer images is one batch, an incomplete last batch is left
    out (each epoch has another permutation)."""
    lr: float = 0.025
    """First learning rate of the weights' SGD; cosine over the epochs of the whole run."""
    lr_min: float = 0.0
    """Where the cosine would end one epoch after the last."""
    momentum: float = 0.9
    """Momentum of the weights' SGD, Nesterov's kind when above zero."""
    weight_decay: float = 5e-4
    """L2 penalty on the weights."""
    clip: float = 5.0
    """Greatest norm of the weights' gradient."""
    architecture_lr: float = 3e-4
    """Learning rate of Adam on the architecture parameters, constant."""
    architecture_betas: tuple[float, float] = (0.5, 0.999)
    """Adam's decay rates."""
    architecture_weight_decay: float = 1e-3
    """L2 penalty on the logits, as the published codes of DARTS and DrNAS have it (DrNAS's paper
    penalises the distance of the concentrations from one)."""
    threads: int = 1
    """Torch's intra-operation threads; part of the result, since sums are ordered by them."""
    device: str = "cpu"
    """A torch device; elsewhere than on the CPU results repeat only with deterministic kernels."""

    def __post_init__(self) -> None:
        require_positive(self, "epochs_per_round", "batch_size", "threads")
        require_between(self, 0, math.inf, "lr", "lr_min", "clip", "architecture_lr")
        require_between(self, 0, math.inf, "weight_decay", "architecture_weight_decay")
        require_between(self, 0, 1, "momentum")

    def lr_at(self, epoch: int, epochs: int) -> float:
        """Learning rate of epoch 0 ... epochs - 1 of the run (Loshchilov & Hutter 2017, eq. 5)."""
        cosine = 0.5 * (1 + math.cos(math.pi * epoch / epochs))
        return self.lr_min + (self.lr - self.lr_min) * cosine
