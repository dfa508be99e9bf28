"""NAS-Bench-NLP: recurrent cells for language (Klyuchnikov et al., arXiv:2006.07116).

    space, objective = nasbenchnlp.labelled(path="~/benchmarks")   # the trained cells, by number
    nasbenchnlp.to_compact(configuration, objective.table)         # (edges, operations, hidden)
    nasbenchnlp.graph_hash(compact)                                # equal for renumbered cells

The grammar has 1e53 cells, of which some 14,000 were trained. A space of the grammar would hardly
ever meet one, so that the space here is the list of those: one integer, see `spaces.labelled`.
There are no networks and no surrogate here.
"""

from __future__ import annotations

from .cell import from_recipe, graph_hash, mutate, neighbours, to_recipe, violations
from .tasks import from_compact, labelled, search_space, table, to_compact

__all__ = [
    "from_compact",
    "from_recipe",
    "graph_hash",
    "labelled",
    "mutate",
    "neighbours",
    "search_space",
    "table",
    "to_compact",
    "to_recipe",
    "violations",
]
