"""Halving by name: `asha:optuna:tpe` is `asha(space, "optuna:tpe")`, as `registry.create` has it.

    create("asha:optuna:tpe", space, eta=4, inner_settings={"settings": {"n_startup_trials": 5}})

Each function takes a space, an inner searcher of it (by name, or made already; default: random) and
the settings of `HalvingSearcher`; `inner_settings` are the named searcher's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ConfigSpace import ConfigurationSpace

from automl_nas import registry
from automl_nas.searchers.base import Searcher
from automl_nas.searchers.halving import HalvingSearcher, refuse

Settings = Mapping[str, Any] | None


def asha(
    space: ConfigurationSpace,
    inner: str | Searcher = "random",
    *,
    inner_settings: Settings = None,
    minimum: int = 1,
    eta: int = 3,
    enough: int = 0,
) -> HalvingSearcher:
    """Asynchronous successive halving around any searcher; default: random search."""
    made = _made(space, inner, inner_settings)
    return HalvingSearcher(made, scheme="asha", minimum=minimum, eta=eta, enough=enough)


def hyperband(
    space: ConfigurationSpace,
    inner: str | Searcher = "random",
    *,
    inner_settings: Settings = None,
    minimum: int = 1,
    eta: int = 3,
    enough: int = 0,
) -> HalvingSearcher:
    """Asynchronous Hyperband around any searcher; default: random search."""
    made = _made(space, inner, inner_settings)
    return HalvingSearcher(made, scheme="hyperband", minimum=minimum, eta=eta, enough=enough)


def synchronous_halving(
    space: ConfigurationSpace,
    inner: str | Searcher = "random",
    *,
    inner_settings: Settings = None,
    minimum: int = 1,
    eta: int = 3,
    enough: int = 0,
) -> HalvingSearcher:
    """Successive halving, rung by rung, around any searcher; default: random search."""
    made = _made(space, inner, inner_settings)
    return HalvingSearcher(
        made, scheme="synchronous-halving", minimum=minimum, eta=eta, enough=enough
    )


def synchronous_hyperband(
    space: ConfigurationSpace,
    inner: str | Searcher = "random",
    *,
    inner_settings: Settings = None,
    minimum: int = 1,
    eta: int = 3,
    enough: int = 0,
) -> HalvingSearcher:
    """Hyperband, rung by rung, around any searcher; default: random search."""
    made = _made(space, inner, inner_settings)
    return HalvingSearcher(
        made, scheme="synchronous-hyperband", minimum=minimum, eta=eta, enough=enough
    )


def _made(space: ConfigurationSpace, inner: str | Searcher, settings: Settings) -> Searcher:
    if not isinstance(inner, str):
        return inner
    refuse(inner)
    return registry.create(inner, space, **(settings or {}))
