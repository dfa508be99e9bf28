"""The networks of DARTS as plain `torch.nn`: stem, normal and reduction cells, classifier.

    network = build(configuration, NetworkRecipe(channels=32, cells=8))
    parameters(configuration, NetworkRecipe())            # the same count in closed form

Stem (3x3 convolution to three times the channels, batch norm); cells, each fed by the two before
it, with reduction cells of stride 2 and twice the channels at one and two thirds of the depth;
global average pooling and a linear classifier. The auxiliary head and drop path of the published
training are left out. The defaults are the sizes with which NAS-Bench-301 trained its networks;
`SUITE_ZERO` is the network on which NAS-Bench-Suite-Zero measured proxies, and whose parameters it
lists. A reduction needs an even height and width.

Source: Liu et al., ICLR 2019 (arXiv:1806.09055), section 3.1.1 and appendix A.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from ConfigSpace import Configuration
from torch import Tensor, nn

from automl_nas.tables.nasbench301 import NODES, OPERATIONS

from .space import Cell as Pairs
from .space import to_compact


@dataclass(frozen=True)
class NetworkRecipe:
    """The sizes of a network."""

    channels: int = 32
    """Channels of an operation in the first cells; an even number."""
    cells: int = 8
    """Cells in all; those at a third and two thirds reduce."""
    classes: int = 10
    """Outputs of the classifier."""
    in_channels: int = 3
    """Channels of the images."""
    stem_multiplier: int = 3
    """The stem's channels are `channels` times this."""
    affine: bool = True
    """Whether batch norms of operations learn a scale and a shift; all others always do."""
    pool_norm: bool = False
    """Whether a batch norm without scale and shift follows each pooling."""

    def build(self, configuration: Configuration) -> nn.Module:
        """A freshly initialised network, drawn from torch's current generator."""
        return build(configuration, self)


SUITE_ZERO = NetworkRecipe(affine=False, pool_norm=True)
"""NASLib's network for the proxies of NAS-Bench-Suite-Zero."""


class _Place(NamedTuple):
    """Where a cell stands."""

    channels: int
    before_last: int
    """Channels of the result of the cell before the last."""
    last: int
    reduction: bool
    after_reduction: bool


def _places(recipe: NetworkRecipe) -> Iterator[_Place]:
    stem, width = recipe.stem_multiplier * recipe.channels, recipe.channels
    before_last, last, after = stem, stem, False
    for index in range(recipe.cells):
        reduction = index in (recipe.cells // 3, 2 * recipe.cells // 3)
        width *= 2 if reduction else 1
        yield _Place(width, before_last, last, reduction, after)
        before_last, last, after = last, NODES * width, reduction


def _separable(
    c: int, kernel: int, stride: int, recipe: NetworkRecipe, dilation: int = 1
) -> list[nn.Module]:
    """ReLU, depthwise and pointwise convolution, batch norm."""
    around = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(c, c, kernel, stride, around, dilation=dilation, groups=c, bias=False),
        nn.Conv2d(c, c, 1, bias=False),
        nn.BatchNorm2d(c, affine=recipe.affine),
    ]


def make_operation(name: str, channels: int, stride: int, recipe: NetworkRecipe) -> nn.Module:
    """One operation on an edge; (batch, channels, H, W) -> the same at H / stride, W / stride."""
    c, kernel = channels, 5 if name.endswith("5x5") else 3
    match name.split("_")[0]:
        case "skip":
            return nn.Identity() if stride == 1 else FactorizedReduction(c, c, affine=recipe.affine)
        case "max" | "avg":
            pool = (
                nn.MaxPool2d(3, stride, 1)
                if name.startswith("max")
                else nn.AvgPool2d(3, stride, 1, count_include_pad=False)
            )
            norm = [nn.BatchNorm2d(c, affine=False)] if recipe.pool_norm else []
            return nn.Sequential(pool, *norm)
        case "sep":
            first, second = (_separable(c, kernel, step, recipe) for step in (stride, 1))
            return nn.Sequential(*first, *second)
        case "dil":
            return nn.Sequential(*_separable(c, kernel, stride, recipe, dilation=2))
    raise ValueError(f"{name=} is not one of {', '.join(OPERATIONS)}.")


