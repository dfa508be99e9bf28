"""The cell of NAS-Bench-ASR: 13,824 codes of 8,242 different graphs.

    space = search_space()
    to_code(configuration)       # [[op, skip], [op, skip, skip], [op, skip, skip, skip]]
    graph_hash(configuration)    # equal for codes of one graph, as in the published files

Node 0 is the input and node 4 the output. `op_1`, `op_2` and `op_3` are the operations of the nodes
between, each of which is fed by the node before. `skip_0_2` is 1 where the result of node 0 is also
added to what goes into node 2: on its way it passes node 1 by. An operation may be `zero`, so that
different codes can be one graph.

All nine choices are hyperparameters, so that mutations change skips like operations: 21 neighbours.
(NASLib's mutation never changes a skip.)

Source: Mehrotra et al., ICLR 2021 (openreview CU0APx9LMaL), section 3.1; the hash is the one of
NAS-Bench-101 (Ying et al., ICML 2019) on this graph.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ConfigSpace import Categorical, Configuration, ConfigurationSpace

from automl_nas import configs
from automl_nas.tables.nasbenchasr import OPERATIONS

NODES = 3
"""Nodes with an operation."""
SKIPS = tuple((source, node + 2) for node in range(NODES) for source in range(node + 1))
"""(source, target) in the order of a code: 0-2, 0-3, 1-3, 0-4, 1-4, 2-4."""
_INPUT, _OUTPUT = -1, -2
"""Labels of the outer nodes in the published hash."""
Edges = frozenset[tuple[int, int]]


def search_space() -> ConfigurationSpace:
    """Three operations and six skips, 0 or 1."""
    space = ConfigurationSpace(name="nasbenchasr")
    space.add([Categorical(f"op_{node + 1}", OPERATIONS) for node in range(NODES)])
    space.add([Categorical(f"skip_{source}_{target}", [0, 1]) for source, target in SKIPS])
    return space


@functools.lru_cache(maxsize=1)
def _shared_space() -> ConfigurationSpace:
    return search_space()


def to_code(configuration: Configuration) -> list[list[int]]:
    """[operation, skips into the node after the next one] of each node."""
    values = configs.to_dict(configuration)
    return [
        [
            OPERATIONS.index(str(values[f"op_{node}"])),
            *(int(values[f"skip_{s}_{t}"] or 0) for s, t in SKIPS if t == node + 1),
        ]
        for node in range(1, NODES + 1)
    ]


def from_code(code: Sequence[Sequence[int]]) -> Configuration:
    """The configuration of a code.

    Raises:
        ValueError: it has another shape, or a choice that there is not.
    """
    lengths = [len(node) for node in code]
    legal = all(0 <= o < len(OPERATIONS) and set(skips) <= {0, 1} for o, *skips in code)
    if lengths != [2, 3, 4] or not legal:
        raise ValueError(
            f"expected [[op, skip], [op, skip, skip], [op, skip, skip, skip]] with operations "
            f"below {len(OPERATIONS)} and skips 0 or 1, got {code=}."
        )
    values: dict[str, configs.Value] = {}
    for node, (operation, *skips) in enumerate(code, start=1):
        values[f"op_{node}"] = OPERATIONS[operation]
        values |= {f"skip_{source}_{node + 1}": skip for source, skip in enumerate(skips)}
    return configs.from_dict(_shared_space(), values)


def _graph(code: Sequence[Sequence[int]]) -> tuple[list[int], Edges]:
    """Labels and edges of what lies between input and output; no labels where nothing does."""
    labels = [_INPUT, *(node[0] for node in code), _OUTPUT]
    edges = {(node, node + 1) for node in range(NODES + 1)}
    for node, (_, *skips) in enumerate(code, start=1):
        edges |= {(source, node + 1) for source, skip in enumerate(skips) if skip}
    zero = OPERATIONS.index("zero")
    edges = {(s, t) for s, t in edges if zero not in (labels[s], labels[t])}
    forth = _reached(0, lambda node: (t for s, t in edges if s == node))
    back = _reached(NODES + 1, lambda node: (s for s, t in edges if t == node))
    kept = sorted(forth & back)
    place = {node: index for index, node in enumerate(kept)}
    inner = frozenset((place[s], place[t]) for s, t in edges if s in place and t in place)
    return [labels[node] for node in kept], inner


def _reached(begin: int, onwards: Callable[[int], Iterable[int]]) -> set[int]:
    found, waiting = {begin}, [begin]
    while waiting:
        fresh = set(onwards(waiting.pop())) - found
        found |= fresh
        waiting += fresh
    return found


def is_disconnected(configuration: Configuration) -> bool:
    """Whether zeros cut the output off the input."""
    return not _graph(to_code(configuration))[0]


def graph_hash(configuration: Configuration) -> str:
    """The published hash: zeros and what they leave dangling are cut out before."""
    labels, edges = _graph(to_code(configuration))
    nodes = range(len(labels))
    into = [[s for s, t in sorted(edges) if t == node] for node in nodes]
    out_of = [[t for s, t in sorted(edges) if s == node] for node in nodes]
    # The authors counted edges in a matrix of floats, and hashed them as such.
    marks = [_md5((float(len(out_of[n])), float(len(into[n])), labels[n])) for n in nodes]
    for _ in nodes:
        marks = [
            _md5(
                "".join(sorted(marks[s] for s in into[n]))
                + "|"
                + "".join(sorted(marks[t] for t in out_of[n]))
                + "|"
                + marks[n]
            )
            for n in nodes
        ]
    return _md5(sorted(marks))


def _md5(value: Any) -> str:
    return hashlib.md5(str(value).encode(), usedforsecurity=False).hexdigest()
