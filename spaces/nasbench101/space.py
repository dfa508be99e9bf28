"""The NAS-Bench-101 cell space: seven vertices, at most nine edges, three operations.

    space = search_space()
    to_hash(configuration)      # the published name of the cell, 32 hexadecimal digits
    is_valid(configuration)     # at most nine edges, input reaches output, after pruning

`edge_<from>_<to>` for the 21 pairs of the vertices 0 (input) ... 6 (output), and `operation_1` ...
`operation_5`: the matrix of Ying et al. (ICML 2019, arXiv:1902.09635). About a quarter of its
points are no cells of the benchmark, and forbidden clauses cannot say which, since a clause would
have to count edges after pruning.

So `cell` repairs: every configuration stands for one valid cell, near it by a fixed rule, and valid
ones stand for themselves. A search wastes no evaluation, and engines that know nothing of graphs
need not learn where failures lie. `invalid="fail"` answers with an error instead, which a study
records as a failed trial with the reason. Repair makes cells of nine edges commoner among random
configurations than among the published random samples, which are redrawn until they are valid;
`sample` draws those.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Literal

import numpy as np
from ConfigSpace import Categorical, Configuration, ConfigurationSpace

from automl_nas import configs
from automl_nas.tables.modules101 import (
    EDGES,
    OPERATIONS,
    VERTICES,
    Labels,
    Matrix,
    edges,
    key_of,
    module_hash,
    pruned,
)

PAIRS = tuple((i, j) for i in range(VERTICES) for j in range(i + 1, VERTICES))
"""(from, to) of every possible edge."""
EDGE_NAMES = {f"edge_{i}_{j}": (i, j) for i, j in PAIRS}
OPERATION_NAMES = tuple(f"operation_{vertex}" for vertex in range(1, VERTICES - 1))
Cell = tuple[Matrix, Labels]
"""Matrix of a pruned cell, and the operations of its inner vertices as indices of `OPERATIONS`."""
Invalid = Literal["repair", "fail"]


def search_space() -> ConfigurationSpace:
    """21 edges (0 or 1) and 5 operations, all categorical."""
    space = ConfigurationSpace(name="nasbench101")
    space.add([Categorical(name, (0, 1)) for name in EDGE_NAMES])
    space.add([Categorical(name, OPERATIONS) for name in OPERATION_NAMES])
    return space


@functools.lru_cache(maxsize=1)
def _shared_space() -> ConfigurationSpace:
    return search_space()


def cell(configuration: Configuration, *, invalid: Invalid = "repair") -> Cell:
    """The pruned cell that a configuration stands for.

    Raises:
        ValueError: it is no cell of the benchmark, and `invalid` is "fail".
    """
    matrix, labels = _graph(configuration)
    return _repaired(matrix, labels) if invalid == "repair" else _checked(matrix, labels)


def is_valid(configuration: Configuration) -> bool:
    """Whether it is a cell of the benchmark without repair."""
    found = pruned(*_graph(configuration))
    return found is not None and len(edges(found[0])) <= EDGES


def to_hash(configuration: Configuration, *, invalid: Invalid = "repair") -> str:
    """The published hash of the cell; equal for isomorphic cells.

    Raises:
        ValueError: it is no cell of the benchmark, and `invalid` is "fail".
    """
    return module_hash(*cell(configuration, invalid=invalid))


def to_key(configuration: Configuration, *, invalid: Invalid = "repair") -> int:
    """The key by which `automl_nas.tables.nasbench101` knows the cell.

    Raises:
        ValueError: it is no cell of the benchmark, and `invalid` is "fail".
    """
    return key_of(to_hash(configuration, invalid=invalid))


def from_cell(matrix: Matrix, labels: Labels) -> Configuration:
    """A configuration of the cell; vertices that it does not have stay without edges.

    Raises:
        ValueError: more than seven vertices, or an edge that does not lead forwards.
    """
    size = len(matrix)
    if size > VERTICES or any(i >= j for i, j in edges(matrix)):
        raise ValueError(f"expected an upper triangle of at most {VERTICES} vertices, got {matrix}")
    place = [*range(size - 1), VERTICES - 1]
    there = {(place[i], place[j]) for i, j in edges(matrix)}
    values: dict[str, configs.Value] = {name: int(e in there) for name, e in EDGE_NAMES.items()}
    padded = (*labels, *[0] * len(OPERATION_NAMES))
    values.update({n: OPERATIONS[label] for n, label in zip(OPERATION_NAMES, padded, strict=False)})
    return configs.from_dict(_shared_space(), values)


def sample(rng: np.random.RandomState) -> Configuration:
    """A random valid cell as in the paper: edges by coin, operations uniform, until it is valid."""
    while True:
        configuration = configs.sample(_shared_space(), rng)
        if is_valid(configuration):
            return configuration


def neighbours(configuration: Configuration) -> Iterator[Configuration]:
    """Valid configurations that differ in one edge or operation and are another cell, each once."""
    seen = {to_hash(configuration)}
    for neighbour in configs.neighbours(configuration, np.random.RandomState(0)):  # all categorical
        if is_valid(neighbour) and to_hash(neighbour) not in seen:
            seen.add(to_hash(neighbour))
            yield neighbour


def _graph(configuration: Configuration) -> Cell:
    values = configs.to_dict(configuration)
    matrix = [[0] * VERTICES for _ in range(VERTICES)]
    for name, (i, j) in EDGE_NAMES.items():
        matrix[i][j] = int(values[name] == 1)
    labels = tuple(OPERATIONS.index(str(values[name])) for name in OPERATION_NAMES)
    return tuple(map(tuple, matrix)), labels


def _checked(matrix: Matrix, labels: Labels) -> Cell:
    found = pruned(matrix, labels)
    if found is None:
        raise ValueError("no path leads from the cell's input to its output.")
    number = len(edges(found[0]))
    if number > EDGES:
        raise ValueError(f"the cell has {number} edges after pruning, at most {EDGES} are allowed.")
    return found


@functools.lru_cache(maxsize=1 << 14)
def _repaired(matrix: Matrix, labels: Labels) -> Cell:
    """Connected first, then thinned: see `_connected` and `_thinned`."""
    found = pruned(matrix, labels) or pruned(_connected(matrix), labels)
    assert found is not None
    while len(edges(found[0])) > EDGES:
        found = _thinned(*found)
    return found


def _connected(matrix: Matrix) -> Matrix:
    """With one more edge.

    From the input to the first vertex that reaches the output, or, where none does, from the last
    vertex that the input reaches to the output.
    """
    last = VERTICES - 1
    behind, ahead = {last}, {0}
    for i, j in reversed(PAIRS):
        behind |= {i} if matrix[i][j] and j in behind else set()
    for i, j in PAIRS:
        ahead |= {j} if matrix[i][j] and i in ahead else set()
    first = min(behind)
    i, j = (0, first) if first != last else (max(ahead), last)
    rows = [list(row) for row in matrix]
    rows[i][j] = 1
    return tuple(map(tuple, rows))


def _thinned(matrix: Matrix, labels: Labels) -> Cell:
    """Without the edge whose loss leaves the most vertices; of several the first, row by row."""

    def without(edge: tuple[int, int]) -> Cell | None:
        rows = [list(row) for row in matrix]
        rows[edge[0]][edge[1]] = 0
        return pruned(rows, labels)

    return max(filter(None, map(without, edges(matrix))), key=lambda found: len(found[0]))
