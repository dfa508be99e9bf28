"""NAS-Bench-201: 15,625 convolutional cells (Dong and Yang, ICLR 2020, arXiv:2001.00326).

    space = nasbench201.search_space()                 # a plain ConfigurationSpace; no torch
    network = nasbench201.build(configuration)         # plain torch.nn
    objective = nasbench201.training("digits")         # trains for real
    objective = nasbench201.table("digits")            # the same, looked up: the table ships
    objective = nasbench201.table("cifar100", path=...)  # looks up what was published
    recipe = nasbench201.supernet("digits")            # for gradient searchers
    index = nasbench201.to_index(configuration)        # the official number of the cell

Whatever needs torch or a table's reader is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .space import (
    from_arch,
    from_index,
    is_disconnected,
    isomorphism_class,
    search_space,
    to_arch,
    to_index,
)

if TYPE_CHECKING:
    from .network import NetworkRecipe, build
    from .supernetwork import NB201SupernetRecipe
    from .tables import table, yardstick
    from .tasks import images, supernet, training

__all__ = [
    "NB201SupernetRecipe",
    "NetworkRecipe",
    "build",
    "from_arch",
    "from_index",
    "images",
    "is_disconnected",
    "isomorphism_class",
    "search_space",
    "supernet",
    "table",
    "to_arch",
    "to_index",
    "training",
    "yardstick",
]

_LAZY = {
    "NB201SupernetRecipe": "supernetwork",
    "NetworkRecipe": "network",
    "build": "network",
    "images": "tasks",
    "supernet": "tasks",
    "table": "tables",
    "training": "tasks",
    "yardstick": "tables",
}


def __getattr__(name: str) -> Any:
    """Imports what needs torch or a table's reader (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value
