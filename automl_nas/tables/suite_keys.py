"""Keys of NAS-Bench-Suite-Zero as native keys of their spaces.

    native("nasbench201", "cifar10", (4, 3, 3, 0, 0, 0))    # "|avg_pool_3x3~0|+|nor_conv_1x1~0|..."

| space               | ints of the suite                            | native key          |
|---------------------|----------------------------------------------|---------------------|
| nasbench101         | adjacency and operations, 6 to 56 numbers    | the graph's hash    |
| nasbench201         | NASLib's operations, edges by source node    | the official string |
| nasbench301         | two cells of eight pairs (input, operation)  | `0,3 1,2 ...`       |
| transbench101_micro | TransNAS's digits by target node, or NASLib's | `64-41414-a_bc_def` |
| transbench101_macro | digits, in early files padded with zeros     | `64-abcd-basic`     |

The six ints of a cell of TransNAS-Bench-101 are NASLib's on svhn, scifar100 and ninapro and another
cell than the same ints on the seven tasks of Taskonomy: under these readings, and no others, the
published sentinels lie on the cells without a path from input to output.

Source: automl/NASLib, branch zerocost; the hash is that of Ying et al., "NAS-Bench-101", ICML 2019.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from automl_nas.tables.suite_tasks import EXTRA

Ints = tuple[int, ...]

_NB201_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_MICRO_DIGITS = "1032"
"""TransNAS's digits of NASLib's identity, zero, 3x3 and 1x1 convolution."""
_BY_TARGET = (0, 1, 3, 2, 4, 5)
"""Places of the edges (1,2) (1,3) (2,3) (1,4) (2,4) (3,4) among NASLib's, which go by source."""
_NB101_LABELS = {0: -1, 1: -2, 2: 2, 3: 1, 4: 0}
"""The suite's input, output, pooling, 1x1 and 3x3 convolution as the published hash numbers."""
_NODES = 4
"""Intermediate nodes of a cell of NAS-Bench-301, two inputs each."""


def native(space: str, dataset: str, key: Any) -> str:
    """The native key of a decoded key of the suite.

    Raises:
        ValueError: it is no key of that space.
    """
    match space:
        case "nasbench101":
            return _nasbench101(_ints(key))
        case "nasbench201":
            return _nasbench201(_ints(key, 6, 4))
        case "nasbench301":
            return _nasbench301(key)
        case "transbench101_micro":
            return _micro(_ints(key, 6, 3), dataset)
        case "transbench101_macro":
            return _macro(_ints(key))
    raise ValueError(f"{space=} is none of the suite's.")


def collected(space: str, dataset: str, text: str) -> str:
    """The native key of a key as the collected csv files write it."""
    if space in ("nasbench101", "nasbench301"):
        return text
    return native(space, dataset, [int(number) for number in text.split()])


def _ints(key: Any, length: int | None = None, highest: int = 4) -> Ints:
    numbers = tuple(key)
    if not all(type(number) is int and 0 <= number <= highest for number in numbers):
        raise ValueError(f"expected whole numbers from 0 to {highest}, got {key!r}.")
    if length is not None and len(numbers) != length:
        raise ValueError(f"expected {length} numbers, got {key!r}.")
    return numbers


def _nasbench201(key: Ints) -> str:
    a, b, c, d, e, f = (_NB201_OPERATIONS[key[place]] for place in _BY_TARGET)
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def _micro(key: Ints, dataset: str) -> str:
    if dataset in EXTRA:
        digits = "".join(_MICRO_DIGITS[key[place]] for place in _BY_TARGET)
    else:
        digits = "".join(map(str, key))
    return f"64-41414-{digits[0]}_{digits[1:3]}_{digits[3:]}"


def _macro(key: Ints) -> str:
    digits = "".join(map(str, key)).rstrip("0")
    if not 4 <= len(digits) <= 6 or "0" in digits:
        raise ValueError(f"expected 4 to 6 digits from 1 to 4, then zeros, got {key!r}.")
    return f"64-{digits}-basic"


def _nasbench301(key: Any) -> str:
    cells = [[(int(source), int(operation)) for source, operation in cell] for cell in key]
    if [len(cell) for cell in cells] != [2 * _NODES] * 2:
        raise ValueError(f"expected two cells of eight pairs, got {key!r}.")
    pairs = [
        pair for cell in cells for node in range(_NODES)
        for pair in sorted(cell[2 * node : 2 * node + 2])
    ]  # fmt: skip
    return " ".join(f"{source},{operation}" for source, operation in pairs)


def _nasbench101(key: Ints) -> str:
    nodes = next((n for n in range(2, 8) if n * n + n == len(key)), None)
    if nodes is None:
        raise ValueError(f"expected n*n + n numbers for 2 to 7 nodes, got {len(key)}.")
    matrix = [key[row * nodes : (row + 1) * nodes] for row in range(nodes)]
    live = _live(matrix)
    if not live:
        raise ValueError(f"no way leads from the input to the output of the cell {key!r}.")
    pruned = [tuple(matrix[v][w] for w in live) for v in live]
    return _graph_hash(pruned, [_NB101_LABELS[key[nodes * nodes + v]] for v in live])


def _live(matrix: Sequence[Ints]) -> list[int]:
    """Nodes on a way from the first node to the last; the benchmark prunes all others."""
    nodes = range(len(matrix))
    reached, needed = {0}, {nodes[-1]}
    for v in nodes:
        if v in reached:
            reached |= {w for w in nodes if matrix[v][w]}
    for v in reversed(nodes):
        if any(matrix[v][w] for w in needed):
            needed.add(v)
    return sorted(reached & needed)


def _graph_hash(matrix: Sequence[Ints], labels: Sequence[int]) -> str:
    """The published hash of a labelled graph: as many rounds of neighbours as it has nodes."""
    nodes = range(len(labels))
    degrees = [(sum(matrix[v]), sum(row[v] for row in matrix)) for v in nodes]
    hashes = [_md5(str((*degrees[v], labels[v]))) for v in nodes]
    for _ in nodes:
        before = hashes
        hashes = [
            _md5(
                "".join(sorted(before[w] for w in nodes if matrix[w][v]))
                + "|"
                + "".join(sorted(before[w] for w in nodes if matrix[v][w]))
                + "|"
                + before[v]
            )
            for v in nodes
        ]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
