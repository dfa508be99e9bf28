"""Measured rows only: a configuration is answered by the row of the nearest measured architecture.

    objective = pool(table, SCALES["s"], ("latency_a100",))
    leave_one_out(table, SCALES["s"], "perplexity")      # mean relative error of the nearest other

Every value is a measured one, of one row, its parameters too; the table's exact front
(`automl_nas.tables.fronts`) is therefore the best that a search can find. A measured architecture
is answered by itself.

The distance counts single steps: of the sum of heads (a step is the greatest common divisor of the
choices), of the sum of MLP ratios, of depth and bias. Another width costs 1,000, more than all
else, and each layer that differs adds 0.001, so that only equal architectures are at distance 0.
Ties go to the first row.

`leave_one_out` measures the error of the nearest *other* row: on the 10,000 rows of scale S 0.55 %
of the perplexity, 0.04 % of the parameters, 0.4 % of the latency on an A100, 5.1 % of its energy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ConfigSpace import Configuration

from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.tables.hwgpt import read_key
from automl_nas.tables.table import Table

from .space import Scale, to_key

_WIDTH = 1000.0
_LAYER = 0.001
_BLOCK = 250
"""Rows compared at a time."""
Floats = npt.NDArray[np.float64]


def pool(table: Table, scale: Scale, columns: Sequence[str] = ()) -> TableObjective:
    """Perplexity, parameters and the given columns of the nearest measured row.

    Raises:
        UnknownName: the table has no such column.
    """
    readings = tuple(Reading(name) for name in ("perplexity", "params", *columns))
    return TableObjective(
        table, key=Nearest(table, scale), readings=readings, label="nearest measured row"
    )


@dataclass(frozen=True, eq=False)
class Nearest:
    """Configuration -> key of the nearest row."""

    table: Table
    scale: Scale

    def __call__(self, configuration: Configuration) -> str:
        """The key of the nearest row."""
        key = to_key(configuration)
        if self.table.rows([key])[0] >= 0:
            return key
        sums, layers = features([key], self.scale)
        distance = _distances(sums, layers, *self._features)[0]
        return str(self.table.keys[int(distance.argmin())])

    @functools.cached_property
    def _features(self) -> tuple[Floats, Floats]:
        return features(self.table.keys.tolist(), self.scale)


def features(keys: Sequence[str], scale: Scale) -> tuple[Floats, Floats]:
    """((n, 5) summary in single steps, (n, 2 * depth) layers; 0: no such layer)."""
    depth, step = max(scale.depths), math.gcd(*scale.heads)
    sums, layers = np.zeros((len(keys), 5)), np.zeros((len(keys), 2 * depth))
    for row, key in enumerate(keys):
        width, bias, heads, ratios = read_key(key)
        place = _WIDTH * scale.widths.index(width)
        sums[row] = (place, sum(heads) / step, sum(ratios), len(heads), bias)
        layers[row, : len(heads)] = heads
        layers[row, depth : depth + len(ratios)] = ratios
    return sums, layers


def _distances(sums: Floats, layers: Floats, others: Floats, other_layers: Floats) -> Floats:
    """(n, m) distances between n and m architectures."""
    steps = np.abs(sums[:, None] - others[None]).sum(axis=-1)
    different = (layers[:, None] != other_layers[None]).sum(axis=-1)
    return np.asarray(steps + _LAYER * different, dtype=np.float64)


def leave_one_out(table: Table, scale: Scale, column: str, rows: int | None = None) -> float:
    """Mean relative error where each row is answered by the nearest *other* row.

    Args:
        table: the measured rows.
        scale: theirs.
        column: a column of positive values.
        rows: how many rows are left out, evenly spaced over the table; None: all of them.
    """
    sums, layers = features(table.keys.tolist(), scale)
    left = np.linspace(0, len(table) - 1, rows or len(table)).astype(np.int64)
    nearest = np.empty(len(left), dtype=np.int64)
    for start in range(0, len(left), _BLOCK):
        some = left[start : start + _BLOCK]
        distance = _distances(sums[some], layers[some], sums, layers)
        distance[np.arange(len(some)), some] = np.inf
        nearest[start : start + _BLOCK] = distance.argmin(axis=1)
    values = table.query(slice(None), column)
    return float(np.abs(values[nearest] / values[left] - 1.0).mean())
