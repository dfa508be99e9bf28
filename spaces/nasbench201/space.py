"""The NAS-Bench-201 cell space: six edges, five operations, 15,625 cells.

    space = search_space()
    to_arch(configuration)      # "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|..."
    to_index(configuration)     # the number by which published tables know the cell

Nodes 0 … 3 hold feature maps, node 0 is the cell's input and node 3 its output; `edge_0_2` is the
operation on the way from node 0 to node 2, and a node sums what arrives.

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020 (arXiv:2001.00326); the index is that of the official file `NAS-Bench-201-v1_1`.
"""

from __future__ import annotations

import functools
import itertools
import random
import re
from typing import Literal

from ConfigSpace import Categorical, Configuration, ConfigurationSpace

from automl_nas import configs

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The official order."""
SOURCE_TARGET = {
    "edge_0_1": (0, 1),
    "edge_0_2": (0, 2),
    "edge_1_2": (1, 2),
    "edge_0_3": (0, 3),
    "edge_1_3": (1, 3),
    "edge_2_3": (2, 3),
}
"""Edge -> (source node, target node), by target, as in the official string."""
NODES = 4
_SHUFFLE_SEED = 88
"""Seed of the shuffle that numbered the official table."""
_ARCH = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")

Operations = tuple[str, ...]


def search_space() -> ConfigurationSpace:
    """Six categoricals `edge_<source>_<target>`, each over `OPERATIONS`."""
    space = ConfigurationSpace(name="nasbench201")
    space.add([Categorical(edge, OPERATIONS) for edge in SOURCE_TARGET])
    return space


@functools.lru_cache(maxsize=1)
def _shared_space() -> ConfigurationSpace:
    return search_space()


@functools.lru_cache(maxsize=1)
def _official() -> tuple[Operations, ...]:
    cells = list(itertools.product(OPERATIONS, repeat=len(SOURCE_TARGET)))
    random.Random(_SHUFFLE_SEED).shuffle(cells)
    return tuple(cells)


@functools.lru_cache(maxsize=1)
def _positions() -> dict[Operations, int]:
    return {cell: index for index, cell in enumerate(_official())}


def operations(configuration: Configuration) -> Operations:
    """The six operations in the order of `SOURCE_TARGET`."""
    values = configs.to_dict(configuration)
    return tuple(str(values[edge]) for edge in SOURCE_TARGET)


def _configuration(cell: Operations) -> Configuration:
    return configs.from_dict(_shared_space(), dict(zip(SOURCE_TARGET, cell, strict=True)))


def to_arch(configuration: Configuration) -> str:
    """The official string `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    nodes: dict[int, str] = {}
    for (source, target), operation in zip(
        SOURCE_TARGET.values(), operations(configuration), strict=True
    ):
        nodes[target] = nodes.get(target, "|") + f"{operation}~{source}|"
    return "+".join(nodes.values())


def from_arch(arch: str) -> Configuration:
    """The configuration of an official string.

    Raises:
        ValueError: the string has another shape, or an operation that the space does not know.
    """
    match = _ARCH.fullmatch(arch)
    if match is None:
        raise ValueError(f"expected '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|', got {arch=}.")
    unknown = [operation for operation in match.groups() if operation not in OPERATIONS]
    if unknown:
        raise ValueError(f"{arch=} has the operations {unknown}; known: {', '.join(OPERATIONS)}.")
    return _configuration(match.groups())


def to_index(configuration: Configuration) -> int:
    """The official index, 0 … 15,624."""
    return _positions()[operations(configuration)]


def from_index(index: int) -> Configuration:
    """The configuration of an official index.

    Raises:
        ValueError: the index is outside 0 … 15,624.
    """
    cells = _official()
    if not 0 <= index < len(cells):
        raise ValueError(f"expected an index from 0 to {len(cells) - 1}, got {index=}.")
    return _configuration(cells[index])


def isomorphism_class(
    configuration: Configuration, *, zeros: Literal["kept", "dropped"] = "kept"
) -> str:
    """A string that is equal for cells with the same graph after skips are contracted.

    `zeros="kept"` is the official `to_unique_str(consider_zero=True)`: 6,466 classes; a summand
    that is zero leaves a mark, so "conv + zero" and "conv" differ. `"dropped"` removes such
    summands everywhere and joins those too: 5,390 classes. Both take a convolution of zero to be
    zero, which with an affine batch norm is only true at initialisation.
    """
    nodes = ["0"]
    summands: dict[int, list[str]] = {target: [] for target in range(1, NODES)}
    for (source, target), operation in zip(
        SOURCE_TARGET.values(), operations(configuration), strict=True
    ):
        if source == len(nodes):
            nodes.append(_sum(summands[source], zeros))
        summands[target].append(_summand(operation, nodes[source]))
    return _sum(summands[NODES - 1], zeros)


def _summand(operation: str, source: str) -> str:
    if operation == "none" or source == "#":
        return "#"
    return source if operation == "skip_connect" else f"({source})@{operation}"


def _sum(summands: list[str], zeros: Literal["kept", "dropped"]) -> str:
    if zeros == "dropped":
        summands = [summand for summand in summands if summand != "#"] or ["#"]
    return "+".join(sorted(summands))


def live_edges(configuration: Configuration) -> tuple[str, ...]:
    """The edges whose result reaches the output node, `none` edges left out."""
    cell = dict(zip(SOURCE_TARGET, operations(configuration), strict=True))
    needed = {NODES - 1}
    for edge, (source, target) in reversed(SOURCE_TARGET.items()):
        if target in needed and cell[edge] != "none":
            needed.add(source)
    return tuple(
        edge
        for edge, (_, target) in SOURCE_TARGET.items()
        if target in needed and cell[edge] != "none"
    )


def is_reduced(configuration: Configuration) -> bool:
    """Whether every operation but `none` lies on a way from the input to the output."""
    cell, reached = dict(zip(SOURCE_TARGET, operations(configuration), strict=True)), {0}
    used = [edge for edge, operation in cell.items() if operation != "none"]
    for edge in used:
        source, target = SOURCE_TARGET[edge]
        reached |= {target} if source in reached else set()
    return tuple(used) == live_edges(configuration) and all(
        SOURCE_TARGET[edge][0] in reached for edge in used
    )


def is_disconnected(configuration: Configuration) -> bool:
    """Whether no path leads from the input to the output: 341 of the 15,625 cells."""
    return all(SOURCE_TARGET[edge][0] != 0 for edge in live_edges(configuration))
