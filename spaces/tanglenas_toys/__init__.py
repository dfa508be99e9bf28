"""TangleNAS's toy spaces: small enough to be trained whole (Sukthanker et al., AutoML 2024).

    space = tanglenas_toys.search_space("cell")              # 4,096 pairs of cells, Fashion-MNIST
    space = tanglenas_toys.search_space("conv-macro")        # 6,561 networks, CIFAR-10
    objective = tanglenas_toys.table("cell", path="~/TangleNAS")

The files have test errors and no validation errors: a search on them is one on test errors.
"""

from __future__ import annotations

from .space import from_cell_key, from_macro_key, search_space, to_cell_key, to_key, to_macro_key
from .tasks import table

__all__ = [
    "from_cell_key",
    "from_macro_key",
    "search_space",
    "table",
    "to_cell_key",
    "to_key",
    "to_macro_key",
]
