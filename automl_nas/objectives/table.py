"""Looks measurements up in a benchmark's table, and charges what they would have cost.

    objective = TableObjective(
        table, key=to_arch,
        readings=(Reading("validation_error", seed=777), Reading("test_error")),
        seconds="training_seconds",
    )

`spaces.nasbench201.table("cifar100")` and its like make one. Nothing waits: the seconds that the
table says are simulated seconds, which budgets count and reports show apart from real ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ConfigSpace import Configuration

from automl_nas.errors import SettingError, TableError
from automl_nas.tables.table import Table
from automl_nas.types import Fidelity, Measurement, Metric, Trial


@dataclass(frozen=True)
class Reading:
    """One metric of an objective: a column, and which of its repeats are observed."""

    column: str
    """Name of the table's column."""
    seed: int | tuple[int, ...] | Literal["mean", "drawn"] = "mean"
    """One repeat; the mean over several or all; or "drawn": one that the trial's seed chooses among
    the row's measured ones, the noise that a single training has."""
    name: str = ""
    """Name of the metric; empty: the column's."""
    fidelity: Literal["asked", "full"] = "asked"
    """"full": always the value of the full fidelity, which a searcher must not see."""


@dataclass(frozen=True)
class TableObjective:
    """A table's row for each configuration; an `Objective`."""

    table: Table
    """What is looked up."""
    key: Callable[[Configuration], Any]
    """Configuration -> native key of the table."""
    readings: tuple[Reading, ...]
    """The metrics; a study optimises the first unless told otherwise."""
    seconds: str | None = None
    """Column with the training seconds up to a fidelity; None: no simulated seconds."""
    training_flops: str | None = None
    """Column with the training FLOPs up to a fidelity; None: none are charged."""
    continues: bool = False
    """Whether fewer epochs are the beginning of the full training, so that a trial which goes on
    from another is charged the difference."""
    label: str = ""
    """What the name says besides, such as "published protocol, search on test"."""

    def __post_init__(self) -> None:
        for reading in self.readings:
            self.table.column(reading.column)
        names = [metric.name for metric in self.metrics]
        if len(set(names)) < len(names):
            raise SettingError(f"expected readings of different names, got {names}.")

    @property
    def name(self) -> str:
        """Such as `table:nasbench201/cifar100`."""
        return f"table:{self.table.name}" + (f" ({self.label})" if self.label else "")

    @functools.cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """One for each reading."""
        return tuple(_metric(self.table, reading) for reading in self.readings)

    @property
    def fidelity(self) -> Fidelity | None:
        """The table's."""
        return self.table.fidelity

    @functools.cached_property
    def full_training_flops(self) -> float | None:
        """The mean of the training FLOPs over all rows."""
        if self.training_flops is None:
            return None
        return float(self.table.query(slice(None), self.training_flops).mean())

    @property
    def packages(self) -> tuple[str, ...]:
        """None: the table's digest says what is answered."""
        return ()

    def identity_json(self) -> dict[str, Any]:
        """The table by its digest, and what is read of it."""
        return {
            "type": type(self).__qualname__,
            "table": self.table.name,
            "digest": self.table.digest_of(self._columns()),
            "readings": [[r.column, r.seed, r.name, r.fidelity] for r in self.readings],
            "charges": [self.seconds, self.training_flops, self.continues],
        }

    def __call__(
        self, configuration: Configuration, fidelity: int | None, trial: Trial
    ) -> Measurement:
        """The row's values at the fidelity (None: full).

        Raises:
            TableError: the table has no such row, or it was not measured there.
            SettingError: the table has no such fidelity.
        """
        row = self.table.row(self.key(configuration))
        values = {
            metric.name: self._value(row, reading, fidelity, trial.seed)
            for metric, reading in zip(self.metrics, self.readings, strict=True)
        }
        return Measurement(
            values,
            training_flops=self._charge(self.training_flops, row, fidelity, trial.continued),
            simulated_seconds=self._charge(self.seconds, row, fidelity, trial.continued),
        )

    def __getstate__(self) -> dict[str, Any]:
        """To other processes go the columns that an answer depends on."""
        return {**self.__dict__, "table": self.table.only(self._columns())}

    def _columns(self) -> list[str]:
        """Every column that an answer depends on."""
        charges = [name for name in (self.seconds, self.training_flops) if name is not None]
        return [*(reading.column for reading in self.readings), *charges]

    def _value(self, row: int, reading: Reading, fidelity: int | None, seed: int) -> float:
        amount = fidelity if reading.fidelity == "asked" else None
        chosen = reading.seed
        if chosen == "drawn":
            chosen = self._drawn(row, reading.column, amount, seed)
        value = self.table.value(row, reading.column, fidelity=amount, seed=chosen)
        if value != value:
            raise TableError(
                f"table {self.table.name}: {reading.column} of row {row} was not measured at "
                f"fidelity {'full' if amount is None else amount}, seed {chosen}: ask for others."
            )
        return value

    def _drawn(self, row: int, column: str, amount: int | None, seed: int) -> int | Literal["mean"]:
        """One of the repeats that were measured; "mean" where the column has no repeats."""
        if "seed" not in self.table.column(column).axes:
            return "mean"
        values = (self.table.value(row, column, fidelity=amount, seed=s) for s in self.table.seeds)
        given = [name for name, v in zip(self.table.seeds, values, strict=True) if v == v]
        return given[seed % len(given)] if given else "mean"

    def _charge(self, column: str | None, row: int, fidelity: int | None, continued: int) -> float:
        """What lies beyond the amount that the continued trial has been charged for."""
        if column is None:
            return 0.0
        before = self._up_to(column, row, continued) if self.continues and continued else 0.0
        amount = self._up_to(column, row, fidelity) - before
        if amount != amount:
            raise TableError(f"table {self.table.name}: {column} of row {row} was not measured.")
        return max(0.0, amount)

    def _up_to(self, column: str, row: int, fidelity: int | None) -> float:
        """A cumulative column at a fidelity; one without that axis grows in proportion."""
        if "fidelity" in self.table.column(column).axes or self.table.fidelity is None:
            return self.table.value(row, column, fidelity=fidelity)
        full = self.table.fidelity.full
        return self.table.value(row, column) * (full if fidelity is None else fidelity) / full


def _metric(table: Table, reading: Reading) -> Metric:
    metric = table.column(reading.column).metric
    return Metric(reading.name or metric.name, metric.goal, metric.unit)
