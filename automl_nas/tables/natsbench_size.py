"""The size space of NATS-Bench: 32,768 networks of five widths on three data sets.

    table = tables.open("natsbench_size", "cifar10", path=..., recipe="90", cache=...)
    table.value(table.row("8:16:24:32:64"), "validation_error")

Keys are the official strings: the channels of the five layers, each 8, 16, ..., 64. Columns, seeds
and epochs are as in `automl_nas.tables.nats`; recipes "90" (the full one), "12" and "01". Source:
Dong, Liu, Musial and Gabrys, TPAMI 2021 (arXiv:2009.00437).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl_nas.tables import nats
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Table

NETWORKS = 32_768
RECIPES = {"90": 90, "12": 12, "01": 1}
"""Recipe -> its epochs."""


def _read(
    paths: Sequence[Path],
    task: str,
    *,
    recipe: str = "90",
    cache: str | Path | None = None,
    workers: int = 1,
) -> Table:
    table, _ = nats.read_folder(
        paths[0].parent,
        task,
        recipe=recipe,
        recipes=RECIPES,
        name=f"natsbench_size/{task}",
        cache=cache,
        workers=workers,
    )
    return table


SOURCES = (
    Source(
        "NATS-Bench simple folder",
        nats.TASKS,
        (File("NATS-sss-v1_0-50262-simple/meta.pickle.pbz2",
              origin="D-X-Y/NATS-Bench, NATS-sss-v1_0-50262-simple.tar, unpacked"),),
        _read,
        "MIT",
        whole=lambda paths: len(nats.cell_files(paths[0].parent)) >= NETWORKS,
    ),
)  # fmt: skip
