"""Published benchmarks as columnar tables in memory, read from their official files.

    table = tables.open("nasbench201", task="cifar100", path="~/benchmarks")
    rows = table.rows(keys)                                  # native keys -> row numbers
    errors = table.query(rows, "validation_error", fidelity=200, seed="mean")

Nothing is downloaded: without `path` the folder `AUTOML_NAS_DATA` is searched, and `automl-nas
data` lists what is found and what is missing. An objective over a table is made by its space, such
as `spaces.nasbench201.table("cifar100")`, since the space knows the table's keys.
"""

from automl_nas.tables.sources import File, Source, open
from automl_nas.tables.table import Column, Table

__all__ = ["Column", "File", "Source", "Table", "open"]
