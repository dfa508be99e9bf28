"""What is installed, by name: searchers, spaces, studies and tables, by entry points.

The built-ins come through the same door as a stranger's package:

    [project.entry-points."automl_nas.searchers"]
    mine = "my_package.search:MySearcher"        # then: create("mine", space), --searcher mine

A searcher class with a ClassVar `variant` (the name of one of its fields) is also reached as
`name:value`, such as `optuna:tpe`; a ClassVar `variants` lists the values for `automl-nas list`,
and a classmethod `by_name` may make values that the class itself does not know. A function of
(space, inner, ...) is a searcher around others and reached as `asha:optuna:tpe`.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
from typing import TYPE_CHECKING, Any, Literal

from automl_nas.errors import AutoMLNASError, UnknownName

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from automl_nas.searchers.base import Searcher

Kind = Literal["searcher", "space", "study", "table"]

_GROUPS: dict[Kind, str] = {
    "searcher": "automl_nas.searchers",
    "space": "automl_nas.spaces",
    "study": "automl_nas.studies",
    "table": "automl_nas.tables",
}


@functools.cache
def _entries(kind: Kind) -> dict[str, importlib.metadata.EntryPoint]:
    return {entry.name: entry for entry in importlib.metadata.entry_points(group=_GROUPS[kind])}


def names(kind: Kind) -> list[str]:
    """Registered names, sorted."""
    return sorted(_entries(kind))


def load(kind: Kind, name: str) -> Any:
    """The registered class (searcher) or module (space, study, table).

    Raises:
        UnknownName: nothing is registered under that name.
        AutoMLNASError: what is registered cannot be imported.
    """
    entries = _entries(kind)
    if name not in entries:
        raise UnknownName(kind, name, entries)
    try:
        return entries[name].load()
    except Exception as error:
        raise AutoMLNASError(
            f"{kind} {name!r} is registered as {entries[name].value} but cannot be imported "
            f"({type(error).__name__}: {error}): reinstall its package, or see `automl-nas doctor`."
        ) from error


def variant(searcher: Any) -> str | None:
    """The setting that follows the colon in a registered searcher's name; None: there is none."""
    field: str | None = getattr(searcher, "variant", None)
    around = field is None and callable(searcher) and "inner" in _parameters(searcher)
    return "inner" if around else field


def _parameters(searcher: Any) -> dict[str, inspect.Parameter]:
    """What may be set, the space aside."""
    parameters = dict(inspect.signature(searcher).parameters)
    parameters.pop("space", None)
    return parameters


def create(name: str, space: ConfigurationSpace, **settings: Any) -> Searcher:
    """A searcher by name: `random`, `optuna:tpe`, `asha:optuna:tpe`, `gradient:darts`.

    Raises:
        UnknownName: the searcher, its variant or one of the settings is unknown.
    """
    head, _, value = name.partition(":")
    searcher = load("searcher", head)
    if value:
        field = variant(searcher)
        if field is None:
            raise UnknownName("searcher", name, names("searcher"))
        settings = {field: value, **settings}
    make = getattr(searcher, "by_name", searcher)
    known = {**_parameters(searcher), **_parameters(make)}
    anything = any(p.kind is p.VAR_KEYWORD for p in _parameters(searcher).values())
    for setting in settings:
        if setting not in known and not anything:
            raise UnknownName(f"setting of {head}", setting, known)
    made: Searcher = make(space, **settings)
    return made
