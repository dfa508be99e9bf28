"""What is the best that several columns of a table offer together: its exact front.

    best = table_front(table, ("params", "perplexity"))
    best.rows, best.values, best.hypervolume(), best.share(measured)

A yardstick for multi-objective searches on a table: the share of the hypervolume that a search has
found, against the reference point that the whole table gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automl_nas import pareto
from automl_nas.errors import SettingError
from automl_nas.tables.table import Table
from automl_nas.types import Metric

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TableFront:
    """The rows that no other row dominates, and how to compare a search with them."""

    metrics: tuple[Metric, ...]
    """The columns' metrics; their goals say which way is better."""
    rows: npt.NDArray[np.int64]
    """(n,) row numbers, ascending in the first metric's loss."""
    values: Floats
    """(n, metrics) values in the metrics' own directions and units."""
    lower: tuple[float, ...]
    """Best loss of each metric over the whole table."""
    upper: tuple[float, ...]
    """Worst loss of each metric over the whole table: the reference point before scaling."""
    margin: float = 0.1
    """How far beyond the worst the reference point lies, in ranges of the metric."""

    def hypervolume(self) -> float:
        """Of the front, as a share of the box between the table's best and the reference point."""
        return self._volume(self.values)

    def share(self, values: npt.ArrayLike) -> float:
        """Hypervolume of (n, metrics) measured values over the front's; 1: the whole front.

        Above 1 only where values lie outside the table.
        """
        return self._volume(np.asarray(values, dtype=np.float64)) / self.hypervolume()

    def _volume(self, values: Floats) -> float:
        losses = _losses(values.reshape(-1, len(self.metrics)), self.metrics)
        scaled = (losses - self.lower) / (np.subtract(self.upper, self.lower))
        corner = [1.0 + self.margin] * len(self.metrics)
        return pareto.hypervolume(scaled, corner) / float(np.prod(corner))


def table_front(
    table: Table,
    columns: Sequence[str],
    *,
    fidelity: int | None = None,
    margin: float = 0.1,
) -> TableFront:
    """The exact front of a table; rows with a NaN in one of the columns are left out.

    Args:
        table: what is compared.
        columns: two or more of its columns; of repeats the mean is taken.
        fidelity: amount of the table's fidelity; None: the full one.
        margin: see `TableFront`.

    Raises:
        SettingError: fewer than two columns, or one that does not vary.
        UnknownName: the table has no such column.
    """
    if len(columns) < 2:
        raise SettingError(f"a front needs two columns or more, got {list(columns)}.")
    metrics = tuple(table.column(name).metric for name in columns)
    values = np.stack(
        [table.query(slice(None), name, fidelity=fidelity) for name in columns], axis=1
    )
    given = np.flatnonzero(~np.isnan(values).any(axis=1))
    losses = _losses(values[given], metrics)
    low, high = losses.min(axis=0), losses.max(axis=0)
    if (low == high).any():
        constant = [name for name, one in zip(columns, low == high, strict=True) if one]
        raise SettingError(f"table {table.name}: {constant} has the same value in every row.")
    best = np.array(pareto.front(losses), dtype=np.int64)
    best = best[np.lexsort(losses[best].T[::-1])]
    return TableFront(
        metrics, given[best], values[given[best]], tuple(low.tolist()), tuple(high.tolist()), margin
    )


def _losses(values: Floats, metrics: Sequence[Metric]) -> Floats:
    signs = np.array([1.0 if metric.goal == "min" else -1.0 for metric in metrics])
    return np.asarray(values * signs, dtype=np.float64)
