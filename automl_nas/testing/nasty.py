"""Three spaces that between them have all that ConfigSpace 1.2 expresses and the library accepts.

`NASTY` is name -> space, for `SearcherContract.spaces` or a test of your own. What is missing here
is refused, by ConfigSpace or by `automl_nas.acceptance`, where each has its reason.

`plain`, `ordered` and `finite` are the same spaces for a searcher without priors, without
unordered choices, without numbers: all that it can express is still there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from ConfigSpace import (
    AndConjunction,
    Beta,
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenEqualsRelation,
    ForbiddenGreaterThanClause,
    ForbiddenGreaterThanEqualsClause,
    ForbiddenGreaterThanRelation,
    ForbiddenInClause,
    ForbiddenLessThanClause,
    ForbiddenLessThanEqualsClause,
    ForbiddenLessThanRelation,
    ForbiddenOrConjunction,
    GreaterThanCondition,
    InCondition,
    Integer,
    LessThanCondition,
    Normal,
    NotEqualsCondition,
    OrConjunction,
)

from automl_nas import configs
from automl_nas.layout import Slot, layout

Stored = dict[str, Any]
"""A hyperparameter, condition or clause as ConfigSpace writes it to JSON."""


def conditions_space() -> ConfigurationSpace:
    """Every condition on every kind of parent, four deep, with two parents, under and and or."""
    space = ConfigurationSpace()
    mode = Categorical("mode", [None, True, 3, 2.5, "3", "x"], default=3)
    depth = Integer("depth", (0, 6), default=3)
    level = Categorical("level", ["low", "mid", "high", "top"], ordered=True, default="high")
    units = Integer("units", (1, 4096), log=True, default=64)
    first = Categorical("first", [False, "no", 0.5], default="no")
    second = Integer("second", (-5, 5), default=2)
    third = Categorical("third", [1, 2, 4, 8], ordered=True, default=4)
    fourth = Float("fourth", (1e-6, 1.0), log=True)
    always = Constant("always", None)
    fixed = Constant("fixed", "on")
    both, either = Float("both", (-1.0, 1.0)), Integer("either", (10, 20))
    mixed, unless = Categorical("mixed", [True, 0, "0", None]), Categorical("unless", ["p", "q"])
    above, below = Float("above", (0.0, 1.0)), Integer("below", (1, 1000), log=True)
    wide, after = Float("wide", (2.0, 3.0)), Categorical("after", ["y", "z"])
    space.add([mode, depth, level, units, first, second, third, fourth, always, fixed, both])
    space.add([either, mixed, unless, above, below, wide, after])
    space.add(
        InCondition(first, mode, [None, 3, "3"]),
        EqualsCondition(second, first, "no"),
        GreaterThanCondition(third, second, -2),
        LessThanCondition(fourth, third, 8),
        EqualsCondition(fixed, mode, 3),
        AndConjunction(
            GreaterThanCondition(both, depth, 1), NotEqualsCondition(both, mode, value=True)
        ),
        OrConjunction(
            InCondition(either, depth, [0, 2, 5]),
            AndConjunction(
                GreaterThanCondition(either, level, "low"), LessThanCondition(either, units, 32)
            ),
        ),
        AndConjunction(
            EqualsCondition(mixed, level, "high"),
            OrConjunction(NotEqualsCondition(mixed, depth, 3), EqualsCondition(mixed, mode, 2.5)),
        ),
        NotEqualsCondition(unless, mode, "3"),
        GreaterThanCondition(above, fourth, 0.01),
        InCondition(below, level, ["mid", "top"]),
        InCondition(wide, units, [1, 2, 3, 64]),
        NotEqualsCondition(after, second, 2),
    )
    return space


def forbidden_space() -> ConfigurationSpace:
    """Every clause and relation, a chain that rejects most draws, and extreme ranges."""
    space = ConfigurationSpace()
    chain = [Integer(f"x{i}", (0, 9), default=4) for i in range(3)]
    tiny = Float("tiny", (0.5, 0.5 + 1e-9))
    far = Float("far", (1e9 + 1 / 3, 1e9 + 2 / 3))
    decades = Float("decades", (1e-9, 1e9), log=True)
    counts = Integer("counts", (1, 10**9), log=True)
    third = Float("third", (1 / 3, 2 / 3), default=0.5)
    low, high = Float("low", (-4.0, 4.0), default=-1.0), Float("high", (0.0, 8.0), default=1.0)
    coarse = Categorical("coarse", [1, 2, 4], ordered=True, default=2)
    fine = Categorical("fine", [2, 4, 8], ordered=True, default=4)
    kind = Categorical("kind", ["a", "b", "c", "d"], default="a")
    only = Categorical("only", ["one"])
    child = Integer("child", (1, 12), default=6)
    size = Integer("size", (-50, -41), default=-45)
    space.add([*chain, tiny, far, decades, counts, third, low, high, coarse, fine, kind, only])
    space.add([child, size, Constant("one", 1)])
    space.add(
        InCondition(child, kind, ["a", "b"]),
        ForbiddenGreaterThanRelation(chain[0], chain[1]),
        ForbiddenGreaterThanRelation(chain[1], chain[2]),
        ForbiddenLessThanRelation(high, low),
        ForbiddenLessThanRelation(fine, coarse),
        ForbiddenAndConjunction(
            ForbiddenEqualsRelation(coarse, fine), ForbiddenInClause(kind, ["c", "d"])
        ),
        ForbiddenEqualsClause(size, -50),
        ForbiddenInClause(child, [1, 12]),
        ForbiddenAndConjunction(
            ForbiddenGreaterThanEqualsClause(child, 9), ForbiddenLessThanClause(third, 0.45)
        ),
        ForbiddenOrConjunction(
            ForbiddenAndConjunction(
                ForbiddenEqualsClause(kind, "b"), ForbiddenGreaterThanClause(child, 9)
            ),
            ForbiddenAndConjunction(
                ForbiddenEqualsClause(kind, "d"), ForbiddenLessThanEqualsClause(size, -48)
            ),
        ),
    )
    return space


def priors_space() -> ConfigurationSpace:
    """Weights (some nearly or exactly zero), normal and beta priors, on logs and conditional."""
    space = ConfigurationSpace()
    kind = Categorical("kind", ["a", "b", "c", "d"], weights=[0.6, 0.3, 0.1 - 1e-9, 1e-9])
    never = Categorical("never", [True, 2.5, "never"], weights=[1, 3, 0])
    child = Float("child", (0.0, 10.0), distribution=Normal(7.0, 1.0))
    space.add(
        [
            kind,
            never,
            child,
            Float("normal", (-5.0, 5.0), distribution=Normal(1.0, 1.5)),
            Integer("rounded", (0, 40), distribution=Normal(10.0, 5.0)),
            Float("beta", (2.0, 4.0), distribution=Beta(4.0, 1.5)),
            Integer("counted", (1, 30), distribution=Beta(1.5, 4.0)),
            Float("rate", (1e-6, 1.0), log=True, distribution=Normal(1e-3, 10.0)),
            Float("decay", (1e-5, 1e-1), log=True, distribution=Beta(3.0, 2.0)),
            Integer("width", (1, 1024), log=True, distribution=Beta(2.0, 3.0)),
            Categorical("plain", ["p", "q"], weights=[1.0, 1.0]),
        ]
    )
    space.add(EqualsCondition(child, kind, "a"))
    return space


NASTY = {
    "conditions": conditions_space,
    "forbidden": forbidden_space,
    "priors": priors_space,
}


def plain(space: ConfigurationSpace) -> ConfigurationSpace:
    """The space without weights and priors."""
    return _rewritten(space, _plain)


def ordered(space: ConfigurationSpace) -> ConfigurationSpace:
    """The space without priors and with all choices in an order."""
    return _rewritten(space, lambda stored: _ordered(_plain(stored)))


def finite(space: ConfigurationSpace, values: int = 5) -> ConfigurationSpace:
    """The space without priors and with a few ordered values instead of each number.

    They are `values` equal steps, its default, and what conditions and clauses compare it with.
    """
    slots, compared = layout(space).slots, _compared(space)

    def few(stored: Stored) -> Stored:
        slot = slots[stored["name"]]
        if slot.options is not None:
            return _plain(stored)
        extra = {stored["default_value"], *compared.get(stored["name"], ())}
        return _ordinal(stored, _steps(slot, values, extra))

    return _rewritten(space, few)


def _rewritten(space: ConfigurationSpace, change: Callable[[Stored], Stored]) -> ConfigurationSpace:
    stored = json.loads(configs.space_to_json(space))
    stored["hyperparameters"] = [change(each) for each in stored["hyperparameters"]]
    return configs.space_from_json(json.dumps(stored))


def _plain(stored: Stored) -> Stored:
    if "weights" in stored:
        return {**stored, "weights": None}
    shape = ("mu", "sigma", "alpha", "beta")
    kept = {key: value for key, value in stored.items() if key not in shape}
    return {**kept, "type": kept["type"].replace("normal", "uniform").replace("beta", "uniform")}


def _ordered(stored: Stored) -> Stored:
    return _ordinal(stored, stored["choices"]) if stored["type"] == "categorical" else stored


def _ordinal(stored: Stored, values: list[Any]) -> Stored:
    kept = {key: stored[key] for key in ("name", "default_value", "meta")}
    return {**kept, "type": "ordinal", "sequence": values}


def _steps(slot: Slot, count: int, extra: set[Any]) -> list[Any]:
    """In order; those of `extra` as they are written, however many decimals that takes."""
    steps = {slot.at(code) for code in np.linspace(0, 1, count)}
    return sorted(steps - {slot.spelt(value) for value in extra} | extra)


def _compared(space: ConfigurationSpace) -> dict[str, list[Any]]:
    """Hyperparameter -> the values that conditions and clauses compare it with."""
    stored = json.loads(configs.space_to_json(space))
    found: dict[str, list[Any]] = {}
    for leaf in _leaves([*stored["conditions"], *stored["forbiddens"]]):
        name = str(leaf.get("parent", leaf.get("name")))
        values = leaf["values"] if "values" in leaf else [leaf["value"]] if "value" in leaf else []
        found.setdefault(name, []).extend(values)
    return found


def _leaves(clauses: list[Stored]) -> Iterator[Stored]:
    for clause in clauses:
        inner = clause.get("conditions", clause.get("clauses"))
        yield from [clause] if inner is None else _leaves(inner)
