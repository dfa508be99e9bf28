"""Configurations as plain data: dicts, digests, samples, mutations, neighbours.

The only place that knows numpy scalars. A ConfigSpace `Configuration` is a good value to hand
around inside a process but a bad key: equal ones may hash differently and pickled spaces may
compare unequal (ConfigSpace 1.2). Outside a process configurations travel as `to_dict` gives them.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    Hyperparameter,
    NumericalHyperparameter,
    OrdinalHyperparameter,
)

from automl_nas.errors import SpaceError, UnsupportedSpace

Value = None | bool | int | float | str
Generator = np.random.RandomState

_DRAWS = 10_000
"""Attempts to hit a legal configuration before the space is called impossible."""
_COUNTED = 200_000
"""Spaces with more combinations than this are not counted one by one."""
_NUMERIC_NEIGHBOURS = 4
_NUMERIC_DEVIATION = 0.2
"""Standard deviation of a numeric neighbour in the unit interval, as in SMAC's local search."""


def native(value: Any) -> Any:
    """A numpy scalar as the Python value it stands for."""
    return value.item() if isinstance(value, np.generic) else value


def to_dict(configuration: Configuration) -> dict[str, Value]:
    """The active hyperparameters in the space's order, as native Python values."""
    return {name: native(configuration[name]) for name in configuration}


def from_dict(space: ConfigurationSpace, values: Mapping[str, Value]) -> Configuration:
    """A legal configuration; raises ConfigSpace's own errors for an illegal one."""
    return Configuration(space, values=dict(values))


