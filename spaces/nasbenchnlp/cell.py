"""Recurrent cells as graphs: what belongs to the space, when two are one, what is near.

    violations(compact)           # () where the cell belongs to the space
    graph_hash(compact)           # equal for cells that differ in the numbers of their nodes
    mutate(compact, rng)          # another operation, or another source of an edge
    to_recipe(compact)            # {"node_0": {"op": "linear", "input": ["x", "h_prev_0"]}, ...}

Compact forms are those of `automl_nas.tables.nasbenchnlp`. A `blend` of (a, b, c) is a * b +
(1 - a) * c, so that the order of its inputs matters; that of other operations' does not. Which of
the next hidden states is `h_new_0`, the cell's output, a compact form does not say: NASLib made it
from recipes in their order and dropped the names. Here the first is taken for it, as in NASLib.

Sources: Klyuchnikov et al., arXiv:2006.07116 and their generator of cells; NASLib's mutation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from automl_nas.errors import SettingError, TableError
from automl_nas.tables.nasbenchnlp import INPUTS, OPERATIONS, Compact, checked, inputs

Recipe = dict[str, dict[str, Any]]
"""Node -> {op, input: names of nodes}, the authors' own form."""

_LINEAR, _BLEND = OPERATIONS.index("linear"), OPERATIONS.index("blend")
_FAMILIES = ((1, 2, 3), (4, 5))
"""Operations that may take each other's place: activations, elementwise ones."""
_TAKES = {1: (1,), 2: (1,), 3: (1,), 4: (2,), 5: (2,), _LINEAR: (2, 3), _BLEND: (3,)}
"""How many inputs an operation may have."""


def violations(compact: Any) -> tuple[str, ...]:
    """What keeps a cell out of the space, in words; empty where nothing does.

    An activation has one input, a sum or product two, a blend three, a linear layer two or three,
    none of them twice. `x` goes into linear layers only. Every node is used, `x` is, and of the
    hidden states before as many as there are next ones. The authors' generator keeps further rules
    which their own RNN, LSTM and GRU break; they are not asked for here.

    Raises:
        TableError: it is no compact form.
    """
    form = checked(compact)
    _, operations, hidden = form
    taken = inputs(form)
    found = []
    for node, sources in list(enumerate(taken))[len(INPUTS) :]:
        name = OPERATIONS[operations[node]]
        if len(sources) not in _TAKES[operations[node]]:
            found.append(f"node {node} ({name}) has {len(sources)} inputs")
        if len(set(sources)) < len(sources):
            found.append(f"node {node} ({name}) has an input twice")
        if 0 in sources and operations[node] != _LINEAR:
            found.append(f"node {node} ({name}) takes x")
    used = _used(taken, hidden)
    states = len(INPUTS) - 1
    if len(hidden) > states:
        found.append(f"{len(hidden)} hidden states, at most {states} are allowed")
    needed = {*range(1 + min(states, len(hidden))), *range(len(INPUTS), len(operations))}
    found += [f"node {node} is not used" for node in sorted(needed - used)]
    found += [f"{INPUTS[node]} has no next state" for node in sorted(used - needed)]
    return tuple(found)


def _used(taken: list[list[int]], hidden: tuple[int, ...]) -> set[int]:
    """The nodes on which a hidden state depends, itself included."""
    used = set(hidden)
    for node in reversed(range(len(taken))):
        used |= set(taken[node]) if node in used else set()
    return used


def graph_hash(compact: Any) -> str:
    """32 hexadecimal digits, equal if and only if cells differ in the numbers of own nodes alone.

    It is ours: none was published. Inputs of a blend count in order, those of other operations do
    not; hidden states are a set; nodes without use count too. Nodes are marked by what they take
    and by who takes them, round after round. Where that leaves several alike (two linear layers of
    the same inputs) each is singled out in turn, and the smallest result is taken.

    Raises:
        TableError: it is no compact form.
    """
    form = checked(compact)
    _, operations, hidden = form
    names = [*INPUTS, *(OPERATIONS[code] for code in operations[len(INPUTS) :])]
    return _smallest([_md5(f"{name} {node in hidden}") for node, name in enumerate(names)], form)


def _smallest(marks: list[str], form: Compact) -> str:
    """The hash of the marked graph, the smallest over all ways to tell its nodes apart."""
    marks, before = _marked(marks, form), 0
    while len(set(marks)) > before:
        marks, before = _marked(marks, form), len(set(marks))
    alike = min((mark for mark in marks if marks.count(mark) > 1), default="")
    if not alike:
        return _md5(" ".join(sorted(marks)))
    return min(
        _smallest([*marks[:node], _md5(f"{alike} this"), *marks[node + 1 :]], form)
        for node, mark in enumerate(marks)
        if mark == alike
    )


