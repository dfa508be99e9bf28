"""What a search on a table can reach at best, and from where hypervolume is measured.

best = yardstick(table, "validation_error", source="NAS-Bench-201, table 5")
best.optimum, best.rows, best.reference
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from automl_nas.errors import TableError
from automl_nas.tables.table import Table


@dataclass(frozen=True)
class Yardstick:
    """The optimum of one metric over a whole table, and a reference point for several."""

    table: str
    """`benchmark/task`."""
    metric: str
    """Name of the column that is searched on."""
    optimum: float
    """Its best value at full fidelity, in its own unit and direction."""
    key: Any
    """Native key of a row that has it; of several the first."""
    rows: int
    """Architectures in the table."""
    reference: tuple[tuple[str, float], ...]
    """(column, worst value over the whole table) for each metric: the point from which hypervolume
    is measured, known without any run."""
    source: str
    """The files it was computed from, and what it agrees with."""


def yardstick(
    table: Table,
    metric: str,
    *,
    others: Sequence[str] = (),
    seed: int | Sequence[int] | Literal["mean"] = "mean",
    source: str = "",
) -> Yardstick:
    """Computed over all rows; values that were not measured are left out.

    Args:
        table: a whole benchmark.
        metric: column to be optimised.
        others: further columns of the reference point.
        seed: the repeats that are observed.
        source: what the numbers agree with, added to the table's source.

    Raises:
        UnknownName: there is no such column.
        TableError: nothing was measured at full fidelity.
    """
    values = {name: table.query(slice(None), name, seed=seed) for name in (metric, *others)}
    for name, column in values.items():
        if np.isnan(column).all():
            raise TableError(f"table {table.name}: {name} was not measured at full fidelity.")
    signs = {name: table.column(name).metric.loss(1.0) for name in values}
    losses = signs[metric] * values[metric]
    best = int(np.nanargmin(losses))
    reference = tuple((n, float(signs[n] * np.nanmax(signs[n] * v))) for n, v in values.items())
    return Yardstick(
        table.name,
        metric,
        float(values[metric][best]),
        table.keys[best].item(),
        len(table),
        reference,
        "; ".join(filter(None, (table.source, source))),
    )
