"""What can be searched on TangleNAS's toy benchmarks.

    objective = table("conv-macro", path="~/TangleNAS")

The yardstick is the best test accuracy of each table, `automl_nas.tables.tanglenas_toys.OPTIMA`.
"""

from __future__ import annotations

from pathlib import Path

from automl_nas import tables
from automl_nas.objectives.table import Reading, TableObjective

from .space import to_key


def table(task: str = "cell", *, path: str | Path | None = None) -> TableObjective:
    """Test errors, since the files have no validation errors; parameters and latencies of cells.

    Raises:
        MissingTable: the files are not there.
        TableError: a file is damaged.
    """
    data = tables.open("tanglenas_toys", task, path=path)
    names = [name for name in data.columns if name != "train_error"]
    readings = tuple(Reading(name) for name in names)
    return TableObjective(data, to_key, readings, label="search on test errors")