def digest(configuration: Configuration | Mapping[str, Value]) -> str:
    """Sixteen hexadecimal digits that identify a configuration in every process."""
    plain = to_dict(configuration) if isinstance(configuration, Configuration) else configuration
    text = json.dumps(dict(plain), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def space_to_json(space: ConfigurationSpace) -> str:
    """The space as JSON without its name-independent parts (seed, meta)."""
    buffer = io.StringIO()
    space.to_json(buffer)
    return json.dumps(json.loads(buffer.getvalue()), sort_keys=True)


def space_from_json(text: str) -> ConfigurationSpace:
    """The space that `space_to_json` wrote."""
    return ConfigurationSpace.from_json(io.StringIO(text))


def choices(hyperparameter: Hyperparameter) -> tuple[Value, ...] | None:
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


def check_space(space: ConfigurationSpace) -> None:
    """Refuses an empty space and choices that JSON or Optuna cannot keep apart."""
    if len(space) == 0:
        raise SpaceError("the space is empty: add at least one hyperparameter to it.")
    for name, hyperparameter in space.items():
        options = choices(hyperparameter) or ()
        for option in options:
            if not isinstance(option, None | bool | int | float | str):
                raise UnsupportedSpace(
                    f"hyperparameter {name!r} has the choice {option!r} of type "
                    f"{type(option).__name__}: use None, bool, int, float or str (a name for it)."
                )
        if len({json.dumps(option) for option in options}) > len(set(options)):
            raise UnsupportedSpace(
                f"hyperparameter {name!r} mixes equal choices {options!r}: use strings instead."
            )


def is_active(space: ConfigurationSpace, name: str, vector: np.ndarray) -> bool:
    """Whether the conditions of `name` hold in a vector filled in topological order."""
    return all(c.satisfied_by_vector(vector) for c in space.parent_conditions_of[name])


def define_by_run(space: ConfigurationSpace, suggest: Callable[[str], Value]) -> dict[str, Value]:
    """Asks `suggest` for each active hyperparameter in topological order."""
    vector = np.full(len(space), np.nan)
    values: dict[str, Value] = {}
    for name in space:
        if is_active(space, name, vector):
            values[name] = value = _within(space[name], suggest(name))
            vector[space.index_of[name]] = space[name].to_vector(value)
    return values


def _within(hyperparameter: Hyperparameter, value: Any) -> Any:
    if isinstance(hyperparameter, NumericalHyperparameter):
        return native(min(max(value, hyperparameter.lower), hyperparameter.upper))
    return value


def legal(space: ConfigurationSpace, values: Mapping[str, Value]) -> Configuration | None:
    """The configuration, or None where a forbidden clause rules it out."""
    try:
        return from_dict(space, values)
    except ForbiddenValueError:
        return None


def draw_legal(space: ConfigurationSpace, draw: Callable[[], Mapping[str, Value]]) -> Configuration:
    """The first legal one of repeated draws."""
    for _ in range(_DRAWS):
        configuration = legal(space, draw())
        if configuration is not None:
            return configuration
    raise SpaceError(
        f"no legal configuration in {_DRAWS} draws: the forbidden clauses leave (almost) nothing."
    )


def sample(space: ConfigurationSpace, rng: Generator) -> Configuration:
    """One draw from the space's own priors, given conditions and forbidden clauses."""

    def value(name: str) -> Value:
        return native(space[name].sample_value(seed=rng))

    return draw_legal(space, lambda: define_by_run(space, value))


def _with(
    configuration: Configuration, name: str, value: Value, rng: Generator
) -> dict[str, Value]:
    """The configuration with one value changed; newly active children are sampled."""
    space, old = configuration.config_space, to_dict(configuration)

    def suggest(key: str) -> Value:
        if key == name:
            return value
        return old[key] if key in old else native(space[key].sample_value(seed=rng))

    return define_by_run(space, suggest)


def mutable(configuration: Configuration) -> list[str]:
    """Active hyperparameters with more than one value."""
    space = configuration.config_space
    return [name for name in to_dict(configuration) if len(choices(space[name]) or (0, 1)) > 1]


def mutate(configuration: Configuration, rng: Generator) -> Configuration:
    """One active hyperparameter, drawn uniformly, gets another value of its own."""
    space, names = configuration.config_space, mutable(configuration)
    if not names:
        raise SpaceError("the configuration has no hyperparameter with more than one value.")

    def draw() -> Mapping[str, Value]:
        name = names[rng.randint(len(names))]
        return _with(configuration, name, _another(space[name], configuration[name], rng), rng)

    return draw_legal(space, draw)


def _another(hyperparameter: Hyperparameter, current: Any, rng: Generator) -> Value:
    options = choices(hyperparameter)
    if options is not None:
        rest = [option for option in options if option != native(current)]
        return rest[rng.randint(len(rest))]
    while True:
        value = native(hyperparameter.sample_value(seed=rng))
        if value != native(current):
            return value  # type: ignore[no-any-return]


def neighbours(configuration: Configuration, rng: Generator) -> Iterator[Configuration]:
    """All legal one-exchange neighbours: every other choice, four values near a number.

    Newly active children are sampled with `rng`; the order is the space's.
    """
    space = configuration.config_space
    for name in mutable(configuration):
        for value in _near(space[name], configuration[name], rng):
            neighbour = legal(space, _with(configuration, name, value, rng))
            if neighbour is not None:
                yield neighbour


def _near(hyperparameter: Hyperparameter, current: Any, rng: Generator) -> list[Value]:
    options = choices(hyperparameter)
    if options is not None:
        return [option for option in options if option != native(current)]
    centre = hyperparameter.to_vector(current)
    vectors = np.clip(rng.normal(centre, _NUMERIC_DEVIATION, _NUMERIC_NEIGHBOURS), 0, 1)
    values = [native(hyperparameter.to_value(vector)) for vector in vectors]
    return [value for value in dict.fromkeys(values) if value != native(current)]


def enumerate_space(space: ConfigurationSpace) -> Iterator[Configuration]:
    """Every legal configuration of a finite space, each once, in the space's order."""
    names = list(space)
    options = [_finite_choices(space, name) for name in names]
    seen: set[str] = set()
    for combination in itertools.product(*options):
        full = dict(zip(names, combination, strict=True))
        configuration = legal(space, define_by_run(space, full.__getitem__))
        if configuration is not None and (key := digest(configuration)) not in seen:
            seen.add(key)
            yield configuration


def _finite_choices(space: ConfigurationSpace, name: str) -> tuple[Value, ...]:
    options = choices(space[name])
    if options is not None:
        return options
    if (steps := space[name].size) == np.inf:
        raise UnsupportedSpace(f"hyperparameter {name!r} is continuous: the space is not finite.")
    return tuple(range(int(space[name].lower), int(space[name].lower) + int(steps)))


def count(space: ConfigurationSpace) -> int | None:
    """Number of legal configurations; None where infinite or too many to count one by one."""
    combinations = np.prod([float(h.size) for h in space.values()])
    if combinations == np.inf:
        return None
    if not space.conditions and not space.forbidden_clauses:
        return int(combinations)
    return sum(1 for _ in enumerate_space(space)) if combinations <= _COUNTED else None
