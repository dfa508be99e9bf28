"""One columnar table in memory: a row per architecture, a column per quantity.

    table.rows(["|nor_conv_3x3~0|+...", ...])                # keys -> row numbers, vectorised
    table.query(rows, "test_error", fidelity=12, seed=0)     # values, vectorised
    table.query(rows, "test_error")                          # full fidelity, mean over seeds

A column has an axis of rows and, where the benchmark has them, axes of fidelities and seeds, in
this order. Directions and units are those of its `Metric`; `part` says on which part of the data an
error was measured, so that nobody searches on test errors unawares.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from automl_nas.errors import SettingError, TableError, UnknownName
from automl_nas.types import Fidelity, Metric

Array = npt.NDArray[Any]
Part = Literal["train", "validation", "test", ""]
Axis = Literal["fidelity", "seed"]


@dataclass(frozen=True, eq=False)
class Column:
    """One quantity of every row."""

    metric: Metric
    """Name, goal and unit."""
    values: Array
    """(rows, *axes), numbers; NaN: not measured. May be a narrow type, see `scale`."""
    axes: tuple[Axis, ...] = ()
    """What follows the axis of rows: (), ("fidelity",), ("seed",) or ("fidelity", "seed")."""
    part: Part = ""
    """The part of the data that was predicted; empty for what is not an error of prediction."""
    note: str = ""
    """What a user must know of it, such as that it is the last epoch's, not the best."""
    scale: float = 1.0
    """Stored values times this are in the metric's unit."""


