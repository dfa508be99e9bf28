"""Searchers as a command line spells them: a name, then settings.

    parse("optuna:tpe multivariate=false n_startup_trials=4")
    make("regularized-evolution population_size=8 sample_size=3", space)

A setting is a field of the searcher's dataclass, or else a key of its mapping `settings`, where it
has one. Values are JSON; what is no JSON is a text. Names are the registry's, and all after the
first colon is the searcher's own affair.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from automl_nas import registry
from automl_nas.errors import AutoMLNASError, SettingError, UnknownName

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from automl_nas.searchers.base import Searcher

_MAPPING = "settings"
"""The field that takes an engine's own settings by name."""


@dataclass(frozen=True)
class Spelt:
    """A searcher that is still to be made for a space."""

    name: str
    """Such as `optuna:tpe`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By plain names, whichever of the two places they belong to."""

    def __str__(self) -> str:
        """As it may be typed again."""
        given = [f"{key}={json.dumps(value)}" for key, value in self.settings.items()]
        return shlex.join([self.name, *given])


def setting(text: str) -> tuple[str, Any]:
    """`key=value` with a JSON value, or a text.

    Raises:
        SettingError: there is no `=`.
    """
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise SettingError(f"{text!r}: expected KEY=VALUE.")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def parse(text: str) -> Spelt:
    """A name and its settings, separated by blanks as a shell does; JSON with quotes needs quoting.

    Raises:
        SettingError: there is no name, or a word after it is not KEY=VALUE.
        UnknownName: no such searcher is registered.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SettingError(f"searcher {text!r} cannot be read: {error}.") from error
    if not words or "=" in words[0]:
        raise SettingError(f"searcher {text!r}: expected NAME [KEY=VALUE]...")
    _check(words[0])
    return Spelt(words[0], dict(map(setting, words[1:])))


def _check(name: str) -> None:
    """Refuses a name with the nearest ones; only a variant needs the class to be imported."""
    head, colon, variant = name.partition(":")
    if head not in (known := registry.names("searcher")):
        raise UnknownName("searcher", name, {*known, *names()})
    variants = getattr(registry.load("searcher", head), "variants", None) if colon else None
    if variants and ":" not in variant and variant not in variants:
        raise UnknownName("searcher", name, names())


def names() -> list[str]:
    """Every registered searcher with each of its variants; the head alone where none are listed."""
    found = []
    for head in registry.names("searcher"):
        variants = getattr(registry.load("searcher", head), "variants", ())
        found += [f"{head}:{variant}" for variant in variants] or [head]
    return found


def make(spelt: str | Spelt, space: ConfigurationSpace, **given: Any) -> Searcher:
    """The searcher for `space`; `given` are fields that the spelling may overrule.

    Raises:
        UnknownName: the searcher, its variant or one of the settings is unknown.
        SettingError: a setting has a value of the wrong kind, or one is missing.
    """
    spelt = parse(spelt) if isinstance(spelt, str) else spelt
    known = _fields(spelt.name)
    own = {key: value for key, value in spelt.settings.items() if known is None or key in known}
    inner = {key: value for key, value in spelt.settings.items() if key not in own}
    given = {**given, **own}
    if inner and known is not None:
        if _MAPPING not in known:
            raise _unknown(spelt.name, next(iter(inner)))
        given[_MAPPING] = {**given.get(_MAPPING, {}), **inner}
    try:
        return registry.create(spelt.name, space, **given)
    except UnknownName as error:
        if error.name in inner:
            every = {*error.known, *_settable(spelt.name)}
            raise UnknownName(f"setting of {spelt.name}", error.name, every) from error
        raise
    except TypeError as error:
        raise SettingError(f"searcher {str(spelt)!r} cannot be made: {error}.") from error


def _fields(name: str) -> list[str] | None:
    """Fields of the searcher's class; None where it is no dataclass."""
    loaded = registry.load("searcher", name.partition(":")[0])
    return [f.name for f in fields(loaded)] if is_dataclass(loaded) else None


def _settable(name: str) -> list[str]:
    """What may be typed: no space, no variant, which the name says, and no mapping."""
    variant = getattr(registry.load("searcher", name.partition(":")[0]), "variant", None)
    return [f for f in _fields(name) or () if f not in ("space", variant, _MAPPING)]


def _unknown(name: str, key: str) -> AutoMLNASError:
    if known := _settable(name):
        return UnknownName(f"setting of {name}", key, known)
    return SettingError(f"searcher {name!r} has no settings, got {key!r}: leave it out.")
