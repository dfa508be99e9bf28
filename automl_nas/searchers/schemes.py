"""Halving by name: `asha:optuna:tpe` is `asha(space, "optuna:tpe")`, as `registry.create` has it.

    create("asha:optuna:tpe", space, eta=4, inner_settings={"settings": {"n_startup_trials": 5}})

Each function takes a space, an inner searcher of it (by name, or made already; default: random) and
the settings of `HalvingSearcher`; `inner_settings` are the named searcher's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ConfigSpace import ConfigurationSpace

from automl_nas import registry
from automl_nas.searchers.base import Searcher
from automl_nas.searchers.halving import HalvingSearcher, refuse

Settings = Mapping[str, Any] | None


def _made(space: ConfigurationSpace, inner: str | Searcher, settings: Settings) -> Searcher:
    if not isinstance(inner, str):
        return inner
    refuse(inner)
    return registry.create(inner, space, **(settings or {}))


def _around(scheme: str, summary: str) -> Callable[..., HalvingSearcher]:
    """The function that a scheme is registered as; its name and first line are shown by `list`."""

    def make(
        space: ConfigurationSpace,
        inner: str | Searcher = "random",
        *,
        inner_settings: Settings = None,
        minimum: int = 1,
        eta: int = 3,
        enough: int = 0,
    ) -> HalvingSearcher:
        made = _made(space, inner, inner_settings)
        return HalvingSearcher(made, scheme=scheme, minimum=minimum, eta=eta, enough=enough)

    make.__name__ = make.__qualname__ = scheme.replace("-", "_")
    make.__doc__ = f"{summary} around any searcher; default: random search."
    return make


asha = _around("asha", "Asynchronous successive halving")
hyperband = _around("hyperband", "Asynchronous Hyperband")
synchronous_halving = _around("synchronous-halving", "Successive halving, rung by rung,")
synchronous_hyperband = _around("synchronous-hyperband", "Hyperband, rung by rung,")
