"""What can be searched on NAS-Bench-NLP: the cells that were trained.

    space, objective = labelled("penntreebank", path="~/benchmarks")

A study optimises the validation loss and records the test loss. No optimum is given as a yardstick:
the file was not at hand. (NASLib answers for other cells too, by the surrogate NAS-Bench-NLP11.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, tables
from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.tables import Table
from automl_nas.tables.nasbenchnlp import Compact, compact, key
from spaces.labelled import NAME, Labelled, row_key, row_space

_READINGS = {
    "last": (Reading("validation_loss"), Reading("test_loss"), Reading("train_loss")),
    "best": (
        Reading("best_validation_loss", name="validation_loss"),
        Reading("test_loss_at_best", name="test_loss"),
        Reading("train_loss"),
    ),
}


def table(
    task: str = "penntreebank",
    *,
    path: str | Path | None = None,
    epoch: Literal["last", "best"] = "last",
) -> TableObjective:
    """Losses in nats and simulated seconds of the trained cells, for `search_space` of the path.

    Args:
        task: "penntreebank", the only one.
        path: folder of `nb_nlp.pickle`; None: the folder `AUTOML_NAS_DATA`.
        epoch: the losses are those of the epoch that is asked for, as in NAS-Bench-Suite, or of the
            lowest validation loss up to it, as in the authors' own comparison.

    Raises:
        MissingTable: the file is not there.
        TableError: the file is damaged.
    """
    data = tables.open("nasbenchnlp", task, path=path)
    return TableObjective(
        data, row_key(data), _READINGS[epoch], "training_seconds", continues=data.continues
    )


def labelled(
    task: str = "penntreebank",
    *,
    path: str | Path | None = None,
    epoch: Literal["last", "best"] = "last",
) -> Labelled:
    """The trained cells as a space, with the objective; arguments and errors as for `table`."""
    objective = table(task, path=path, epoch=epoch)
    return Labelled(row_space(objective.table), objective)


def search_space(
    task: str = "penntreebank", *, path: str | Path | None = None
) -> ConfigurationSpace:
    """One integer, the number of a trained cell; arguments and errors as for `table`."""
    return row_space(tables.open("nasbenchnlp", task, path=path))


def to_compact(configuration: Configuration, data: Table) -> Compact:
    """The cell of a row: (edges, operations, hidden)."""
    return compact(row_key(data)(configuration))


def from_compact(form: Any, data: Table) -> Configuration:
    """The row of a cell.

    Raises:
        TableError: it is no cell, or was not trained.
    """
    return configs.from_dict(row_space(data), {NAME: data.row(key(form))})
