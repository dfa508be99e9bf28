"""The macro network of NAS-Bench-101 as plain `torch.nn`.

    network = build(configuration)                       # 128 channels, 3 stacks of 3 modules

Stem (3x3 convolution, batch norm, ReLU); three stacks of three equal modules, after the first with
2x2 max pooling and twice the channels; global average pooling; linear classifier. Inside a module
vertices add what arrives (cut to the channels of the vertex), edges from the input pass a 1x1
projection, and the output concatenates, plus a projection of the input where an edge says so.

Channels of the vertices before the output share its channels evenly, and the first ones get one
more where that does not divide. Which of them come first is a matter of the drawing, so isomorphic
cells may differ by a few weights: parameters equal the published ones for the published drawing of
a cell, and for nearly all others.

Source: Ying et al., ICML 2019 (arXiv:1902.09635), section 2 and appendix S1; batch norm (momentum
.997, epsilon 1e-5) and initialisation by variance scaling are those of the published code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from ConfigSpace import Configuration
from torch import Tensor, nn

from automl_nas.tables.modules101 import OPERATIONS, Labels, Matrix

from .space import cell


@dataclass(frozen=True)
class NetworkRecipe:
    """The sizes of a network; the defaults are the published ones."""

    channels: int = 128
    """Channels of the stem and the first stack; every further stack doubles them."""
    stacks: int = 3
    """Stacks, each at half the resolution of the one before."""
    modules: int = 3
    """Modules per stack."""
    classes: int = 10
    """Outputs of the classifier."""
    in_channels: int = 3
    """Channels of the images."""

    def build(self, configuration: Configuration) -> nn.Module:
        """A freshly initialised network, drawn from torch's current generator."""
        return build(configuration, self)


def build(configuration: Configuration, recipe: NetworkRecipe | None = None) -> nn.Module:
    """The network of a configuration; invalid ones are repaired, see `spaces.nasbench101.space`."""
    return build_cell(*cell(configuration), recipe or NetworkRecipe())


def build_cell(matrix: Matrix, labels: Labels, recipe: NetworkRecipe) -> nn.Module:
    """The network of a pruned cell. (batch, in_channels, H, W) -> (batch, classes)."""
    layers: list[nn.Module] = [_conv_bn_relu(recipe.in_channels, recipe.channels, 3)]
    channels = recipe.channels
    for stack in range(recipe.stacks):
        given = channels
        if stack:
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            channels *= 2
        for number in range(recipe.modules):
            layers.append(Module(matrix, labels, channels if number else given, channels))
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, recipe.classes)]
    return nn.Sequential(*layers, *head)


def vertex_channels(given: int, channels: int, matrix: Matrix) -> list[int]:
    """Channels at each vertex, input and output included."""
    size = len(matrix)
    last, result = size - 1, [given, *[0] * (size - 2), channels]
    into = [v for v in range(1, last) if matrix[v][last]]
    for place, vertex in enumerate(into):
        result[vertex] = channels // len(into) + (place < channels % len(into))
    for vertex in range(size - 3, 0, -1):
        if not matrix[vertex][last]:
            result[vertex] = max(result[j] for j in range(vertex + 1, last) if matrix[vertex][j])
    return result


def _conv_bn_relu(given: int, channels: int, kernel: int) -> nn.Sequential:
    convolution = nn.Conv2d(given, channels, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_in")
    return nn.Sequential(convolution, nn.BatchNorm2d(channels, eps=1e-5, momentum=0.003), nn.ReLU())


def _operation(label: int, channels: int) -> nn.Module:
    match OPERATIONS[label]:
        case "maxpool3x3":
            return nn.MaxPool2d(3, stride=1, padding=1)
        case name:
            return _conv_bn_relu(channels, channels, int(name[4]))


class Module(nn.Module):
    """One cell. (batch, given, H, W) -> (batch, channels, H, W)."""

    def __init__(self, matrix: Matrix, labels: Labels, given: int, channels: int) -> None:
        super().__init__()
        self.matrix, self.last = matrix, len(matrix) - 1
        self.channels = vertex_channels(given, channels, matrix)
        self.operations = nn.ModuleList(
            _operation(label, self.channels[v]) for v, label in enumerate(labels, 1)
        )
        self.projections = nn.ModuleDict(
            {str(j): _conv_bn_relu(given, self.channels[j], 1) for j in self._targets()}
        )

    def _targets(self) -> list[int]:
        """Vertices that the input leads to."""
        return [j for j, there in enumerate(self.matrix[0]) if there]

    def _projected(self, x: Tensor) -> dict[int, Tensor]:
        return {j: self.projections[str(j)](x) for j in self._targets()}

    def forward(self, x: Tensor) -> Tensor:
        """The concatenation at the output, plus the projected input where there is that edge."""
        projected, values = self._projected(x), [x]
        for vertex, operation in enumerate(self.operations, 1):
            terms = [
                values[i][:, : self.channels[vertex]]
                for i in range(1, vertex)
                if self.matrix[i][vertex]
            ]
            terms += [projected[vertex]] if vertex in projected else []
            values.append(operation(_sum(terms)))
        into = [values[v] for v in range(1, self.last) if self.matrix[v][self.last]]
        terms = [torch.cat(into, dim=1)] if into else []
        return _sum([*terms, projected[self.last]] if self.last in projected else terms)


def _sum(terms: Sequence[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
