"""NAS-Bench-201 as an objective: what was published, looked up.

    objective = table("cifar100", path="~/benchmarks")            # validation error, mean of seeds
    objective = table("cifar10", observed="drawn")                # the noise of one training
    objective = table("digits")                                   # needs no files: it ships
    objective = table("cifar10", devices=("raspi4", "pixel3"))    # latencies in ms besides
    objective = table("cifar10", protocol="published")            # searches on test, and says so

Nothing is downloaded; see `automl_nas.tables.nasbench201` for the files. Seconds are those of the
training, not of the evaluations, and only in the official folder and NASLib's pickles.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from automl_nas import tables
from automl_nas.errors import SettingError, TableError
from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.tables.table import Table
from automl_nas.tables.yardstick import Yardstick
from automl_nas.tables.yardstick import yardstick as yardstick_of

from .space import to_arch

Protocol = Literal["validation", "published"]
Observed = int | tuple[int, ...] | Literal["mean", "drawn"]
PUBLISHED_SEED = 888
"""The seed behind what NASLib calls validation accuracy."""
OPTIMA = {
    ("cifar10", "validation_error"): 91.61,
    ("cifar10", "test_error"): 94.37,
    ("cifar100", "validation_error"): 73.49,
    ("cifar100", "test_error"): 73.51,
    ("ImageNet16-120", "validation_error"): 46.73,
    ("ImageNet16-120", "test_error"): 47.31,
}
"""Best accuracies in percent, means over seeds: row "optimal" of NAS-Bench-201's table 5; the
validation of ImageNet16-120 as NATS-Bench's notebook `issue-27.ipynb` prints it."""


def table(
    task: str,
    *,
    path: str | Path | None = None,
    observed: Observed | None = None,
    protocol: Protocol = "validation",
    devices: Sequence[str] = (),
    others: Sequence[str] = (),
    **options: Any,
) -> TableObjective:
    """An objective over the table of one data set, in percent of error.

    The first metric is searched on; the test error at full fidelity is recorded besides.

    Args:
        task: `cifar10`, `cifar100`, `ImageNet16-120`, or `digits` (see `digits201`).
        path: folder or file; None: the folder `AUTOML_NAS_DATA`.
        observed: a seed, the mean over several or all, or "drawn" by the trial's seed; None: the
            mean, for `digits` the first seed.
        protocol: "published": as NASLib and NAS-Bench-Suite-Zero search, on the test error of seed
            888. The objective's name says so.
        devices: whose latency is a metric too, such as `raspi4`.
        others: further columns that are metrics, such as `params` or `energy_edgegpu`.
        options: of the reader, such as `recipe`, `layout`, `cache`.

    Raises:
        MissingTable: the files are not there.
        TableError: the files do not have the error that is searched on.
        UnknownName: there is no such task, device or column.
        SettingError: the protocol is neither of the two.
    """
    if task == "digits":
        made: TableObjective = _digits201().table(
            path=path, observed=observed, others=tuple(others), **options
        )
        return made
    opened = tables.open("nasbench201", task, path=path, **options)
    extra = [*(f"latency_{device}" for device in devices), *others]
    return TableObjective(
        opened,
        to_arch,
        (
            *_readings(opened, protocol, "mean" if observed is None else observed),
            *(Reading(column) for column in extra),
        ),
        seconds="training_seconds" if "training_seconds" in opened.columns else None,
        continues=opened.continues,
        label="published protocol, search on test" if protocol == "published" else "",
    )


def _digits201() -> Any:
    return importlib.import_module(".digits201", __package__)


def _readings(opened: Table, protocol: Protocol, observed: Observed) -> list[Reading]:
    if protocol not in ("validation", "published"):
        raise SettingError(f'expected protocol="validation" or "published", got {protocol!r}.')
    test = [Reading("test_error", fidelity="full")] if "test_error" in opened.columns else []
    if protocol == "published":
        _require(opened, "search_test_error", "none of them")
        seeded = "seed" in opened.column("search_test_error").axes
        return [Reading("search_test_error", PUBLISHED_SEED if seeded else "mean"), *test]
    _require(opened, "validation_error", 'protocol="published" searches on the test error, and')
    seeded = "seed" in opened.column("validation_error").axes
    if not seeded and observed != "mean":
        raise SettingError(
            f"{opened.source} has means over seeds only, got {observed=}: the official folder has "
            'the seeds; or observe the "mean".'
        )
    return [Reading("validation_error", observed), *test]


def _require(opened: Table, column: str, advice: str) -> None:
    """At full fidelity, in any row."""
    values = opened.query(slice(None), column) if column in opened.columns else None
    if values is None or not (values == values).any():
        raise TableError(
            f"{opened.source} has no {column} at full fidelity: {advice} the layouts in "
            "automl_nas.tables.nasbench201 say which files have it."
        )


def yardstick(
    task: str, *, path: str | Path | None = None, metric: str = "validation_error", **options: Any
) -> Yardstick:
    """The optimum of the mean over seeds, and the reference point with the number of parameters.

    Raises:
        MissingTable: the files are not there.
        UnknownName: there is no such task or metric.
    """
    if task == "digits":
        best: Yardstick = _digits201().yardstick(metric, path=path, **options)
        return best
    opened = tables.open("nasbench201", task, path=path, **options)
    published = OPTIMA.get((task, metric))
    source = "" if published is None else f"published best accuracy {published:.2f}"
    return yardstick_of(opened, metric, others=("params",), source=source)
