"""A two-edge supernet on a three-choice space and images of which one choice keeps the label.

The label is the sign of the sum of a half of the pixels: `keep` passes them on, `absolute` loses
the sign, `none` everything. `keep` on both edges is best.
"""

from dataclasses import dataclass

import torch
from ConfigSpace import Categorical, ConfigurationSpace
from torch import nn

from automl_nas.images import Split, Splits
from automl_nas.supernet.mixture import one_hot

EDGES = ("left", "right")
CHOICES = ("none", "absolute", "keep")
PIXELS = 8
COST = (0.0, 8.0, 16.0)
HEAD = 32.0


def space():
    result = ConfigurationSpace()
    result.add([Categorical(edge, CHOICES) for edge in EDGES])
    return result


class Toy(nn.Module):
    def __init__(self, width=PIXELS):
        super().__init__()
        self.scale = nn.ModuleDict(
            {edge: nn.ParameterList(torch.ones(width) for _ in CHOICES) for edge in EDGES}
        )
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(0.05)
        self.head = nn.Linear(width, 2)

    def _choice(self, edge, x, weights):
        scale = self.scale[edge]
        made = (lambda: 0 * x * scale[0], lambda: x.abs() * scale[1], lambda: x * scale[2])
        if weights.index is not None:
            return weights.values[weights.index] * made[weights.index]()
        return sum(w * make() for w, make in zip(weights.values, made, strict=True))

    def soft(self, x, mixture):
        x = x.flatten(1)
        x = sum(self._choice(edge, x, mixture[edge]) for edge in EDGES)
        return self.head(self.drop(self.norm(x)))

    def hard(self, x, configuration):
        return self.soft(x, one_hot(configuration))

    def export(self, configuration):
        raise NotImplementedError

    def forward_flops(self, mixture):
        weights = [mixture[edge] for edge in EDGES]
        return HEAD + sum(sum(COST) if w.index is None else COST[w.index] for w in weights)


@dataclass(frozen=True)
class ToyRecipe:
    width: int = PIXELS

    def build(self):
        return Toy(self.width)


@dataclass(frozen=True)
class ToyImages:
    train: int = 72
    architecture: int = 40
    name: str = "toy"

    def load(self):
        generator = torch.Generator().manual_seed(5)

        def split(count):
            images = torch.randn(count, 1, 2, PIXELS // 2, generator=generator)
            return Split(images, (images[:, 0, 0].sum(1) > 0).long())

        sizes = (self.train, self.architecture, 8, 8)
        return Splits(*(split(size) for size in sizes), classes=2)
