"""NAS-Bench-MR: networks of four resolutions, 2**80 of them (Ding et al., arXiv:2106.02253).

space = nasbenchmr.search_space()                               # 27 ordinals
nasbenchmr.to_bits(configuration)                               # the published 80 bits
space, objective = nasbenchmr.labelled("seg", path="NCP/data")  # the trained networks
"""

from __future__ import annotations

from .space import (
    from_bits,
    from_embedding,
    neighbours,
    search_space,
    to_bits,
    to_embedding,
    to_key,
)
from .tasks import labelled, table

__all__ = [
    "from_bits",
    "from_embedding",
    "labelled",
    "neighbours",
    "search_space",
    "table",
    "to_bits",
    "to_embedding",
    "to_key",
]
