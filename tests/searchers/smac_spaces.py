"""Spaces with what engines get wrong: relations, comparisons, and/or conditions, priors."""

import ConfigSpace as cs
from ConfigSpace.exceptions import ForbiddenValueError


def related_space():
    """Relations between hyperparameters, clauses that compare, conjunctions of both."""
    space = cs.ConfigurationSpace()
    low, high = cs.Integer("low", (1, 40), default=1), cs.Integer("high", (1, 40), default=40)
    left, right = cs.Float("left", (0, 1), default=0.9), cs.Float("right", (0, 1), default=0.1)
    size = cs.Categorical("size", [1, 2, 4, 8], ordered=True)
    first, second = cs.Categorical("first", list("abc")), cs.Categorical("second", list("bca"))
    space.add([low, high, left, right, size, first, second, cs.Constant("classes", 10)])
    space.add(
        cs.ForbiddenGreaterThanRelation(low, high),
        cs.ForbiddenLessThanRelation(left, right),
        cs.ForbiddenEqualsRelation(first, second),
        cs.ForbiddenGreaterThanClause(low, 30),
        cs.ForbiddenAndConjunction(
            cs.ForbiddenLessThanClause(right, 0.05), cs.ForbiddenInClause(size, [4, 8])
        ),
    )
    return space


def conditional_space():
    """And and or conditions, comparisons as conditions, conditional constant and ordinal."""
    space = cs.ConfigurationSpace()
    kind = cs.Categorical("kind", ["x", "y", "z"])
    depth, rate = cs.Integer("depth", (1, 5)), cs.Float("rate", (1e-4, 1), log=True)
    width = cs.Categorical("width", [8, 16, 32], ordered=True)
    fixed, child = cs.Constant("fixed", "yes"), cs.Float("child", (-1, 1))
    grandchild = cs.Integer("grandchild", (0, 200))
    space.add([kind, depth, rate, width, fixed, child, grandchild])
    space.add(
        cs.OrConjunction(
            cs.EqualsCondition(width, kind, "x"), cs.GreaterThanCondition(width, depth, 3)
        ),
        cs.AndConjunction(
            cs.InCondition(child, kind, ["x", "y"]), cs.LessThanCondition(child, depth, 4)
        ),
        cs.NotEqualsCondition(fixed, kind, "z"),
        cs.GreaterThanCondition(grandchild, child, 0.0),
    )
    space.add(cs.ForbiddenGreaterThanClause(depth, 4))
    return space


def believed_space():
    """Weights, normal and beta priors, conditional ones among them; a clause that compares."""
    space = cs.ConfigurationSpace()
    rate = cs.Float("rate", (1e-4, 1), log=True, distribution=cs.Normal(1e-2, 0.8))
    depth = cs.Integer("depth", (1, 20), distribution=cs.Normal(5, 2))
    kind = cs.Categorical("kind", ["x", "y", "z"], weights=[0.7, 0.2, 0.1])
    drop = cs.Float("drop", (0, 1), distribution=cs.Beta(2, 5))
    units = cs.Integer("units", (1, 90), distribution=cs.Beta(2, 5))
    child = cs.Categorical("child", [True, False], weights=[0.9, 0.1])
    space.add([rate, depth, kind, drop, units, child, cs.Float("plain", (-1, 1))])
    space.add(
        cs.EqualsCondition(drop, kind, "x"),
        cs.EqualsCondition(units, kind, "x"),
        cs.GreaterThanCondition(child, depth, 3),
        cs.ForbiddenGreaterThanClause(depth, 18),
    )
    return space


SPACES = {"related": related_space, "conditional": conditional_space, "believed": believed_space}


def illegal(space, configuration):
    """Why the values are no configuration of the space; None where they are."""
    try:
        cs.Configuration(space, values=dict(configuration)).check_valid_configuration()
    except (ValueError, ForbiddenValueError) as error:
        return repr(error)
    return None
