"""The cells of DARTS as NAS-Bench-301 searches them, and their other spellings.

    space = search_space()
    to_compact(configuration)      # (((0, 3), (1, 3), ...), (...)): normal and reduction cell
    to_genotype(configuration)     # DARTS's namedtuple
    to_nb301(configuration)        # {"NetworkSelectorDatasetInfo:darts:edge_normal_0": ..., ...}

A cell has two inputs, 0 and 1, and the nodes 2 ... 5, each of which sums two different earlier
ones. `inputs_node_normal_4` is "0_2" where node 4 takes the results of 0 and 2 (node 2 has no
choice); `edge_normal_7` is the operation on one of the edges, which are numbered by target and then
by source, and is active only where its source is chosen: 180 * 7**8 cells of each kind, and every
configuration is one of them.

`configs.mutate` and `configs.neighbours` change one hyperparameter; where that is a pair of inputs,
the operations of edges that come to life are drawn anew. `mutate` and `neighbours` here change one
of the sixteen pairs (input, operation) in exactly one place and keep an operation whose input
moves: 120 neighbours for every network, the figure that NAS-Bench-Suite's authors use. (NASLib's
own mutation writes into its parent: with one mutation, 57.6 % of children differ in two places.)

Source: Liu et al., ICLR 2019 (arXiv:1806.09055); names of the package `nasbench301`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from ConfigSpace import Categorical, Configuration, ConfigurationSpace, InCondition

from automl_nas import configs
from automl_nas.tables.nasbench301 import NODES, OPERATIONS, Compact, compact, key

CELLS = ("normal", "reduce")
"""The kinds of cells, in the order of a compact form."""
PREFIX = "NetworkSelectorDatasetInfo:darts:"
"""What NAS-Bench-301 writes before our names."""
_FIRST = tuple(sum(range(2, 2 + node)) for node in range(NODES))
"""Number of the first edge to each node: 0, 2, 5, 9."""
Cell = tuple[tuple[int, int], ...]
Path = tuple[int, tuple[str, ...]]
"""The cell's input, and the operations on the way from it to an inner node."""


class Genotype(NamedTuple):
    """DARTS's own description: pairs (operation, input) by node; what cells concatenate."""

    normal: list[tuple[str, int]]
    normal_concat: list[int]
    reduce: list[tuple[str, int]]
    reduce_concat: list[int]


def search_space() -> ConfigurationSpace:
    """28 conditional operations over `OPERATIONS` and six pairs of inputs."""
    space = ConfigurationSpace(name="nasbench301")
    for cell in CELLS:
        for node, first in enumerate(_FIRST):
            edges = [Categorical(f"edge_{cell}_{first + i}", OPERATIONS) for i in range(node + 2)]
            space.add(edges)
            if node:
                _add_inputs(space, cell, node, edges)
    return space


def _add_inputs(space: ConfigurationSpace, cell: str, node: int, edges: list[Any]) -> None:
    pairs = list(itertools.combinations(range(node + 2), 2))
    inputs = Categorical(f"inputs_node_{cell}_{node + 2}", [f"{a}_{b}" for a, b in pairs])
    space.add(inputs)
    for source, edge in enumerate(edges):
        space.add(InCondition(edge, inputs, [f"{a}_{b}" for a, b in pairs if source in (a, b)]))


@functools.lru_cache(maxsize=1)
def _shared_space() -> ConfigurationSpace:
    return search_space()


def to_compact(configuration: Configuration) -> Compact:
    """The compact form, the inputs of each node in ascending order."""
    values = configs.to_dict(configuration)
    normal, reduction = (_cell(values, name) for name in CELLS)
    return normal, reduction


def _cell(values: Mapping[str, Any], name: str) -> Cell:
    pairs: list[tuple[int, int]] = []
    for node, first in enumerate(_FIRST):
        chosen = values[f"inputs_node_{name}_{node + 2}"] if node else "0_1"
        for source in map(int, chosen.split("_")):
            operation = values[f"edge_{name}_{first + source}"]
            pairs.append((source, OPERATIONS.index(operation)))
    return tuple(pairs)


