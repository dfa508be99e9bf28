"""NAS-Bench-101 as an objective, and the way back from a hash to a cell.

objective = table(path="~/benchmarks")
configuration = from_hash("00005c142e6f48ac74fdcf73e3439874", path=...)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from ConfigSpace import Configuration

from automl_nas import tables
from automl_nas.errors import TableError
from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.tables.modules101 import module_hash, unpacked
from automl_nas.tables.safe import reading
from automl_nas.tables.sources import data_folder, find
from automl_nas.tables.yardstick import Yardstick
from automl_nas.tables.yardstick import yardstick as yardstick_of

from .space import Invalid, from_cell, to_key

COLLECTED = "nb101_full.npz"
"""The file with the cell of every hash."""


def table(
    *,
    path: str | Path | None = None,
    search_on: Literal["validation", "test"] | None = None,
    observed: int | Literal["mean", "drawn"] = "mean",
    invalid: Invalid = "repair",
    **options: Any,
) -> TableObjective:
    """An objective over the table, in percent of error.

    Args:
        path: folder or file; None: the folder `AUTOML_NAS_DATA`.
        search_on: the first metric. None: validation where the file has it. The collected means
            have the test error alone: then `search_on="test"` must be said, and the objective's
            name says it too.
        observed: a repeat, the mean of them, or "drawn" by the trial's seed.
        invalid: what happens to a configuration that is no cell of the benchmark.
        options: further ones of `automl_nas.tables.open`, such as `layout` or `cache`. A layout
            with a sample of the cells fails on all others.

    Raises:
        MissingTable: no file is there.
        TableError: the file does not have the error that is searched on.
    """
    opened = tables.open("nasbench101", "cifar10", path=path, **options)
    first = f"{search_on or 'validation'}_error"
    if first not in opened.columns:
        raise TableError(
            f"{opened.source} has no {first}: give other files or layouts, or search on the test "
            'error knowingly with search_on="test".'
        )
    seed = observed if "seed" in opened.column(first).axes else "mean"
    readings = [Reading(first, seed)]
    if first != "test_error" and "test_error" in opened.columns:
        readings.append(Reading("test_error", "mean", fidelity="full"))
    return TableObjective(
        opened,
        functools.partial(to_key, invalid=invalid),
        tuple(readings),
        seconds="training_seconds" if "training_seconds" in opened.columns else None,
        label="search on test" if search_on == "test" else "",
    )


def yardstick(*, path: str | Path | None = None, metric: str = "test_error") -> Yardstick:
    """The optimum over the whole table.

    Raises:
        MissingTable: no file is there.
    """
    return yardstick_of(
        tables.open("nasbench101", "cifar10", path=path),
        metric,
        others=("params",),
        source="published best mean test accuracy 94.32",
    )


def from_hash(name: str, *, path: str | Path | None = None) -> Configuration:
    """A configuration of the cell with a published hash, from the file of all cells.

    Raises:
        TableError: the file is not there, or no cell has that hash.
    """
    folder = data_folder(path)
    found = None if folder is None else find(folder, COLLECTED)
    if found is None:
        raise TableError(f"{COLLECTED} was not found in {folder}: it has the cells of all hashes.")
    cells = _stored(found)
    for row in np.flatnonzero(cells["hash32"] == int(name[:8], 16)).tolist():
        size, bits = int(cells["n_vertices"][row]), int(cells["adjacency_bits"][row])
        cell = unpacked(size, bits, cells["ops"][row].tolist())
        if module_hash(*cell) == name:
            return from_cell(*cell)
    raise TableError(f"no cell of NAS-Bench-101 has the hash {name!r}.")


@functools.lru_cache(maxsize=1)
def _stored(path: Path) -> Mapping[str, npt.NDArray[np.generic]]:
    with (
        reading(path, "the collected means of NAS-Bench-101"),
        path.open("rb") as raw,
        np.load(raw) as file,
    ):
        return {name: file[name] for name in ("hash32", "n_vertices", "adjacency_bits", "ops")}
