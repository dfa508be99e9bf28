"""The networks of TransNAS-Bench-101 in plain torch: a backbone and the decoder of each task.

    network = build("64-41414-1_02_333", "segmentsemantic")
    network(torch.zeros(2, 3, 256, 256))          # (2, 17, 256, 256)

The backbone is a stem that quarters the resolution at 64 channels, then modules of two cells or two
residual blocks. On jigsaw it sees nine tiles, (batch, 9, 3, height, width). The discriminator that
trains autoencoder and normal is not part of the network.

Source: Duan et al., CVPR 2021 (arXiv:2105.11871); the sizes are those of yawen-d/TransNASBench.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from automl_nas.errors import UnknownName

from .decoders import Reshaped, generative, segmentation

BASE = 64
IMAGE = 256
"""Height and width of the images of all tasks but jigsaw."""
TILES = 9
CLASSES = {"class_object": 100, "class_scene": 63, "jigsaw": 1000, "room_layout": 9}
"""Numbers at the output of tasks without a map."""
MAPS = {"segmentsemantic": 17, "normal": 3, "autoencoder": 3}
"""Channels at the output of tasks with a map of the image's size."""


def relu_conv_bn(channels_in: int, channels: int, kernel: int, stride: int) -> nn.Sequential:
    """ReLU, convolution without bias, batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
    )


class FactorizedReduction(nn.Module):
    """A skip that changes the shape: two 1x1 convolutions, the second shifted by one pixel."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(channels_in, channels // 2, 1, stride, bias=False) for _ in range(2)
        )
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, C, H, W) -> (batch, channels, H / stride, W / stride)."""
        x = nn.functional.relu(x)
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        y: Tensor = self.norm(torch.cat([self.convs[0](x), self.convs[1](shifted)], dim=1))
        return y


class Nothing(nn.Module):
    """Zeros of the shape that another operation would give."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, C, H, W) -> zeros (batch, channels, H / stride, W / stride)."""
        height, width = ((size + self.stride - 1) // self.stride for size in x.shape[2:])
        return x.new_zeros(len(x), self.channels, height, width)


def _operation(digit: str, channels_in: int, channels: int, stride: int) -> nn.Module:
    match digit:
        case "0":
            return Nothing(channels, stride)
        case "1" if stride == 1 and channels_in == channels:
            return nn.Identity()
        case "1":
            return FactorizedReduction(channels_in, channels, stride)
        case _:
            return relu_conv_bn(channels_in, channels, 1 if digit == "2" else 3, stride)


class Cell(nn.Module):
    """Four nodes, each a sum; edges that leave the input change the shape."""

    def __init__(self, digits: str, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.ends = [(source, target) for target in range(1, 4) for source in range(target)]
        self.edges = nn.ModuleList(
            _operation(digit, *((channels_in, channels, stride) if source == 0
                                else (channels, channels, 1)))
            for digit, (source, _) in zip(digits, self.ends, strict=True)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """The sum at the last node."""
        nodes = [x]
        for target in range(1, 4):
            given = [
                edge(nodes[source])
                for edge, (source, end) in zip(self.edges, self.ends, strict=True)
                if end == target
            ]
            nodes.append(torch.stack(given).sum(dim=0))
        return nodes[-1]


class Block(nn.Module):
    """The residual block of the skeletons."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            relu_conv_bn(channels_in, channels, 3, stride), relu_conv_bn(channels, channels, 3, 1)
        )
        same = stride == 1 and channels_in == channels
        self.shortcut = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both ways."""
        y: Tensor = self.shortcut(x) + self.path(x)
        return y


def _maker(code: str) -> Callable[[int, int, int], nn.Module]:
    if code == "basic":
        return Block
    digits = code.replace("_", "")
    return lambda channels_in, channels, stride: Cell(digits, channels_in, channels, stride)


def backbone(arch: str) -> tuple[nn.Sequential, int, int]:
    """(network, its output channels, by how much it divides the resolution)."""
    _, skeleton, code = arch.split("-")
    make, channels, division = _maker(code), BASE, 4
    layers: list[nn.Module] = [
        nn.Conv2d(3, BASE // 2, 3, 2, 1, bias=False),
        nn.BatchNorm2d(BASE // 2),
        relu_conv_bn(BASE // 2, BASE, 3, 2),
    ]
    for digit in map(int, skeleton):
        wider, stride = channels * (2 if digit in (2, 4) else 1), 2 if digit > 2 else 1
        layers += [make(channels, wider, stride), make(wider, wider, 1)]
        channels, division = wider, division * stride
    return nn.Sequential(*layers), channels, division


class Tiled(nn.Module):
    """One backbone on nine tiles, whose channels are joined."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 9, 3, H, W) -> (batch, 9 C, H', W'); batch norms see one tile at a time."""
        return torch.cat([self.body(tile) for tile in x.unbind(dim=1)], dim=1)


def build(arch: str, task: str) -> nn.Sequential:
    """The network of an official string and a task, freshly initialised as its authors do.

    Raises:
        UnknownName: there is no such task.
    """
    if task not in {**CLASSES, **MAPS}:
        raise UnknownName("task of TransNAS-Bench-101", task, [*CLASSES, *MAPS])
    body, channels, division = backbone(arch)
    _initialise(body)
    if task in CLASSES:
        tiled = task == "jigsaw"
        pooled = channels * (TILES if tiled else 1)
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), Reshaped(), nn.Linear(pooled, CLASSES[task]))
        return nn.Sequential(Tiled(body) if tiled else body, head)
    decode = segmentation if task == "segmentsemantic" else generative
    return nn.Sequential(body, decode(channels, division, MAPS[task]))


def _initialise(body: nn.Module) -> None:
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