def from_compact(given: Any) -> Configuration:
    """The configuration of a compact form, whatever the order of a node's inputs.

    Raises:
        TableError: it is no network of the space.
    """
    values: dict[str, configs.Value] = {}
    for name, cell in zip(CELLS, compact(key(given)), strict=True):
        for node, first in enumerate(_FIRST):
            pair = cell[2 * node : 2 * node + 2]
            if node:
                values[f"inputs_node_{name}_{node + 2}"] = f"{pair[0][0]}_{pair[1][0]}"
            values |= {f"edge_{name}_{first + i}": OPERATIONS[o] for i, o in pair}
    return configs.from_dict(_shared_space(), values)


def to_key(configuration: Configuration) -> str:
    """The key by which tables know the network."""
    return key(to_compact(configuration))


def from_key(text: str) -> Configuration:
    """The configuration of a table's key.

    Raises:
        TableError: it is no key.
    """
    return from_compact(compact(text))


def to_genotype(configuration: Configuration) -> Genotype:
    """DARTS's genotype."""
    normal, reduction = (
        [(OPERATIONS[operation], source) for source, operation in cell]
        for cell in to_compact(configuration)
    )
    concat = list(range(2, 2 + NODES))
    return Genotype(normal, concat, reduction, list(concat))


def from_genotype(genotype: Any) -> Configuration:
    """The configuration of a genotype: anything with `normal` and `reduce`.

    Raises:
        ValueError: it names an operation that the space has not.
        TableError: it is no network of the space.
    """
    cells = (genotype.normal, genotype.reduce)
    return from_compact([[(i, OPERATIONS.index(name)) for name, i in cell] for cell in cells])


def to_nb301(configuration: Configuration) -> dict[str, str]:
    """What the package `nasbench301` takes as `representation="configspace"`."""
    return {f"{PREFIX}{name}": str(v) for name, v in configs.to_dict(configuration).items()}


def from_nb301(values: Mapping[str, str]) -> Configuration:
    """The configuration of such a mapping.

    Raises:
        ValueError: it is none of the space.
    """
    return configs.from_dict(
        _shared_space(), {name.removeprefix(PREFIX): value for name, value in values.items()}
    )


def neighbours(configuration: Configuration) -> Iterator[Configuration]:
    """The 120 networks that differ in one operation or in one input of a node."""
    cells = to_compact(configuration)
    for cell, place in itertools.product(range(len(CELLS)), range(2 * NODES)):
        for pair in _pairs(cells[cell], place):
            changed = (*cells[cell][:place], pair, *cells[cell][place + 1 :])
            yield from_compact((changed, cells[1]) if cell == 0 else (cells[0], changed))


def _pairs(cell: Cell, place: int) -> Iterator[tuple[int, int]]:
    """What can stand at a place instead: another operation, or another free input."""
    (source, operation), (partner, _) = cell[place], cell[place ^ 1]
    yield from ((source, other) for other in range(len(OPERATIONS)) if other != operation)
    inputs = range(place // 2 + 2)
    yield from ((other, operation) for other in inputs if other not in (source, partner))


def mutate(configuration: Configuration, rng: np.random.RandomState) -> Configuration:
    """One of the neighbours, each as likely as the others."""
    found = list(neighbours(configuration))
    return found[rng.randint(len(found))]


def paths(configuration: Configuration) -> tuple[frozenset[Path], frozenset[Path]]:
    """All paths from a cell's inputs to its inner nodes, of both cells.

    Every edge is on one of them. (NASLib's path encoding leaves out each cell's last edge, so that
    networks which differ only there are taken for equal.)
    """
    normal, reduction = (_paths(cell) for cell in to_compact(configuration))
    return normal, reduction


def _paths(cell: Cell) -> frozenset[Path]:
    reaching: list[list[Path]] = [[(0, ())], [(1, ())]]
    for place in range(0, len(cell), 2):
        reaching.append(
            [
                (begin, (*names, OPERATIONS[operation]))
                for source, operation in cell[place : place + 2]
                for begin, names in reaching[source]
            ]
        )
    return frozenset(path for found in reaching[2:] for path in found)
