"""The official macro network of NAS-Bench-201 as plain `torch.nn`.

    network = build(configuration, NetworkRecipe(channels=16, cells=5, classes=10))

Stem (3x3 convolution, batch norm); stages of equal cells at C, 2C, 4C, … channels, joined by a
residual block of stride 2; batch norm, ReLU, global average pooling, linear classifier. With the
default recipe the parameters equal the published table's for all 15,625 cells.

Operations whose result never reaches a cell's output are not computed; they keep their parameters
and are counted in `forward_flops`, as in the official table.

Source: Dong and Yang, ICLR 2020 (arXiv:2001.00326), section 2.1 and figure 1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from ConfigSpace import Configuration
from torch import Tensor, nn

from automl_nas.flops import Shape

from .space import NODES, OPERATIONS, SOURCE_TARGET, live_edges, operations


@dataclass(frozen=True)
class NetworkRecipe:
    """The sizes of a network; the defaults are the official ones for CIFAR-10."""

    channels: int = 16
    """Channels of the first stage; every further stage doubles them."""
    cells: int = 5
    """Cells per stage."""
    stages: int = 3
    """Stages, each at half the resolution of the one before."""
    classes: int = 10
    """Outputs of the classifier."""
    in_channels: int = 3
    """Channels of the images."""
    affine: bool = True
    """Whether the batch norms inside cells learn a scale and a shift; all others always do."""
    track_running_stats: bool = True
    """False: every batch norm uses the batch's own statistics, in evaluation too."""

    def build(self, configuration: Configuration) -> nn.Module:
        """A freshly initialised network, drawn from torch's current generator."""
        return build(configuration, self)

    def forward_flops(self, configuration: Configuration, image: Shape) -> float:
        """FLOPs per image (2 x MACs) with every operation of the cell counted."""
        base, costs = flops_table(self, image)
        return base + sum(costs[operation] for operation in operations(configuration))

    def mean_forward_flops(self, image: Shape) -> float:
        """The exact mean of `forward_flops` over all cells, by additivity."""
        base, costs = flops_table(self, image)
        return base + len(SOURCE_TARGET) * sum(costs.values()) / len(OPERATIONS)


def relu_conv_bn(
    channels_in: int,
    channels: int,
    recipe: NetworkRecipe,
    *,
    kernel: int,
    stride: int,
    affine: bool,
) -> nn.Sequential:
    """ReLU, convolution without bias, batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels, affine=affine, track_running_stats=recipe.track_running_stats),
    )


def make_operation(operation: str, channels: int, recipe: NetworkRecipe) -> nn.Module:
    """One of the operations of a cell other than `none`; it keeps shape and resolution."""
    match operation:
        case "skip_connect":
            return nn.Identity()
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        case "nor_conv_1x1" | "nor_conv_3x3":
            kernel = int(operation[-1])
            return relu_conv_bn(
                channels, channels, recipe, kernel=kernel, stride=1, affine=recipe.affine
            )
    raise ValueError(f"{operation=} is not one of {', '.join(OPERATIONS)}.")


class Cell(nn.Module):
    """Four nodes; each sums what its edges bring. (batch, C, H, W) -> the same shape."""

    def __init__(self, configuration: Configuration, channels: int, recipe: NetworkRecipe) -> None:
        super().__init__()
        cell = dict(zip(SOURCE_TARGET, operations(configuration), strict=True))
        self.edges = nn.ModuleDict(
            {
                edge: make_operation(operation, channels, recipe)
                for edge, operation in cell.items()
                if operation != "none"
            }
        )
        self._live = [(edge, *SOURCE_TARGET[edge]) for edge in live_edges(configuration)]

    def forward(self, x: Tensor) -> Tensor:
        """The sum at the output node; zeros where nothing reaches it."""
        nodes: list[Tensor | None] = [x] + [None] * (NODES - 1)
        for edge, source, target in self._live:
            given, sum_so_far = nodes[source], nodes[target]
            y = self.edges[edge](torch.zeros_like(x) if given is None else given)
            nodes[target] = y if sum_so_far is None else sum_so_far + y
        return torch.zeros_like(x) if nodes[-1] is None else nodes[-1]


class Reduction(nn.Module):
    """The residual block between stages: twice the channels, half the resolution."""

    def __init__(self, channels: int, recipe: NetworkRecipe) -> None:
        super().__init__()
        conv = functools.partial(relu_conv_bn, recipe=recipe, kernel=3, affine=True)
        self.conv_a = conv(channels, 2 * channels, stride=2)
        self.conv_b = conv(2 * channels, 2 * channels, stride=1)
        self.downsample = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(channels, 2 * channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, C, H, W) -> (batch, 2C, H/2, W/2), for even H and W."""
        y: Tensor = self.downsample(x) + self.conv_b(self.conv_a(x))
        return y


class Macro(nn.Module):
    """What all networks of the space share; `make_cell(channels)` fills in the cells."""

    def __init__(self, recipe: NetworkRecipe, make_cell: Callable[[int], nn.Module]) -> None:
        super().__init__()
        track, widths = recipe.track_running_stats, _widths(recipe)
        self.stem = nn.Sequential(
            nn.Conv2d(recipe.in_channels, recipe.channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(recipe.channels, track_running_stats=track),
        )
        self.body = nn.ModuleList()
        for stage, width in enumerate(widths):
            if stage > 0:
                self.body.append(Reduction(width // 2, recipe))
            self.body.extend(make_cell(width) for _ in range(recipe.cells))
        self.head = nn.Sequential(
            nn.BatchNorm2d(widths[-1], track_running_stats=track),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(widths[-1], recipe.classes),
        )


class Network(Macro):
    """One stand-alone network. (batch, in_channels, H, W) -> (batch, classes)."""

    def __init__(self, configuration: Configuration, recipe: NetworkRecipe) -> None:
        super().__init__(recipe, lambda channels: Cell(configuration, channels, recipe))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.stem(x)
        for block in self.body:
            x = block(x)
        logits: Tensor = self.head(x)
        return logits


def build(configuration: Configuration, recipe: NetworkRecipe | None = None) -> nn.Module:
    """A freshly initialised network, drawn from torch's current generator."""
    return Network(configuration, recipe or NetworkRecipe())


def _widths(recipe: NetworkRecipe) -> list[int]:
    return [recipe.channels * 2**stage for stage in range(recipe.stages)]


@functools.lru_cache(maxsize=64)
def flops_table(recipe: NetworkRecipe, image: Shape) -> tuple[float, dict[str, float]]:
    """(FLOPs per image outside the cells, operation -> FLOPs on one edge, in all cells together).

    Closed form, equal to what `automl_nas.flops` counts: only convolutions and the classifier cost
    anything. A reduction halves the resolution: 3x3 from c to 2c channels, 3x3 and, on the pooled
    input, 1x1 (c * 2c * (9 + 2 * 9 + 1) MACs per pixel).
    """
    (channels, height, width), widths = image, _widths(recipe)
    macs, edge = 9 * channels * widths[0] * height * width, 0
    for stage, c in enumerate(widths):
        if stage > 0:
            height, width = height // 2, width // 2
            macs += c // 2 * c * (9 + 2 * 9 + 1) * height * width
        edge += recipe.cells * c * c * height * width
    macs += widths[-1] * recipe.classes
    each = dict.fromkeys(OPERATIONS, 0.0)
    return 2.0 * macs, {**each, "nor_conv_1x1": 2.0 * edge, "nor_conv_3x3": 18.0 * edge}
