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
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.hyperparameters import (
    BetaFloatHyperparameter,
    BetaIntegerHyperparameter,
    CategoricalHyperparameter,
    Constant,
    Hyperparameter,
    IntegerHyperparameter,
    NormalFloatHyperparameter,
    NormalIntegerHyperparameter,
    NumericalHyperparameter,
    OrdinalHyperparameter,
)

from automl_nas.errors import SpaceError, UnsupportedSpace

Value = None | bool | int | float | str
Generator = np.random.RandomState
AnyHyperparameter = Hyperparameter[Any, Any]
Vector = npt.NDArray[np.float64]

_DRAWS = 10_000
"""Attempts to hit a legal configuration before the space is called impossible."""
_COUNTED = 20_000
"""Conditional or constrained spaces are counted one by one, up to here (about two seconds)."""
_PRIOR_DRAWS = 100
"""Draws from a number's prior in search of another value, before its prior is ignored."""
_NUMERIC_NEIGHBOURS = 4
_NUMERIC_DEVIATION = 0.2
"""Standard deviation of a numeric neighbour in the unit interval, as in SMAC's local search."""


def native(value: Any) -> Any:
    """A numpy scalar as the Python value it stands for."""
    return value.item() if isinstance(value, np.generic) else value


def to_dict(configuration: Configuration) -> dict[str, Value]:
    """The active hyperparameters in the space's order, as native Python values.

    A choice comes back as the space spells it: ConfigSpace samples `[1, 2.5]` as 1.0 and 2.5 and
    `[True, 2]` as 1 and 2, which would give one configuration two digests.
    """
    space, vector = configuration.config_space, configuration.get_array()
    values: dict[str, Value] = {}
    for name in configuration:
        options = choices(space[name])
        if options is None:
            values[name] = native(configuration[name])
        elif len(options) == 1:
            values[name] = options[0]
        else:
            values[name] = options[int(vector[space.index_of[name]])]
    return values


def from_dict(space: ConfigurationSpace, values: Mapping[str, Value]) -> Configuration:
    """A legal configuration; raises ConfigSpace's own errors for an illegal one."""
    return Configuration(space, values=dict(values))


def adopt(space: ConfigurationSpace, configuration: Configuration) -> Configuration:
    """The same configuration as a member of `space`: a reopened study has an equal copy of it."""
    if configuration.config_space is space:
        return configuration
    return from_dict(space, to_dict(configuration))


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


def prior(hyperparameter: AnyHyperparameter) -> str | None:
    """What an engine without priors cannot express, in words; None for a uniform one."""
    match hyperparameter:
        case CategoricalHyperparameter() if hyperparameter.weights is not None:
            return "weights" if len(set(hyperparameter.weights)) > 1 else None
        case NormalFloatHyperparameter() | NormalIntegerHyperparameter():
            return "a normal prior"
        case BetaFloatHyperparameter() | BetaIntegerHyperparameter():
            return "a beta prior"
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


def is_active(space: ConfigurationSpace, name: str, vector: Vector) -> bool:
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


def _within(hyperparameter: AnyHyperparameter, value: Any) -> Any:
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
    return draw_legal(space, lambda: define_by_run(space, lambda name: _draw(space[name], rng)))


def _with(
    configuration: Configuration, name: str, value: Value, rng: Generator
) -> dict[str, Value]:
    """The configuration with one value changed; newly active children are sampled."""
    space, old = configuration.config_space, to_dict(configuration)

    def suggest(key: str) -> Value:
        if key == name:
            return value
        return old[key] if key in old else _draw(space[key], rng)

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


def _another(hyperparameter: AnyHyperparameter, current: Any, rng: Generator) -> Value:
    options = choices(hyperparameter)
    if options is not None:
        rest = [option for option in options if option != native(current)]
        return rest[rng.randint(len(rest))]
    for attempt in itertools.count():
        peaked = attempt >= _PRIOR_DRAWS
        drawn = hyperparameter.to_value(rng.uniform()) if peaked else _draw(hyperparameter, rng)
        if native(drawn) != native(current):
            break
    value: Value = native(drawn)
    return value


def _draw(hyperparameter: AnyHyperparameter, rng: Generator) -> Value:
    value: Value = native(hyperparameter.sample_value(seed=rng))
    return value


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


def _near(hyperparameter: AnyHyperparameter, current: Any, rng: Generator) -> list[Value]:
    options = choices(hyperparameter)
    if options is not None:
        return [option for option in options if option != native(current)]
    centre = hyperparameter.to_vector(current)
    vectors = np.clip(rng.normal(centre, _NUMERIC_DEVIATION, _NUMERIC_NEIGHBOURS), 0, 1)
    values = [native(hyperparameter.to_value(vector)) for vector in vectors]
    return [value for value in dict.fromkeys(values) if value != native(current)]


def enumerate_space(space: ConfigurationSpace) -> Iterator[Configuration]:
    """Every legal configuration of a finite space, each once, in the space's order.

    Raises:
        UnsupportedSpace: names the first continuous hyperparameter.
    """
    options = {name: _finite_choices(space[name]) for name in space}
    for values in _branches(space, list(space), options):
        configuration = legal(space, values)
        if configuration is not None:
            yield configuration


def _branches(
    space: ConfigurationSpace, names: list[str], options: Mapping[str, Sequence[Value]]
) -> Iterator[dict[str, Value]]:
    """All active assignments, depth first without recursion: inactive names do not branch."""
    stack: list[tuple[int, dict[str, Value], Vector]] = [(0, {}, np.full(len(names), np.nan))]
    while stack:
        depth, values, vector = stack.pop()
        if depth == len(names):
            yield values
            continue
        name = names[depth]
        if not is_active(space, name, vector):
            stack.append((depth + 1, values, vector))
            continue
        for value in reversed(options[name]):
            extended = vector.copy()
            extended[space.index_of[name]] = space[name].to_vector(value)
            stack.append((depth + 1, {**values, name: value}, extended))


def _finite_choices(hyperparameter: AnyHyperparameter) -> Sequence[Value]:
    options = choices(hyperparameter)
    if options is not None:
        return options
    if not isinstance(hyperparameter, IntegerHyperparameter):
        raise UnsupportedSpace(
            f"hyperparameter {hyperparameter.name!r} is continuous: the space is not finite."
        )
    return range(int(hyperparameter.lower), int(hyperparameter.upper) + 1)


def count(space: ConfigurationSpace, limit: int = _COUNTED) -> int | None:
    """Number of legal configurations; None where infinite or too many to count one by one.

    Without conditions and forbidden clauses it is a product; otherwise the configurations are
    enumerated, and more than `limit` of them are not counted.
    """
    sizes = [hyperparameter.size for hyperparameter in space.values()]
    if any(size == math.inf for size in sizes):
        return None
    if not space.conditions and not space.forbidden_clauses:
        return math.prod(int(size) for size in sizes)
    counted = sum(1 for _ in itertools.islice(enumerate_space(space), limit + 1))
    return counted if counted <= limit else None
