"""What of a space is the same for all its configurations, worked out once.

    slot = layout(space).slots["rate"]
    slot.canonical(0.1)          # the value as every configuration spells it; or IllegalValueError

A configuration is read by `Layout.read`, which makes ConfigSpace's own checks (legal values, the
exact set of active hyperparameters, forbidden clauses) and three more distinctions, without which a
value that is written and read again may be another one (ConfigSpace 1.2.2): floats are rounded to
13 decimals as there, but never out of their bounds and never again when they are read; integers are
`int`, however they came; a choice is spelt as the space spells it.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ConfigSpace import ConfigurationSpace
from ConfigSpace.exceptions import (
    ActiveHyperparameterNotSetError,
    ForbiddenValueError,
    IllegalValueError,
    InactiveHyperparameterSetError,
)
from ConfigSpace.forbidden import (
    ForbiddenClause,
    ForbiddenConjunction,
    ForbiddenGreaterThanEqualsClause,
)
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    Hyperparameter,
    IntegerHyperparameter,
    OrdinalHyperparameter,
)

Value = None | bool | int | float | str
AnyHyperparameter = Hyperparameter[Any, Any]
Vector = npt.NDArray[np.float64]
Rule = tuple[Any, Callable[[Vector], bool]]
"""A forbidden clause, and whether it rules a vector out."""

DECIMALS = 13
"""ConfigSpace rounds floats to so many."""
_ABSENT = object()


def native(value: Any) -> Any:
    """A numpy scalar as the Python value it stands for."""
    return value.item() if isinstance(value, np.generic) else value


def choices(hyperparameter: AnyHyperparameter) -> tuple[Value, ...] | None:
    """The finite choices of a categorical, ordinal or constant; None for a number."""
    match hyperparameter:
        case CategoricalHyperparameter():
            return tuple(native(choice) for choice in hyperparameter.choices)
        case OrdinalHyperparameter():
            return tuple(native(choice) for choice in hyperparameter.sequence)
        case Constant():
            return (native(hyperparameter.value),)
        case _:
            return None


@dataclass(frozen=True)
class Slot:
    """One hyperparameter: how its values are spelt and where they stand."""

    hyperparameter: AnyHyperparameter
    index: int
    """Place in the vector, which is the place in the space's order."""
    options: tuple[Value, ...] | None
    """As `choices` gives them."""
    codes: Mapping[Value, float]
    """Choice -> what the vector has for it; empty for a number."""
    conditions: tuple[Any, ...]
    """All must hold for it to be active."""
    whole: bool
    """An integer."""
    lower: float
    upper: float
    settles: tuple[Rule, ...]
    """Clauses of which it is the last hyperparameter in the space's order."""
    even: bool
    """Choices of equal weight: ConfigSpace's draw is then `randint`, called directly."""

    def active(self, vector: Vector) -> bool:
        """Whether its conditions hold in a vector filled in topological order."""
        return all(condition.satisfied_by_vector(vector) for condition in self.conditions)

    def canonical(self, value: Any) -> Value:
        """The value as every configuration spells it.

        Raises:
            IllegalValueError: it is none of the hyperparameter.
        """
        if self.options is not None:
            return self.at(self._code(value))
        plain = type(value) is int or (type(value) is float and not self.whole)
        if not (plain or self._number(value)):
            raise IllegalValueError(self.hyperparameter, value)
        if not self.lower <= value <= self.upper:
            raise IllegalValueError(self.hyperparameter, value)
        return self.spelt(value)

    def spelt(self, value: Any) -> Value:
        """A number as an int, or as a float within the bounds and of 13 decimals."""
        if self.whole:
            nearest: int = round(native(value))
            return min(max(nearest, int(self.lower)), int(self.upper))
        return min(max(round(float(value), DECIMALS), self.lower), self.upper)

    def coded(self, value: Any) -> float:
        """A canonical value as the vector has it."""
        if self.options is not None:
            return self.codes[value]
        code: float = self.hyperparameter.to_vector(value)
        return code

    def drawn(self, rng: np.random.RandomState) -> Value:
        """A value from the hyperparameter's own prior."""
        if self.even:
            return self.at(rng.randint(len(self.codes)))
        return self.at(self.hyperparameter.sample_vector(seed=rng))

    def at(self, code: Any) -> Value:
        """The value at a place of the vector."""
        if self.options is not None:
            return self.options[int(code) if len(self.options) > 1 else 0]
        return self.spelt(self.hyperparameter.to_value(code))

    def refuse_forbidden(self, vector: Vector) -> None:
        """Raises ForbiddenValueError where a clause that is settled here rules the vector out."""
        for clause, rules_out in self.settles:
            if rules_out(vector):
                raise ForbiddenValueError(f"Given vector violates forbidden clause: {clause}")

    def _number(self, value: Any) -> bool:
        """ConfigSpace's verdict, which fails on infinite values and, for a float, on True."""
        real = isinstance(value, int | float | np.number)
        real = real and (self.whole or not isinstance(value, bool))
        return real and math.isfinite(value) and bool(self.hyperparameter.legal_value(value))

    def _code(self, value: Any) -> float:
        try:
            return self.codes[native(value)]
        except (KeyError, TypeError):
            raise IllegalValueError(self.hyperparameter, value) from None