class FactorizedReduction(nn.Module):
    """Halves the resolution by two 1x1 convolutions of stride 2, one shifted by a pixel."""

    def __init__(self, channels_in: int, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.halves = nn.ModuleList(
            nn.Conv2d(channels_in, channels // 2, 1, stride=2, bias=False) for _ in range(2)
        )
        self.norm = nn.BatchNorm2d(channels, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, H, W) -> (batch, channels, H / 2, W / 2), for even H and W."""
        x = self.relu(x)
        parts = (self.halves[0](x), self.halves[1](x[:, :, 1:, 1:]))
        y: Tensor = self.norm(torch.cat(parts, dim=1))
        return y


def _entry(channels_in: int, channels: int, *, halve: bool) -> nn.Module:
    """What brings an earlier result to the cell's channels and resolution."""
    if halve:
        return FactorizedReduction(channels_in, channels)
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels)
    )


class Cell(nn.Module):
    """Two inputs, four nodes that each sum two edges; the nodes side by side are the result."""

    def __init__(self, pairs: Pairs, place: _Place, recipe: NetworkRecipe) -> None:
        super().__init__()
        c = place.channels
        self.entries = nn.ModuleList(
            (
                _entry(place.before_last, c, halve=place.after_reduction),
                _entry(place.last, c, halve=False),
            )
        )
        self.sources = [source for source, _ in pairs]
        self.edges = nn.ModuleList(
            make_operation(
                OPERATIONS[operation], c, 2 if place.reduction and source < 2 else 1, recipe
            )
            for source, operation in pairs
        )

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        """The results of the two cells before -> (batch, 4 * channels, H, W)."""
        nodes = [self.entries[0](before_last), self.entries[1](last)]
        for node in range(0, len(self.sources), 2):
            one, other = (
                self.edges[place](nodes[self.sources[place]]) for place in (node, node + 1)
            )
            nodes.append(one + other)
        return torch.cat(nodes[2:], dim=1)


class Network(nn.Module):
    """One stand-alone network. (batch, in_channels, H, W) -> (batch, classes)."""

    def __init__(self, configuration: Configuration, recipe: NetworkRecipe) -> None:
        super().__init__()
        normal, reduction = to_compact(configuration)
        stem, places = recipe.stem_multiplier * recipe.channels, list(_places(recipe))
        self.stem = nn.Sequential(
            nn.Conv2d(recipe.in_channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)
        )
        self.cells = nn.ModuleList(
            Cell(reduction if place.reduction else normal, place, recipe) for place in places
        )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(NODES * places[-1].channels, recipe.classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        before_last = last = self.stem(x)
        for cell in self.cells:
            before_last, last = last, cell(before_last, last)
        logits: Tensor = self.head(last)
        return logits


def build(configuration: Configuration, recipe: NetworkRecipe | None = None) -> Network:
    """A freshly initialised network, drawn from torch's current generator."""
    return Network(configuration, recipe or NetworkRecipe())


def parameters(configuration: Configuration, recipe: NetworkRecipe | None = None) -> int:
    """Weights of the network, in closed form."""
    sizes = recipe or NetworkRecipe()
    stem, places = sizes.stem_multiplier * sizes.channels, list(_places(sizes))
    count = 9 * sizes.in_channels * stem + 2 * stem
    normal, reduction = to_compact(configuration)
    for place in places:
        c = place.channels
        count += (place.before_last + place.last + 4) * c
        for source, operation in reduction if place.reduction else normal:
            reduced = place.reduction and source < 2
            count += _weights(OPERATIONS[operation], c, sizes, reduced=reduced)
    return count + (NODES * places[-1].channels + 1) * sizes.classes


def _weights(name: str, c: int, recipe: NetworkRecipe, *, reduced: bool) -> int:
    """Of one operation: k * k * c + c * c for a separable convolution, and its batch norm."""
    norm = 2 * c if recipe.affine else 0
    kind, kernel = name[:3], 25 if name.endswith("5x5") else 9
    times = {"sep": 2, "dil": 1}.get(kind, 0)
    skip = c * c + norm if kind == "ski" and reduced else 0
    return times * (kernel * c + c * c + norm) + skip
