"""Cells of NAS-Bench-101 as graphs: pruning, the published hash, packed bits.

    matrix, labels = pruned(matrix, labels)        # or None: the output is not reached
    name = module_hash(matrix, labels)             # 32 hexadecimal digits
    key = key_of(name)                             # the integer by which our tables know it

A cell is an upper-triangular 0/1 matrix (rows: from, columns: to; first vertex the input, last the
output) with a label for each vertex between. Source: Ying et al., ICML 2019 (arXiv:1902.09635),
sections 2 and S1: vertices that are not on a path from input to output are cut; the hash is the MD5
of the sorted vertex hashes after as many rounds of hashing the neighbours as there are vertices.

Keys: opening all 423,624 cells must not take a minute of hashing, and the collected file has the
first four bytes of each hash alone. These tell all but 38 cells apart; a key has the next 31 bits
too where the four bytes are one of `SHARED`. It is one-to-one on the whole benchmark, thus also on
any part of it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""In the order of the published labels 0, 1, 2."""
VERTICES, EDGES, CELLS = 7, 9, 423_624
INPUT, OUTPUT = -1, -2
"""Labels of the first and the last vertex in the hash."""
SHARED: frozenset[int] = frozenset(
    {
        0x02714044,
        0x0AEB631C,
        0x0DCD4292,
        0x21285870,
        0x26B866F4,
        0x3E41B79E,
        0x4FAD4517,
        0x56333546,
        0x65D0B104,
        0x6FD3C411,
        0x739ED85B,
        0x7D978FC4,
        0x8021A313,
        0x89315CCC,
        0xAF3F4A2C,
        0xBDE21F5A,
        0xC3EEE9CC,
        0xF30382F0,
        0xF31549BB,
    }
)
"""First four bytes, as a number, that two cells of the benchmark have in common."""

Matrix = tuple[tuple[int, ...], ...]
Labels = tuple[int, ...]
"""Of the vertices between input and output."""


def pruned(matrix: Sequence[Sequence[int]], labels: Sequence[int]) -> tuple[Matrix, Labels] | None:
    """The cell without vertices off every path from input to output; None: there is no path."""
    size = len(matrix)
    ahead, behind = {0}, {size - 1}
    for vertex in range(1, size):
        if any(matrix[source][vertex] and source in ahead for source in range(vertex)):
            ahead.add(vertex)
    for vertex in range(size - 2, -1, -1):
        if any(matrix[vertex][to] and to in behind for to in range(vertex + 1, size)):
            behind.add(vertex)
    kept = sorted(ahead & behind)
    if kept[:1] != [0] or kept[-1:] != [size - 1]:
        return None
    smaller = tuple(tuple(int(matrix[i][j]) for j in kept) for i in kept)
    return smaller, tuple(int(labels[vertex - 1]) for vertex in kept[1:-1])


def edges(matrix: Matrix) -> list[tuple[int, int]]:
    """(from, to) of each, row by row."""
    return [(i, j) for i, row in enumerate(matrix) for j, there in enumerate(row) if there]


@functools.lru_cache(maxsize=1 << 16)
def module_hash(matrix: Matrix, labels: Labels) -> str:
    """The published hash of a pruned cell, 32 hexadecimal digits; equal for isomorphic cells."""
    size, every = len(matrix), (INPUT, *labels, OUTPUT)
    before = [[i for i in range(size) if matrix[i][j]] for j in range(size)]
    after = [[j for j in range(size) if matrix[i][j]] for i in range(size)]
    hashes = [_md5(str((len(after[v]), len(before[v]), every[v]))) for v in range(size)]
    for _ in range(size):
        hashes = [
            _md5(
                "".join(sorted(hashes[i] for i in before[v]))
                + "|"
                + "".join(sorted(hashes[j] for j in after[v]))
                + "|"
                + hashes[v]
            )
            for v in range(size)
        ]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def key_of(name: str) -> int:
    """The key of a hash of 32 hexadecimal digits, below 2 ** 63."""
    first = int(name[:8], 16)
    return first << 31 | (int(name[8:16], 16) >> 1 if first in SHARED else 0)


def unpacked(size: int, bits: int, digits: Sequence[int]) -> tuple[Matrix, Labels]:
    """A cell from the upper triangle row by row, lowest bit first, and its labels."""
    matrix = np.zeros((size, size), dtype=int)
    upper = np.triu_indices(size, 1)
    matrix[upper] = bits >> np.arange(len(upper[0])) & 1
    return tuple(map(tuple, matrix.tolist())), tuple(int(d) for d in digits[: size - 2])


def from_text(adjacency: str, operations: Sequence[str]) -> tuple[Matrix, Labels]:
    """A cell as the official records have it: `0110001100010000` and names of operations.

    Raises:
        ValueError: an operation is unknown, or the text is no square matrix.
    """
    size = len(operations)
    if len(adjacency) != size * size:
        raise ValueError(f"{adjacency!r} is no matrix of {size} vertices")
    unknown = [name for name in operations[1:-1] if name not in OPERATIONS]
    if unknown:
        raise ValueError(f"unknown operations: {', '.join(unknown)}")
    bits: npt.NDArray[np.int64] = np.array([int(bit) for bit in adjacency]).reshape(size, size)
    labels = tuple(OPERATIONS.index(operation) for operation in operations[1:-1])
    return tuple(map(tuple, bits.tolist())), labels