@dataclass(frozen=True)
class Layout:
    """The slots of a space in its (topological) order."""

    slots: Mapping[str, Slot]
    stamp: Mapping[str, int]
    """The space's `index_of`, which every `add` replaces."""

    def drawn(self, rng: np.random.RandomState) -> tuple[dict[str, Value], Vector]:
        """Canonical values and vector of a draw from the priors.

        Raises:
            ForbiddenValueError: it is forbidden; draw again. What was to come was not drawn.
        """
        return self.filled(lambda _, slot: slot.drawn(rng), Slot.refuse_forbidden)

    def filled(
        self,
        suggest: Callable[[str, Slot], Any],
        check: Callable[[Slot, Vector], None] = lambda _slot, _vector: None,
    ) -> tuple[dict[str, Value], Vector]:
        """Canonical values and vector of what is suggested for each active hyperparameter.

        `check` is called after each hyperparameter, active or not.
        """
        vector = np.full(len(self.slots), np.nan)
        values: dict[str, Value] = {}
        for name, slot in self.slots.items():
            if not slot.conditions or slot.active(vector):
                values[name] = value = slot.canonical(suggest(name, slot))
                vector[slot.index] = slot.coded(value)
            check(slot, vector)
        return values, vector

    def read(self, given: Mapping[str, Any]) -> tuple[dict[str, Value], Vector]:
        """Canonical values and vector of a configuration given by name.

        Raises:
            ValueError: ConfigSpace's errors for what is no legal configuration.
        """

        def suggest(name: str, slot: Slot) -> Any:
            if (value := given.get(name, _ABSENT)) is _ABSENT:
                raise ActiveHyperparameterNotSetError(slot.hyperparameter)
            return value

        values, vector = self.filled(suggest)
        if len(given) != len(values):
            self._refuse_more(given, values)
        for slot in self.slots.values():
            slot.refuse_forbidden(vector)
        return values, vector

    def _refuse_more(self, given: Mapping[str, Any], values: Mapping[str, Value]) -> None:
        unknown = [name for name in given if name not in self.slots]
        if unknown:
            raise ValueError(f"Unknown hyperparameter(s) {unknown}")
        name = next(name for name in given if name not in values)
        raise InactiveHyperparameterSetError(self.slots[name].hyperparameter, given[name])


_KNOWN: dict[int, tuple[weakref.ref[ConfigurationSpace], Layout]] = {}


def layout(space: ConfigurationSpace) -> Layout:
    """The layout of a space as it is now; a later `add` makes another one."""
    key = id(space)
    known = _KNOWN.get(key)
    if known is not None and known[0]() is space and known[1].stamp is space.index_of:
        return known[1]
    made = _laid_out(space)
    _KNOWN[key] = (weakref.ref(space, lambda _: _KNOWN.pop(key, None)), made)
    return made


def _laid_out(space: ConfigurationSpace) -> Layout:
    settled: dict[str, list[Rule]] = {name: [] for name in space}
    for clause in space.forbidden_clauses:
        last = max(clause_names(clause), key=space.index_of.__getitem__)
        settled[last].append((clause, _rule(clause)))
    slots = {name: _slot(space, name, tuple(settled[name])) for name in space}
    return Layout(slots, space.index_of)


def clause_names(clause: Any) -> list[str]:
    """The hyperparameters of a forbidden clause, relation or conjunction."""
    if isinstance(clause, ForbiddenConjunction):
        return [name for component in clause.components for name in clause_names(component)]
    if isinstance(clause, ForbiddenClause):
        return [clause.hyperparameter.name]
    return [clause.left.name, clause.right.name]


def _slot(space: ConfigurationSpace, name: str, settles: tuple[Rule, ...]) -> Slot:
    hyperparameter: Any = space[name]
    options = choices(hyperparameter)
    return Slot(
        hyperparameter,
        space.index_of[name],
        options,
        {option: float(hyperparameter.to_vector(option)) for option in options or ()},
        tuple(space.parent_conditions_of[name]),
        isinstance(hyperparameter, IntegerHyperparameter),
        native(hyperparameter.lower) if options is None else 0.0,
        native(hyperparameter.upper) if options is None else 0.0,
        settles,
        isinstance(hyperparameter, CategoricalHyperparameter | OrdinalHyperparameter)
        and getattr(hyperparameter, "weights", None) is None,
    )


def _rule(clause: Any) -> Callable[[Vector], bool]:
    """ConfigSpace 1.2.2 prints each time it tests a "greater or equal" clause on one vector."""
    if _talks(clause):
        return lambda vector: bool(clause.is_forbidden_vector_array(vector[:, None])[0])
    return lambda vector: bool(clause.is_forbidden_vector(vector))


def _talks(clause: Any) -> bool:
    if isinstance(clause, ForbiddenConjunction):
        return any(_talks(component) for component in clause.components)
    return isinstance(clause, ForbiddenGreaterThanEqualsClause)
