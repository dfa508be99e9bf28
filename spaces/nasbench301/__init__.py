"""NAS-Bench-301: the cells of DARTS, 1.1e18 pairs of them (Zela et al., arXiv:2008.09777).

    space = nasbench301.search_space()                    # a plain ConfigurationSpace; no torch
    network = nasbench301.build(configuration)            # plain torch.nn
    space, objective = nasbench301.labelled("cifar10")    # the trained networks of the files
    objective = nasbench301.surrogate("yahpo/nb301")      # any network, predicted; needs [nb301]

The space is called after the benchmark and not after DARTS since it is the benchmark's: seven
operations without `none`, two inputs for every node, the published names and order.

Whatever needs torch is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .space import (
    Genotype,
    from_compact,
    from_genotype,
    from_key,
    from_nb301,
    mutate,
    neighbours,
    paths,
    search_space,
    to_compact,
    to_genotype,
    to_key,
    to_nb301,
)
from .tasks import Surrogate, labelled, surrogate, table

if TYPE_CHECKING:
    from .network import NetworkRecipe, build

__all__ = [
    "Genotype",
    "NetworkRecipe",
    "Surrogate",
    "build",
    "from_compact",
    "from_genotype",
    "from_key",
    "from_nb301",
    "labelled",
    "mutate",
    "neighbours",
    "paths",
    "search_space",
    "surrogate",
    "table",
    "to_compact",
    "to_genotype",
    "to_key",
    "to_nb301",
]

_LAZY = {"NetworkRecipe": "network", "build": "network"}


def __getattr__(name: str) -> Any:
    """Imports what needs torch (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value
