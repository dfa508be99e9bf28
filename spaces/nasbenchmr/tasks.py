"""What can be searched on NAS-Bench-MR: the trained networks of its files.

    space, objective = labelled("seg", path="~/NCP/data")

NAS-Bench-Suite answers for other networks too, by the authors' predictor, which is not published as
a file. No optimum is given as a yardstick: none is known for 2**80 networks.
"""

from __future__ import annotations

from pathlib import Path

from automl_nas import tables
from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.tables.nasbenchmr import MAIN
from spaces.labelled import Labelled
from spaces.labelled import labelled as over_rows

from .space import to_key


def table(task: str = "seg", *, path: str | Path | None = None) -> TableObjective:
    """The task's main metric and whatever else its file has; any other network is a TableError.

    Args:
        task: "seg" (Cityscapes), "cls-50-1000" (ImageNet), "video" (HMDB51), "3ddet" (KITTI), or
            one of the further settings in `automl_nas.tables.nasbenchmr.MAIN`.
        path: folder with `<task>/trainval.pkl`; None: the folder `AUTOML_NAS_DATA`.

    Raises:
        MissingTable: the files are not there.
        TableError: a file is damaged.
    """
    data = tables.open("nasbenchmr", task, path=path)
    names = [MAIN[task], *(name for name in data.columns if name != MAIN[task])]
    return TableObjective(data, to_key, tuple(Reading(name) for name in names))


def labelled(task: str = "seg", *, path: str | Path | None = None) -> Labelled:
    """The trained networks as a space of their own, with the objective."""
    return over_rows(table(task, path=path))
