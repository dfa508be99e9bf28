"""NAS-Bench-ASR: cells of convolutions over speech (Mehrotra et al., ICLR 2021).

    space = nasbenchasr.search_space()                          # three operations, six skips
    objective = nasbenchasr.table("timit", path="~/benchmarks") # phoneme errors, lower is better
    nasbenchasr.to_code(configuration)                          # [[1, 0], [1, 0, 0], [1, 0, 0, 0]]
    nasbenchasr.graph_hash(configuration)                       # the key of the published files

There are no networks here: the benchmark's are trained on TIMIT, which is not free.
"""

from __future__ import annotations

from .space import from_code, graph_hash, is_disconnected, search_space, to_code
from .tasks import table

__all__ = ["from_code", "graph_hash", "is_disconnected", "search_space", "table", "to_code"]