@dataclass(frozen=True, eq=False)
class Table:
    """A benchmark's measurements.

    Raises:
        TableError: a column's shape does not fit the keys, fidelities and seeds; a key is double.
    """

    name: str
    """`benchmark/task`."""
    keys: Array
    """(rows,) native keys in the table's own order: strings, bytes or integers."""
    columns: Mapping[str, Column]
    """By the name of their metric."""
    fidelity: Fidelity | None = None
    """What the fidelity axis counts, and its full amount."""
    fidelities: tuple[int, ...] = ()
    """Amounts along the fidelity axis, ascending; the last is the full one."""
    seeds: tuple[int, ...] = ()
    """The benchmark's own names of its repeats, along the seed axis."""
    continues: bool = False
    """Whether fewer epochs are the beginning of the full training, not a training of their own."""
    source: str = ""
    """The official file or files and their layout, in words."""

    def __post_init__(self) -> None:
        sizes: dict[Axis, int] = {"fidelity": len(self.fidelities), "seed": len(self.seeds)}
        for name, column in self.columns.items():
            expected = (len(self.keys), *(sizes[axis] for axis in column.axes))
            if column.values.shape != expected:
                raise TableError(
                    f"table {self.name}: column {name!r} has the shape {column.values.shape}, "
                    f"expected {expected}."
                )

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, keys: Sequence[Any] | Array) -> npt.NDArray[np.int64]:
        """(n,) row numbers of native keys; -1 where the table has no such row.

        Raises:
            TableError: keys of another kind, such as numbers where the table's are strings.
        """
        order, ordered = self._sorted
        wanted = np.asarray(keys)
        if not wanted.size or not len(ordered):
            return np.full(wanted.shape, -1, dtype=np.int64)
        if wanted.dtype.kind != ordered.dtype.kind:
            if {wanted.dtype.kind, ordered.dtype.kind} != {"i", "u"}:
                example = ordered[0].item()
                raise TableError(f"table {self.name} has keys such as {example!r}, got {keys!r}.")
            wanted = wanted.astype(ordered.dtype)
        places = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        return np.where(ordered[places] == wanted, order[places], -1)

    def row(self, key: Any) -> int:
        """The row number of one native key.

        Raises:
            TableError: the table has no such row.
        """
        number = self._row_of.get(key, -1)
        if number < 0:
            raise TableError(f"table {self.name} has no row {key!r} among its {len(self)}.")
        return number

    def query(
        self,
        rows: npt.ArrayLike | slice,
        column: str,
        *,
        fidelity: int | None = None,
        seed: int | Sequence[int] | Literal["mean"] = "mean",
    ) -> npt.NDArray[np.float64]:
        """(n,) values of rows at one fidelity (None: full), of one seed or the mean over several.

        A mean leaves out repeats that were not measured. `seed` is a name out of `seeds`; columns
        without these axes have the same value at every fidelity and seed.

        Raises:
            UnknownName: there is no such column.
            SettingError: the fidelity or a seed is not in the table.
        """
        chosen = self.column(column)
        place: tuple[Any, ...] = (rows if isinstance(rows, slice) else np.asarray(rows),)
        if "fidelity" in chosen.axes:
            place += (self.place(fidelity),)
        values = chosen.values[place]
        if "seed" in chosen.axes:
            values = _mean(values[:, self._repeats(seed)])
        return np.asarray(values, dtype=np.float64) * chosen.scale

    def value(
        self,
        row: int,
        column: str,
        *,
        fidelity: int | None = None,
        seed: int | Sequence[int] | Literal["mean"] = "mean",
    ) -> float:
        """One value, as `query` would give it."""
        chosen = self.column(column)
        place: tuple[int, ...] = (row,)
        if "fidelity" in chosen.axes:
            place += (self.place(fidelity),)
        value = chosen.values[place]
        if "seed" in chosen.axes:
            repeats = self._repeats(seed)
            value = value[repeats[0]] if len(repeats) == 1 else _mean(value[None, repeats])[0]
        return float(value) * chosen.scale

    def column(self, name: str) -> Column:
        """A column by its metric's name.

        Raises:
            UnknownName: there is none.
        """
        if name not in self.columns:
            raise UnknownName(f"column of table {self.name}", name, self.columns)
        return self.columns[name]

    def only(self, columns: Iterable[str]) -> Table:
        """The same rows with these columns alone."""
        return replace(self, columns={name: self.column(name) for name in sorted(set(columns))})

    def place(self, fidelity: int | None) -> int:
        """Where on the fidelity axis an amount lies; None: the full one.

        Raises:
            SettingError: it was not measured.
        """
        if fidelity is None:
            return len(self.fidelities) - 1
        place = self._places.get(fidelity)
        if place is None:
            unit = self.fidelity.name if self.fidelity else "fidelity"
            raise SettingError(
                f"table {self.name} has the {unit} {_ranges(self.fidelities)}, got {fidelity=}."
            )
        return place

    def _repeats(self, seed: int | Sequence[int] | Literal["mean"]) -> list[int]:
        if seed == "mean":
            return list(range(len(self.seeds)))
        wanted = [seed] if isinstance(seed, int) else list(seed)
        unknown = [one for one in wanted if one not in self.seeds]
        if unknown or not wanted:
            raise SettingError(f"table {self.name} has the seeds {self.seeds}, got {seed=}.")
        return [self.seeds.index(one) for one in wanted]

    @functools.cached_property
    def _places(self) -> dict[int, int]:
        return {amount: place for place, amount in enumerate(self.fidelities)}

    @functools.cached_property
    def _row_of(self) -> dict[Any, int]:
        return {key: row for row, key in enumerate(self.keys.tolist())}

    @functools.cached_property
    def _sorted(self) -> tuple[npt.NDArray[np.int64], Array]:
        order = np.argsort(self.keys, kind="stable")
        ordered = self.keys[order]
        double = ordered[:-1][ordered[:-1] == ordered[1:]]
        if len(double):
            raise TableError(f"table {self.name} has the key {double[0].item()!r} twice.")
        return order, ordered

    @functools.cached_property
    def digest(self) -> str:
        """Of keys and values: equal for tables that answer alike, whatever file they came from."""
        return self.digest_of(self.columns)

    def digest_of(self, columns: Iterable[str]) -> str:
        """Of the keys and these columns alone, so that joining others changes nothing."""
        digest = hashlib.sha256(repr((self.name, self.fidelities, self.seeds)).encode())
        digest.update(np.ascontiguousarray(self.keys).tobytes())
        for name in sorted(set(columns)):
            column = self.column(name)
            digest.update(
                repr((name, column.axes, column.scale, str(column.values.dtype))).encode()
            )
            digest.update(np.ascontiguousarray(column.values).tobytes())
        return digest.hexdigest()[:16]


def _mean(values: Array) -> npt.NDArray[np.float64]:
    """(n, repeats) -> (n,), leaving out NaN; NaN where nothing is left."""
    given = ~np.isnan(values)
    count = given.sum(axis=1)
    total = np.where(given, values, 0.0).sum(axis=1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ranges(amounts: Sequence[int]) -> str:
    """`1 to 200`, or `4, 12, 36, 108`."""
    if list(amounts) == list(range(amounts[0], amounts[-1] + 1)) and len(amounts) > 2:
        return f"{amounts[0]} to {amounts[-1]}"
    return ", ".join(map(str, amounts))