def _marked(marks: list[str], form: Compact) -> list[str]:
    """Each mark with those of the nodes that it takes and of those that take it."""
    edges, operations, _ = form
    taken = [[marks[source] for source in sources] for sources in inputs(form)]
    users = [sorted(marks[t] for s, t in edges if s == node) for node in range(len(marks))]
    return [
        _md5(f"{mark}|{sources if code == _BLEND else sorted(sources)}|{targets}")
        for mark, code, sources, targets in zip(marks, operations, taken, users, strict=True)
    ]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def neighbours(compact: Any) -> Iterator[Compact]:
    """Cells that differ in one operation or in the source of one edge, as NASLib changes them.

    An operation becomes another of its family (three activations; sum and product). An edge from an
    own node comes from another own node before its target. Numbers of nodes and edges, hidden
    states and edges from inputs stay. Unlike NASLib's, no neighbour is the cell itself or breaks a
    rule of `violations` that the cell keeps.

    Raises:
        TableError: it is no compact form.
    """
    form = checked(compact)
    yield from _allowed(form, _other_operations(form))
    yield from _allowed(form, _other_edges(form))


def _allowed(parent: Compact, changed: Iterator[Compact]) -> Iterator[Compact]:
    broken = set(violations(parent))
    return (one for one in changed if set(violations(one)) <= broken)


def _other_operations(form: Compact) -> Iterator[Compact]:
    edges, operations, hidden = form
    for node, code in enumerate(operations):
        for other in next((family for family in _FAMILIES if code in family), ()):
            if other != code:
                yield edges, (*operations[:node], other, *operations[node + 1 :]), hidden


def _other_edges(form: Compact) -> Iterator[Compact]:
    edges, operations, hidden = form
    for place, (source, target) in enumerate(edges):
        for other in range(len(INPUTS), target) if source >= len(INPUTS) else ():
            if other != source:
                moved = (*edges[:place], (other, target), *edges[place + 1 :])
                yield moved, operations, hidden


def mutate(compact: Any, rng: np.random.RandomState) -> Compact:
    """One of the neighbours: an operation or an edge, as likely, then each as likely as the others.

    Where there is no neighbour of the one kind, it is of the other.

    Raises:
        SettingError: the cell has no neighbour.
        TableError: it is no compact form.
    """
    form = checked(compact)
    kinds = [list(_allowed(form, kind(form))) for kind in (_other_operations, _other_edges)]
    kinds = [found for found in kinds if found]
    if not kinds:
        raise SettingError(f"expected a cell that has neighbours, got {compact!r}: take another.")
    found = kinds[rng.randint(len(kinds))]
    return found[rng.randint(len(found))]


def to_recipe(compact: Any) -> Recipe:
    """The authors' form; hidden nodes are called `h_new_0`, ... in ascending order, as by NASLib.

    Raises:
        TableError: it is no compact form.
    """
    form = checked(compact)
    _, operations, hidden = form
    own = [node for node in range(len(INPUTS), len(operations)) if node not in hidden]
    names = dict(enumerate(INPUTS))
    names |= {node: f"node_{number}" for number, node in enumerate(own)}
    names |= {node: f"h_new_{number}" for number, node in enumerate(hidden)}
    return {
        names[node]: {"op": OPERATIONS[operations[node]], "input": [names[s] for s in sources]}
        for node, sources in list(enumerate(inputs(form)))[len(INPUTS) :]
    }


def from_recipe(recipe: Mapping[str, Mapping[str, Any]]) -> Compact:
    """The compact form; a node before its inputs moves to the end, as by NASLib.

    Nodes called `h_new_` and a number are hidden states; other names say nothing. (NASLib takes
    `h_new_1_act` for one too.)

    Raises:
        TableError: it is no recipe, or its nodes take each other in a circle.
    """
    waiting = _nodes(recipe)
    places = {name: node for node, name in enumerate(INPUTS)}
    codes, passed = [0] * len(INPUTS), 0
    edges: list[tuple[int, int]] = []
    while waiting:
        name = next(iter(waiting))
        code, taken = waiting.pop(name)
        if places.keys() >= set(taken):
            edges += [(places[source], len(codes)) for source in taken]
            places[name], passed = len(codes), 0
            codes.append(code)
            continue
        waiting[name], passed = (code, taken), passed + 1
        if passed == len(waiting):
            raise TableError(f"{', '.join(waiting)} take each other, or nodes that there are not.")
    hidden = [node for name, node in places.items() if re.fullmatch(r"h_new_\d+", name)]
    return checked((edges, codes, hidden))


def _nodes(recipe: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, tuple[str, ...]]]:
    """The code and the inputs of each node."""
    try:
        if set(recipe) & set(INPUTS):
            raise ValueError("a node has the name of an input")
        return {
            name: (OPERATIONS.index(node["op"]), tuple(map(str, node["input"])))
            for name, node in recipe.items()
        }
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TableError(
            f"expected {{node: {{'op': ..., 'input': [...]}}}}, got {recipe!r} ({error})."
        ) from error
