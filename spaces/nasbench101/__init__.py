"""NAS-Bench-101: 423,624 convolutional cells (Ying et al., ICML 2019, arXiv:1902.09635).

    space = nasbench101.search_space()                 # a plain ConfigurationSpace; no torch
    objective = nasbench101.table(path=...)            # looks up what was published
    network = nasbench101.build(configuration)         # plain torch.nn
    name = nasbench101.to_hash(configuration)          # the published hash of the cell

Whatever needs torch is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .space import (
    cell,
    from_cell,
    is_valid,
    neighbours,
    sample,
    search_space,
    to_hash,
    to_key,
)

if TYPE_CHECKING:
    from .network import NetworkRecipe, build, build_cell
    from .tables import from_hash, table, yardstick

__all__ = [
    "NetworkRecipe",
    "build",
    "build_cell",
    "cell",
    "from_cell",
    "from_hash",
    "is_valid",
    "neighbours",
    "sample",
    "search_space",
    "table",
    "to_hash",
    "to_key",
    "yardstick",
]

_LAZY = {
    "NetworkRecipe": "network",
    "build": "network",
    "build_cell": "network",
    "from_hash": "tables",
    "table": "tables",
    "yardstick": "tables",
}


def __getattr__(name: str) -> Any:
    """Imports what needs torch or a table's reader (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value
