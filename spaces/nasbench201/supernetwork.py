"""All 15,625 NAS-Bench-201 networks in one set of weights, one copy of each operation per edge.

    supernet = NB201SupernetRecipe(NetworkRecipe(channels=16, cells=1)).build()
    logits = supernet.soft(images, mixture)          # DARTS: soft weights; GDAS: a hard draw
    network = supernet.export(configuration)         # stand-alone, with a copy of the weights

The mixture is the same in every cell and is an argument of the call: the supernet has no mode of
search. `soft(x, one_hot(c))`, `hard(x, c)` and `export(c)(x)` are equal.

Source: the search models of Dong and Yang, "NAS-Bench-201", ICLR 2020, section 4; their batch norms
inside cells are neither affine nor keep running statistics, which is the default here.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from ConfigSpace import Configuration
from torch import Tensor, nn

from automl_nas.flops import Shape
from automl_nas.supernet.choice import OpChoice, Zero
from automl_nas.supernet.mixture import Mixture, one_hot

from .network import Cell, Macro, Network, NetworkRecipe, flops_table, make_operation
from .space import NODES, OPERATIONS, SOURCE_TARGET, operations

SEARCH_NETWORK = NetworkRecipe(affine=False, track_running_stats=False)


@dataclass(frozen=True)
class NB201SupernetRecipe:
    """A `SupernetRecipe`."""

    network: NetworkRecipe = SEARCH_NETWORK
    """Sizes and batch norms; `export` keeps both."""
    image: Shape = (3, 32, 32)
    """(channels, height, width) of the images that FLOPs are counted for."""

    def build(self) -> nn.Module:
        """A freshly initialised `NB201Supernet`, drawn from torch's current generator."""
        return NB201Supernet(self)


class MixedCell(nn.Module):
    """A cell with all operations on every edge."""

    def __init__(self, channels: int, recipe: NetworkRecipe) -> None:
        super().__init__()
        self.choices = nn.ModuleDict(
            {edge: OpChoice(edge, _candidates(channels, recipe)) for edge in SOURCE_TARGET}
        )

    def forward(self, x: Tensor, mixture: Mixture) -> Tensor:
        """(batch, C, H, W) -> the same shape."""
        nodes = [x]
        for target in range(1, NODES):
            summands = (
                self.choices[edge](nodes[source], mixture[edge])
                for edge, (source, end) in SOURCE_TARGET.items()
                if end == target
            )
            nodes.append(functools.reduce(torch.add, summands))
        return nodes[-1]


def _candidates(channels: int, recipe: NetworkRecipe) -> Iterator[nn.Module]:
    for operation in OPERATIONS:
        yield Zero() if operation == "none" else make_operation(operation, channels, recipe)


class NB201Supernet(Macro):
    """A `Supernet`. (batch, in_channels, H, W) -> (batch, classes)."""

    def __init__(self, recipe: NB201SupernetRecipe) -> None:
        super().__init__(recipe.network, lambda channels: MixedCell(channels, recipe.network))
        self.recipe = recipe

    def forward(self, x: Tensor, mixture: Mixture) -> Tensor:
        """The same as `soft`."""
        return self.soft(x, mixture)

    def soft(self, x: Tensor, mixture: Mixture) -> Tensor:
        """Logits under a mixture; hard draws in it compute only what was drawn."""
        x = self.stem(x)
        for block in self.body:
            x = block(x, mixture) if isinstance(block, MixedCell) else block(x)
        logits: Tensor = self.head(x)
        return logits

    def hard(self, x: Tensor, configuration: Configuration) -> Tensor:
        """Logits of one configuration."""
        return self.soft(x, one_hot(configuration, dtype=x.dtype, device=x.device))

    def export(self, configuration: Configuration) -> nn.Module:
        """A stand-alone network with a copy of the configuration's weights, buffers and mode."""
        with torch.device("meta"):
            network = Network(configuration, self.recipe.network)
        network.stem, network.head = copy.deepcopy(self.stem), copy.deepcopy(self.head)
        for position, block in enumerate(self.body):
            if isinstance(block, MixedCell):
                _fill(cast(Cell, network.body[position]), block, configuration)
            else:
                network.body[position] = copy.deepcopy(block)
        return network.train(self.training)

    def forward_flops(self, mixture: Mixture) -> float:
        """FLOPs per image (2 x MACs): a soft edge computes all operations, a hard one its own."""
        flops, costs = flops_table(self.recipe.network, self.recipe.image)
        for edge in SOURCE_TARGET:
            index = mixture[edge].index
            flops += sum(costs.values()) if index is None else costs[OPERATIONS[index]]
        return flops


def _fill(cell: Cell, mixed: MixedCell, configuration: Configuration) -> None:
    for edge, operation in zip(SOURCE_TARGET, operations(configuration), strict=True):
        if operation != "none":
            candidates = cast(OpChoice, mixed.choices[edge]).candidates
            cell.edges[edge] = copy.deepcopy(candidates[OPERATIONS.index(operation)])
