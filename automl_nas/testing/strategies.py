"""Hypothesis strategies for hyperparameters and spaces, for property tests of your own searchers.

    @given(spaces())
    def test_mine(space): ...

Needs hypothesis (`pip install automl_nas[test]`). The default configuration of every space is
legal, and every space passes `automl_nas.configs.check_space`.
"""

from __future__ import annotations

from typing import Any

import ConfigSpace
from hypothesis import strategies as st

from automl_nas import configs
from automl_nas.errors import UnsupportedSpace

_CHOICES: tuple[tuple[configs.Value, ...], ...] = (
    ("a", "b", "c"),
    (1, 2.5),
    (True, 2),
    (None, "x"),
    (3, 5, 7),
    ("only",),
    (1, "1", None, False),
)
_KINDS = ("float", "integer", "categorical", "ordinal", "constant")


@st.composite
def hyperparameters(draw: Any, name: str) -> Any:
    """One hyperparameter of any kind, with any prior that its kind can have."""
    kind = draw(st.sampled_from(_KINDS))
    if kind == "constant":
        return ConfigSpace.Constant(name, draw(st.sampled_from([1, 2.5, "k", None, True])))
    if kind == "ordinal":
        return ConfigSpace.Categorical(name, list(draw(st.sampled_from(_CHOICES))), ordered=True)
    if kind == "categorical":
        options = list(draw(st.sampled_from(_CHOICES)))
        weight = st.sampled_from([1e-9, 0.2, 1.0, 5.0])
        weights = draw(st.none() | st.lists(weight, min_size=len(options), max_size=len(options)))
        return ConfigSpace.Categorical(name, options, weights=weights)
    return draw(_numbers(name, kind))


@st.composite
def _numbers(draw: Any, name: str, kind: str) -> Any:
    log, whole = draw(st.booleans()), kind == "integer"
    if whole:
        low = draw(st.integers(1, 1000) if log else st.integers(-(10**6), 10**6))
        high = low + draw(st.integers(1, 10**6))
    else:
        low = draw(st.floats(1e-9, 10.0) if log else st.floats(-1e9, 1e9))
        high = low + draw(st.sampled_from([1e-3, 1 / 3, 1.0, 1e6]))
    middle = (low + high) / 2
    spread = max((high - low) / 4, 1.0 if log else 0.0)
    normal, beta = ConfigSpace.Normal(middle, spread), ConfigSpace.Beta(2, 3)
    prior = draw(st.sampled_from([None, normal, beta]))
    kind_of = ConfigSpace.Integer if whole else ConfigSpace.Float
    return kind_of(name, (low, high), log=log, distribution=prior)


@st.composite
def spaces(draw: Any, *, largest: int = 6) -> ConfigSpace.ConfigurationSpace:
    """Up to `largest` hyperparameters with conditions on earlier ones and forbidden pairs."""
    members = [draw(hyperparameters(f"h{i}")) for i in range(draw(st.integers(2, largest)))]
    space = ConfigSpace.ConfigurationSpace()
    space.add(members)
    for i, child in enumerate(members[1:], start=1):
        parents = [draw(st.sampled_from(members[:i])) for _ in range(draw(st.integers(0, 2)))]
        terms = [draw(_conditions(child, p, space)) for p in {p.name: p for p in parents}.values()]
        if len(terms) == 2:
            joined = draw(st.sampled_from([ConfigSpace.AndConjunction, ConfigSpace.OrConjunction]))
            terms = [joined(*terms)]
        if terms:
            space.add(*terms)
    for _ in range(draw(st.integers(0, 2))):
        first, second = draw(st.permutations(members))[:2]
        forbidden = [c for h in (first, second) if (c := draw(_clauses(h))) is not None]
        if len(forbidden) == 2:
            space.add(ConfigSpace.ForbiddenAndConjunction(*forbidden))
    try:
        configs.check_space(space)
    except UnsupportedSpace:
        bare = ConfigSpace.ConfigurationSpace()
        bare.add(members)
        return bare
    return space


@st.composite
def _conditions(draw: Any, child: Any, parent: Any, space: ConfigSpace.ConfigurationSpace) -> Any:
    """One that holds by default.

    A parent with conditions of its own gets no "not equal": ConfigSpace contradicts itself there.
    """
    value, options = configs.native(parent.default_value), configs.choices(parent)
    made: list[Any] = [ConfigSpace.EqualsCondition(child, parent, value)]
    others = [option for option in options or () if option != value]
    if others:
        made.append(ConfigSpace.InCondition(child, parent, [value, others[0]]))
        if not space.parents_of[parent.name]:
            made.append(ConfigSpace.NotEqualsCondition(child, parent, others[0]))
    if options is None:
        lower, upper = configs.native(parent.lower), configs.native(parent.upper)
        made += [ConfigSpace.GreaterThanCondition(child, parent, lower)] * (value > lower)
        made += [ConfigSpace.LessThanCondition(child, parent, upper)] * (value < upper)
    return draw(st.sampled_from(made))


@st.composite
def _clauses(draw: Any, hyperparameter: Any) -> Any:
    """One that its default does not meet; None where there is no other value."""
    value, options = hyperparameter.default_value, configs.choices(hyperparameter)
    if options is None:
        middle = (value + hyperparameter.upper) / 2
        bound = round(middle) if isinstance(hyperparameter.lower, int) else middle
        fits = value < bound <= hyperparameter.upper
        return ConfigSpace.ForbiddenGreaterThanClause(hyperparameter, bound) if fits else None
    others = [option for option in options if option != configs.native(value)]
    if not others:
        return None
    if draw(st.booleans()):
        return ConfigSpace.ForbiddenInClause(hyperparameter, others)
    return ConfigSpace.ForbiddenEqualsClause(hyperparameter, draw(st.sampled_from(others)))
