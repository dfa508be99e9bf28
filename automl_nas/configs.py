"""Configurations as plain data: dicts, digests, samples, mutations, neighbours.

A ConfigSpace `Configuration` is a good value to hand around inside a process but a bad key: equal
ones may hash differently and pickled spaces may compare unequal (ConfigSpace 1.2). Outside a
process configurations travel as `to_dict` gives them. How values are spelt and checked is in
`automl_nas.layout`, which spaces are accepted in `automl_nas.acceptance`.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError

from automl_nas.acceptance import check_space, prior
from automl_nas.errors import SpaceError, UnsupportedSpace
from automl_nas.layout import (
    AnyHyperparameter,
    Slot,
    Value,
    Vector,
    choices,
    layout,
    native,
)

__all__ = [
    "AnyHyperparameter",
    "Generator",
    "Value",
    "Vector",
    "adopt",
    "check_space",
    "choices",
    "count",
    "define_by_run",
    "digest",
    "draw_legal",
    "enumerate_space",
    "from_dict",
    "is_active",
    "legal",
    "mutable",
    "mutate",
    "native",
    "neighbours",
    "prior",
    "sample",
    "space_from_json",
    "space_to_json",
    "to_dict",
]

Generator = np.random.RandomState

_DRAWS = 10_000
"""Attempts to hit a legal configuration before the space is called impossible."""
_COUNTED = 20_000
"""Conditional or constrained spaces are counted one by one, up to here (about two seconds)."""
_PRIOR_DRAWS = 100
"""Draws from a number's prior in search of another value, before its prior is ignored."""
_NUMERIC_NEIGHBOURS = 4
_NUMERIC_DEVIATION = 0.2
"""Standard deviation of a numeric neighbour in the unit interval, as in SMAC's local search."""


def to_dict(configuration: Configuration) -> dict[str, Value]:
    """The active hyperparameters in the space's order, as native Python values.

    A choice comes back as the space spells it: ConfigSpace samples `[1, 2.5]` as 1.0 and 2.5 and
    `[True, 2]` as 1 and 2, which would give one configuration two digests.
    """
    codes = configuration.get_array().tolist()
    values: dict[str, Value] = {}
    for (name, slot), code in zip(
        layout(configuration.config_space).slots.items(), codes, strict=True
    ):
        if code == code:  # not NaN: active
            numeric = slot.options is None
            values[name] = slot.spelt(native(configuration[name])) if numeric else slot.at(code)
    return values


def from_dict(space: ConfigurationSpace, values: Mapping[str, Value]) -> Configuration:
    """A legal configuration.

    Raises:
        ValueError: ConfigSpace's own errors: an unknown name, a value that its hyperparameter has
            not, an active hyperparameter without a value or an inactive one with a value, or a
            forbidden clause (ForbiddenValueError).
    """
    return _built(space, *layout(space).read(values))


def _built(space: ConfigurationSpace, values: dict[str, Value], vector: Vector) -> Configuration:
    """From what a layout has checked: ConfigSpace's constructor would check it all again."""
    configuration = Configuration(space, vector=vector)
    # A vector alone loses a number's last digits.
    configuration._values = values
    return configuration


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


def is_active(space: ConfigurationSpace, name: str, vector: Vector) -> bool:
    """Whether the conditions of `name` hold in a vector filled in topological order."""
    return layout(space).slots[name].active(vector)


def define_by_run(space: ConfigurationSpace, suggest: Callable[[str], Value]) -> dict[str, Value]:
    """Asks `suggest` for each active hyperparameter in topological order.

    A number outside its bounds becomes the nearest one inside them.
    """

    def within(name: str, slot: Slot) -> Value:
        value = suggest(name)
        return slot.spelt(value) if slot.options is None else value

    return layout(space).filled(within)[0]


def legal(space: ConfigurationSpace, values: Mapping[str, Value]) -> Configuration | None:
    """The configuration, or None where a forbidden clause rules it out."""
    try:
        return from_dict(space, values)
    except ForbiddenValueError:
        return None


def draw_legal(space: ConfigurationSpace, draw: Callable[[], Mapping[str, Value]]) -> Configuration:
    """The first legal one of repeated draws."""
    return _first_legal(lambda: from_dict(space, draw()))


def _first_legal(draw: Callable[[], Configuration]) -> Configuration:
    for _ in range(_DRAWS):
        try:
            return draw()
        except ForbiddenValueError:
            continue
    raise SpaceError(
        f"no legal configuration in {_DRAWS} draws: the forbidden clauses leave (almost) nothing."
    )


