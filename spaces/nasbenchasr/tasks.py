"""What can be searched on NAS-Bench-ASR, by the protocol of its authors.

    objective = table("timit", path="~/benchmarks")

A searcher sees the validation error of one training, whose seed the trial's seed draws, up to the
epoch that it asks for: the lowest so far, as the authors' own interface answers unless told
otherwise, or the last. The test error comes as a second metric, the mean over seeds, not to be
searched on. No optimum is given as a yardstick: the files are not to be had any more, and the paper
prints none that could be read off without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from automl_nas import tables
from automl_nas.objectives.table import Reading, TableObjective

from .space import graph_hash


def table(
    task: str = "timit",
    *,
    path: str | Path | None = None,
    epoch: Literal["best", "last"] = "best",
) -> TableObjective:
    """Phoneme errors; parameters and latencies where their files are there.

    Args:
        task: "timit" (40 epochs, three seeds), "timit-e10" or "timit-e5" (trained for so many).
        path: folder of the files; None: the folder `AUTOML_NAS_DATA`.
        epoch: the validation error is the lowest up to the epoch that is asked for, or of it.

    Raises:
        MissingTable: the files are not there.
        TableError: a file is damaged.
    """
    data = tables.open("nasbenchasr", task, path=path)
    more = [name for name in data.columns if not name.endswith("error")]
    observed = "best_validation_error" if epoch == "best" else "validation_error"
    readings = (
        Reading(observed, seed="drawn", name="validation_error"),
        Reading("test_error"),
        *(Reading(name) for name in more),
    )
    return TableObjective(data, graph_hash, readings, continues=True)
