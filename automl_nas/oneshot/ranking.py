"""Choosing among paths by inherited weights (SPOS, Guo et al. 2020, arXiv 1904.00420, section 3).

Paths are compared on the `architecture` split by accuracy, equal ones by cross-entropy. Batch
normalisation uses the statistics of the batch: running ones are a blur over all paths that were
trained and fit none of them (the paper recalibrates them on training images for each path; a
departure that saves those passes). All else, such as dropout, is in evaluation mode. Ranking works
on a copy of the network and leaves no trace in the training.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from ConfigSpace import Configuration
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from automl_nas.images import Split
from automl_nas.supernet.mixture import Supernet, one_hot


@dataclass(frozen=True)
class Ranked:
    """The best of several paths."""

    configuration: Configuration
    accuracy: float
    """On the `architecture` split, between 0 and 1."""
    flops: float
    """Forward FLOPs of ranking all of them."""


def best_path(
    network: nn.Module, candidates: Sequence[Configuration], split: Split, batch_size: int
) -> Ranked:
    """The candidate with the greatest accuracy; of equal ones the first.

    The images are shuffled once with torch's current generator, since stored ones may be sorted by
    class, and cut into batches of nearly equal size, at most `batch_size`; all candidates see the
    same ones.
    """
    supernet = _for_ranking(network)
    order = torch.randperm(len(split.labels)).to(split.images.device)
    count = -(-len(order) // batch_size)
    batches = [Split(split.images[i], split.labels[i]) for i in order.tensor_split(count)]
    scores = [_score(supernet, candidate, batches) for candidate in candidates]
    best = max(range(len(scores)), key=scores.__getitem__)
    forward = sum(supernet.forward_flops(one_hot(candidate)) for candidate in candidates)
    return Ranked(candidates[best], scores[best][0] / len(order), forward * len(order))


def _for_ranking(network: nn.Module) -> Supernet:
    mirror = copy.deepcopy(network).eval()
    for module in mirror.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    return cast(Supernet, mirror)


@torch.no_grad()
def _score(
    supernet: Supernet, configuration: Configuration, batches: Sequence[Split]
) -> tuple[int, float]:
    """(right answers, minus the sum of cross-entropies)."""
    right, loss = 0, 0.0
    for batch in batches:
        outputs: Tensor = supernet.hard(batch.images, configuration)
        right += int((outputs.argmax(1) == batch.labels).sum())
        loss += float(functional.cross_entropy(outputs, batch.labels, reduction="sum"))
    return right, -loss
