"""What makes two samplers of Optuna's the same recipe: their settings as plain JSON.

    described(template(TPESampler(n_startup_trials=5)))  # {"type": "TPESampler", ...}

Equal for samplers that were configured alike, in this process and in another one. Seeds are left
out, as every proposal is seeded by the study. A function is told by its name; a lambda or an inner
function also by its code and by what it has closed over.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import random
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.search_space import IntersectionSearchSpace
from optuna.search_space.group_decomposed import _GroupDecomposedSearchSpace

_STATE = (
    LazyRandomState, np.random.RandomState, np.random.Generator, random.Random,
    IntersectionSearchSpace, _GroupDecomposedSearchSpace,
)  # fmt: skip
_UNTOLD = ("_seed", "_warn_independent_sampling")
"""Settings without influence on proposals here."""


def described(thing: Any) -> Any:
    """The settings of a template (`optuna_samplers.template`), recursively."""
    match thing:
        case enum.Enum():
            return thing.name
        case None | bool() | int() | float() | str():
            return thing
        case np.generic() | np.ndarray():
            return thing.tolist()
        case Mapping():
            return {str(key): described(value) for key, value in thing.items()}
        case list() | tuple():
            return [described(value) for value in thing]
        case set() | frozenset():
            return sorted((described(value) for value in thing), key=repr)
        case BaseDistribution():
            return distribution_to_json(thing)
    return _callable(thing) if callable(thing) else _object(thing)


def _callable(thing: Any) -> Any:
    match thing:
        case functools.partial():
            parts = [described(thing.args), described(thing.keywords)]
            return {"partial": described(thing.func), "given": parts}
        case types.FunctionType():
            return _function(thing)
        case types.MethodType():
            return {"method": thing.__name__, "of": described(thing.__self__)}
        case type() | types.BuiltinFunctionType():
            return f"{thing.__module__}.{thing.__qualname__}"
    return _object(thing)


def _object(thing: Any) -> dict[str, Any]:
    settings = sorted(getattr(thing, "__dict__", {}).items())
    told = {
        name: described(value)
        for name, value in settings
        if name not in _UNTOLD and not isinstance(value, _STATE)
    }
    return {"type": type(thing).__qualname__, **told}


def _function(function: types.FunctionType) -> Any:
    name = f"{function.__module__}.{function.__qualname__}"
    if "<" not in name:
        return name
    closed = [described(cell.cell_contents) for cell in function.__closure__ or ()]
    told = {"code": _code(function.__code__), "defaults": described(function.__defaults__)}
    return {"function": function.__qualname__, **told, "closed over": closed}


def _code(code: types.CodeType) -> str:
    constants = [_code(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    text = repr((code.co_code, constants, code.co_names))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
