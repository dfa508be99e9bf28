"""Three small spaces that between them have most features of ConfigSpace but priors."""

from __future__ import annotations

from ConfigSpace import (
    AndConjunction,
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
    GreaterThanCondition,
    Integer,
    NotEqualsCondition,
)


def cell_space(edges: int = 6, operations: int = 5) -> ConfigurationSpace:
    """Categorical only, the shape of NAS-Bench-201: 5 ** 6 configurations."""
    space = ConfigurationSpace()
    names = [f"op{i}" for i in range(operations)]
    space.add([Categorical(f"edge{i}", names) for i in range(edges)])
    return space


def nasty_space() -> ConfigurationSpace:
    """Logs, ordinal, constant, mixed choices, nested conditions and forbidden pairs."""
    space = ConfigurationSpace()
    rate = Float("rate", (1e-5, 1e-1), log=True)
    width = Integer("width", (8, 512), log=True)
    depth = Integer("depth", (1, 4))
    kernel = Categorical("kernel", [3, 5, 7], ordered=True)
    optimizer = Categorical("optimizer", ["sgd", "adam", "none"])
    momentum = Float("momentum", (0.0, 0.99))
    nesterov = Categorical("nesterov", [True, False])
    norm = Categorical("norm", ["batch", None, 2.5])
    late = [Categorical(f"op{i}", ["conv", "pool", "skip"]) for i in (2, 3, 4)]
    space.add([rate, width, depth, kernel, optimizer, momentum, nesterov, norm, *late])
    space.add(Constant("classes", 10))
    space.add(
        EqualsCondition(momentum, optimizer, "sgd"),
        AndConjunction(
            GreaterThanCondition(nesterov, momentum, 0.5),
            NotEqualsCondition(nesterov, optimizer, "adam"),
        ),
        *[GreaterThanCondition(op, depth, i) for i, op in zip((1, 2, 3), late, strict=True)],
        ForbiddenAndConjunction(
            ForbiddenEqualsClause(kernel, 7), ForbiddenInClause(optimizer, ["adam", "none"])
        ),
        ForbiddenAndConjunction(
            ForbiddenEqualsClause(late[0], "skip"), ForbiddenEqualsClause(depth, 2)
        ),
    )
    return space


def tiny_space() -> ConfigurationSpace:
    """Four configurations."""
    space = ConfigurationSpace()
    space.add([Categorical("a", ["x", "y"]), Categorical("b", ["x", "y"])])
    return space


SPACES = {"cell": cell_space, "nasty": nasty_space, "tiny": tiny_space}
