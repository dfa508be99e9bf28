"""The smallest supernet over any categorical space, and data for it.

Each hyperparameter chooses among linear maps of the input; their sum is classified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from ConfigSpace import Configuration
from torch import Tensor, nn

from automl_nas.images import Split, Splits
from automl_nas.selftest.subjects import SPACES
from automl_nas.supernet.choice import OpChoice
from automl_nas.supernet.mixture import Mixture, one_hot, relaxable

_PIXELS, _WIDTH, _CLASSES = 8, 6, 2


class _Linear(nn.Module):
    def __init__(self, sizes: dict[str, int]) -> None:
        super().__init__()
        self.choices = nn.ModuleList(
            OpChoice(name, [nn.Linear(_PIXELS, _WIDTH) for _ in range(size)])
            for name, size in sizes.items()
        )
        self.head = nn.Linear(_WIDTH, _CLASSES)

    def _each(self) -> list[OpChoice]:
        return cast(list[OpChoice], list(self.choices))

    def soft(self, x: Tensor, mixture: Mixture) -> Tensor:
        """(batch, 1, 2, 4) -> (batch, 2)."""
        x = x.flatten(1)
        parts = [choice(x, mixture[choice.name]) for choice in self._each()]
        logits: Tensor = self.head(torch.relu(torch.stack(parts).sum(0)))
        return logits

    def hard(self, x: Tensor, configuration: Configuration) -> Tensor:
        """The same for one configuration."""
        return self.soft(x, one_hot(configuration))

    def export(self, configuration: Configuration) -> nn.Module:
        """The chosen maps alone."""
        mixture = one_hot(configuration)
        chosen = _Linear(dict.fromkeys(mixture, 1))
        for mine, theirs in zip(self._each(), chosen._each(), strict=True):
            index = mixture[mine.name].index or 0
            theirs.candidates[0].load_state_dict(mine.candidates[index].state_dict())
        chosen.head.load_state_dict(self.head.state_dict())
        return chosen

    def forward_flops(self, mixture: Mixture) -> float:
        """Products of matrices; soft weights compute every map."""
        maps = sum(len(w.values) if w.index is None else 1 for w in mixture.values())
        return float(2 * _WIDTH * (maps * _PIXELS + _CLASSES))


@dataclass(frozen=True)
class LinearSupernet:
    """Recipe of a supernet over one of `SPACES`."""

    space: str = "categorical"

    def build(self) -> nn.Module:
        """Freshly initialised from torch's current generator."""
        return _Linear(relaxable(SPACES[self.space]()))


@dataclass(frozen=True)
class Points:
    """Normal points in two classes: the sign of the sum of their first half."""

    images: int = 48
    """In each of the four parts."""
    seed: int = 0
    name: ClassVar[str] = "points"

    def load(self) -> Splits:
        """Tensors of shape (images, 1, 2, 4)."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = (4, self.images, 1, 2, _PIXELS // 2)
        pixels = torch.randn(shape, generator=generator)
        labels = (pixels[:, :, 0, 0].sum(-1) > 0).long()
        first, second, third, last = map(Split, pixels.unbind(), labels.unbind())
        return Splits(first, second, third, last, classes=_CLASSES)