def sample(space: ConfigurationSpace, rng: Generator) -> Configuration:
    """One draw from the space's own priors, given conditions and forbidden clauses."""
    known = layout(space)
    return _first_legal(lambda: _built(space, *known.drawn(rng)))


def _with(
    space: ConfigurationSpace, old: Mapping[str, Value], name: str, value: Value, rng: Generator
) -> dict[str, Value]:
    """A configuration's values with one changed; newly active children are sampled."""
    known = layout(space)

    def suggest(key: str, slot: Slot) -> Value:
        if key == name:
            return value
        return old[key] if key in old else slot.drawn(rng)

    return known.filled(suggest)[0]


def mutable(space: ConfigurationSpace, values: Mapping[str, Value]) -> list[str]:
    """Active hyperparameters with more than one value, given the values of all active ones."""
    slots = layout(space).slots
    return [name for name in values if len(slots[name].options or (0, 1)) > 1]


def mutate(configuration: Configuration, rng: Generator) -> Configuration:
    """One active hyperparameter, drawn uniformly, gets another value of its own."""
    space, old = configuration.config_space, to_dict(configuration)
    names = mutable(space, old)
    if not names:
        raise SpaceError("the configuration has no hyperparameter with more than one value.")
    slots = layout(space).slots

    def draw() -> Mapping[str, Value]:
        name = names[rng.randint(len(names))]
        return _with(space, old, name, _another(slots[name], old[name], rng), rng)

    return draw_legal(space, draw)


def _another(slot: Slot, current: Value, rng: Generator) -> Value:
    if slot.options is not None:
        rest = [option for option in slot.options if option != current]
        return rest[rng.randint(len(rest))]
    for attempt in itertools.count():
        value = slot.at(rng.uniform()) if attempt >= _PRIOR_DRAWS else slot.drawn(rng)
        if value != current:
            break
    return value


def neighbours(configuration: Configuration, rng: Generator) -> Iterator[Configuration]:
    """All legal one-exchange neighbours: every other choice, four values near a number.

    Newly active children are sampled with `rng`; the order is the space's.
    """
    space, old = configuration.config_space, to_dict(configuration)
    slots = layout(space).slots
    for name in mutable(space, old):
        for value in _near(slots[name], old[name], rng):
            neighbour = legal(space, _with(space, old, name, value, rng))
            if neighbour is not None:
                yield neighbour


def _near(slot: Slot, current: Value, rng: Generator) -> list[Value]:
    if slot.options is not None:
        return [option for option in slot.options if option != current]
    normal = rng.normal(slot.coded(current), _NUMERIC_DEVIATION, _NUMERIC_NEIGHBOURS)
    values = [slot.at(code) for code in np.clip(normal, 0, 1)]
    return [value for value in dict.fromkeys(values) if value != current]


def enumerate_space(space: ConfigurationSpace) -> Iterator[Configuration]:
    """Every legal configuration of a finite space, each once, in the space's order.

    Raises:
        UnsupportedSpace: names the first continuous hyperparameter.
    """
    options = {name: _finite_choices(slot) for name, slot in layout(space).slots.items()}
    for values in _branches(space, options):
        configuration = legal(space, values)
        if configuration is not None:
            yield configuration


def _branches(
    space: ConfigurationSpace, options: Mapping[str, Sequence[Value]]
) -> Iterator[dict[str, Value]]:
    """All active assignments, depth first without recursion: inactive names do not branch."""
    slots = list(layout(space).slots.items())
    stack: list[tuple[int, dict[str, Value], Vector]] = [(0, {}, np.full(len(slots), np.nan))]
    while stack:
        depth, values, vector = stack.pop()
        if depth == len(slots):
            yield values
            continue
        name, slot = slots[depth]
        if not slot.active(vector):
            stack.append((depth + 1, values, vector))
            continue
        for value in reversed(options[name]):
            extended = vector.copy()
            extended[slot.index] = slot.coded(value)
            stack.append((depth + 1, {**values, name: value}, extended))


def _finite_choices(slot: Slot) -> Sequence[Value]:
    if slot.options is not None:
        return slot.options
    if not slot.whole:
        raise UnsupportedSpace(
            f"hyperparameter {slot.hyperparameter.name!r} is continuous: the space is not finite."
        )
    return range(int(slot.lower), int(slot.upper) + 1)


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
