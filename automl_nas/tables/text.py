"""Tables that were collected as compressed comma-separated text.

    columns = read_csv(path, ("index", "arch_str"))
    errors = numbers(columns["test"])

Everything stays text until it is asked for as numbers: cells such as `02001` keep their zeros.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from automl_nas.errors import TableError
from automl_nas.tables.safe import opened, reading

Numbers = npt.NDArray[np.float64]


def read_csv(
    path: Path, needed: Sequence[str] = (), keep: Callable[[str], bool] = lambda _name: True
) -> Mapping[str, tuple[str, ...]]:
    """Column name -> its cells, in the file's order; of the needed columns and those to `keep`.

    Raises:
        TableError: the file is damaged, a row is short, or a needed column is missing.
    """
    with reading(path, "a table of comma-separated values"), opened(path) as file:
        reader = csv.reader(io.StringIO(file.read().decode(), newline=""))
        header = next(reader, [])
        kept = [name in needed or keep(name) for name in header]
        rows = [tuple(itertools.compress(row, kept)) for row in reader if _fits(row, header)]
        columns = dict(zip(itertools.compress(header, kept), zip(*rows, strict=True), strict=True))
    _require(path, columns, needed)
    return columns


def _fits(row: Sequence[str], header: Sequence[str]) -> bool:
    """True; or an error, since a short or long row means damage."""
    if len(row) != len(header):
        raise ValueError(f"a row has {len(row)} cells, the header {len(header)}")
    return True


def read_numbers(path: Path, needed: Sequence[str] = ()) -> Mapping[str, Numbers]:
    """Column name -> its numbers (n,); for files with nothing else, which is faster.

    Raises:
        TableError: the file is damaged, a cell is no number, or a needed column is missing.
    """
    with reading(path, "a table of numbers, comma-separated"), opened(path) as file:
        header, _, rest = file.read().decode().partition("\n")
        if not rest.strip():
            raise ValueError("it has no rows")
        values = np.loadtxt(io.StringIO(rest), delimiter=",", ndmin=2)
        columns = dict(zip(header.strip().split(","), values.T, strict=True))
    _require(path, columns, needed)
    return columns


def joined(present: npt.ArrayLike, values: Numbers, wanted: npt.ArrayLike) -> Numbers:
    """(n,) the values of the wanted ones among the present numbers; NaN: it is not there."""
    there, asked = np.asarray(present), np.asarray(wanted)
    order = np.argsort(there)
    at = order[np.minimum(np.searchsorted(there, asked, sorter=order), len(there) - 1)]
    return np.where(there[at] == asked, values[at], np.nan)


def _require(path: Path, columns: Mapping[str, object], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        got = ", ".join(columns)
        raise TableError(f"{path}: expected the columns {', '.join(missing)}, got {got}.")


def numbers(cells: Sequence[str]) -> Numbers:
    """(n,) the cells as numbers; an empty one is NaN.

    Raises:
        TableError: a cell is no number.
    """
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError as error:
        raise TableError(f"expected a column of numbers: {error}.") from None
