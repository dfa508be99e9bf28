"""What makes a study the same study: frozen recipes described as plain JSON."""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib.metadata
import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace

from automl_nas.errors import MissingPackage


def describe(thing: Any) -> Any:
    """JSON that is equal for equal recipes: dataclasses by their fields, callables by their name.

    A space is left out: the study describes it once. A recipe with a method `identity_json`
    describes itself.
    """
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    if isinstance(thing, np.generic | enum.Enum | Path):
        return _describe_scalar(thing)
    if isinstance(thing, Mapping):
        return {str(key): describe(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [describe(value) for value in thing]
    if not isinstance(thing, type) and hasattr(thing, "identity_json"):
        return thing.identity_json()
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return _describe_dataclass(thing)
    if isinstance(thing, functools.partial):
        settings = {"args": describe(thing.args), **describe(thing.keywords)}
        return {"partial": describe(thing.func), **settings}
    if inspect.isroutine(thing) or isinstance(thing, type):
        return thing.__qualname__
    return type(thing).__qualname__


def _describe_scalar(thing: np.generic[Any] | enum.Enum | Path) -> Any:
    if isinstance(thing, np.generic):
        return thing.item()
    return thing.name if isinstance(thing, enum.Enum) else str(thing)


def _describe_dataclass(thing: Any) -> dict[str, Any]:
    fields = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
    plain = {k: describe(v) for k, v in fields.items() if not isinstance(v, ConfigurationSpace)}
    return {"type": type(thing).__qualname__, **plain}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed versions of distributions, in the order of their names.

    Raises:
        MissingPackage: one of them is not installed.
    """
    return {package: _version(package) for package in sorted(set(packages))}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise MissingPackage(package, "this study") from None
