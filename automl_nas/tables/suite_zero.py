"""NAS-Bench-Suite-Zero: accuracy and 13 zero-cost proxies with their seconds, on 28 tasks.

    table = tables.open("suite_zero", task="transbench101_micro/jigsaw", path="~/benchmarks")
    table.query(rows, "synflow"), table.query(rows, "synflow_seconds"), ...

Rows are keyed natively (`automl_nas.tables.suite_keys`). What the authors mark as invalid (-1e8,
±1e9, infinities) or undefined (a time of -1) is NaN here; the column's note counts it, so that
no statistic meets a sentinel.

`val_accuracy` is what the suite calls so. On NAS-Bench-201's own three data sets it is an accuracy
on *test* images (one seed, epoch 200), and its `part` says "test"; TransNAS-Bench-101's is the best
epoch's in the files of June 2022 and later and the last epoch's in those of May 2022, and on
NAS-Bench-301/cifar10 the file of May 2022 has predictions of a surrogate.

Layouts: the official `zc_<space>.json` ({dataset: {"(0, 2, ...)": {proxy: {score, time}}}}), its
older form ({space: {dataset: {key: {proxy: number}}}}), both with or without gzip; the raw chunks
in zip files; and csv files collected from them.

Source: Krishnakumar et al., NeurIPS 2022 (arXiv:2210.03230); data in automl/NASLib, Apache-2.0.
"""

from __future__ import annotations

import functools
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_nas.errors import TableError
from automl_nas.tables.safe import literal, load_json, opened, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.suite_keys import collected, native
from automl_nas.tables.suite_tasks import PROXIES, SPACES, TASKS, SuiteTask
from automl_nas.tables.table import Column, Part, Table
from automl_nas.types import Metric

SENTINELS = (-1e8, -1e9, 1e9)
"""What the authors write for a score that could not be computed."""
_UNITS = {"params": "million parameters", "flops": "million multiply-adds"}
_CHUNK = re.compile(r"(?:.*/)?benchmark--(?P<space>\w+)--(?P<dataset>[\w-]+)--\d+\.json")


def read(paths: Sequence[Path], task: str) -> Table:
    """A task's table from one or several files; where they overlap, the first says it.

    Raises:
        TableError: a file is malformed, or has nothing of the task.
    """
    wanted = TASKS[task]
    frames = [_frame(path, wanted) for path in paths]
    frame = functools.reduce(pd.DataFrame.combine_first, frames)
    if frame.empty or "val_accuracy" not in frame:
        raise TableError(
            f"{', '.join(map(str, paths))}: nothing of {task} in it; expected accuracies and "
            "proxies of that data set."
        )
    columns = {column.metric.name: column for column in _columns(frame, wanted)}
    return Table(
        name=f"suite_zero/{task}",
        keys=np.array(frame.index.tolist()),
        columns=columns,
        source=", ".join(path.name for path in paths),
    )


def _frame(path: Path, task: SuiteTask) -> pd.DataFrame:
    """Native key -> val_accuracy, proxies and `<proxy>_seconds`, as the file has them."""
    with reading(path, "a table of NAS-Bench-Suite-Zero"):
        if ".csv" in path.suffixes:
            return _from_csv(path, task)
        if path.suffix == ".zip":
            return _from_chunks(path, task)
        return _from_json(path, task)


def _from_csv(path: Path, task: SuiteTask) -> pd.DataFrame:
    with opened(path) as file:
        frame = pd.read_csv(file, dtype={"key": str, "arch": str})
    if "space" in frame:
        frame = frame[frame["space"] == task.space]
    frame = frame[frame["dataset"] == task.dataset]
    frame.index = pd.Index([collected(task.space, task.dataset, key) for key in frame["key"]])
    times = {f"time_{proxy}": f"{proxy}_seconds" for proxy in PROXIES}
    known = [name for name in ("val_accuracy", *PROXIES, *times) if name in frame]
    return frame[known].astype(np.float64).rename(columns=times)


def _from_json(path: Path, task: SuiteTask) -> pd.DataFrame:
    data = load_json(path)
    data = data.get(task.space, data)
    return _from_rows(data.get(task.dataset, {}).items(), path, task)


def _from_chunks(path: Path, task: SuiteTask) -> pd.DataFrame:
    """Raw results: a list of `{"idx", "arch", proxy: {score, time}, "val_accuracy"}` per job."""
    rows: list[tuple[str, Any]] = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            match = _CHUNK.fullmatch(name)
            if match and (match["space"], match["dataset"]) == (task.space, task.dataset):
                rows += [(row["arch"], row) for row in json.loads(archive.read(name))]
    return _from_rows(rows, path, task)


def _from_rows(
    rows: Iterable[tuple[str, Mapping[str, Any]]], path: Path, task: SuiteTask
) -> pd.DataFrame:
    """The first of several rows that mean the same architecture stays."""
    table: dict[str, dict[str, float]] = {}
    for key, row in rows:
        table.setdefault(native(task.space, task.dataset, literal(key, path)), _scores(row))
    return pd.DataFrame.from_dict(table, orient="index", dtype=np.float64)


def _scores(row: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of one architecture; a proxy is a number, or a score with its seconds."""
    scores: dict[str, float] = {}
    for name in ("val_accuracy", *PROXIES):
        value = row.get(name)
        if isinstance(value, Mapping):
            seconds = float(value["time"])
            scores[name] = float(value["score"]) if seconds >= 0 else np.nan
            scores[f"{name}_seconds"] = seconds if seconds >= 0 else np.nan
        elif value is not None:
            scores[name] = float(value)
    return scores


def _columns(frame: pd.DataFrame, task: SuiteTask) -> Iterable[Column]:
    accuracy = frame["val_accuracy"].to_numpy(copy=True)
    metric = Metric("val_accuracy", "max", task.unit)
    yield Column(metric, accuracy, part=_part(task), note=_accuracy_note(task))
    for proxy in PROXIES:
        if proxy in frame:
            yield _proxy(proxy, frame[proxy].to_numpy(copy=True), task)
        if f"{proxy}_seconds" in frame:
            seconds = frame[f"{proxy}_seconds"].to_numpy(copy=True)
            yield Column(Metric(f"{proxy}_seconds", "min", "s"), seconds)


def _proxy(name: str, scores: Any, task: SuiteTask) -> Column:
    """Invalid scores become NaN and are counted; an undefined proxy is NaN throughout."""
    missing = int(np.isnan(scores).sum())
    invalid = np.isinf(scores) | np.isin(scores, SENTINELS)
    scores[invalid] = np.nan
    note = f"{int(invalid.sum())} invalid and {missing} missing of {len(scores)}"
    if name in task.undefined:
        scores[:] = np.nan
        note = "not defined for this task"
    metric = Metric(name, "min" if name in _UNITS else "max", _UNITS.get(name, ""))
    return Column(metric, scores, note=note)


def _part(task: SuiteTask) -> Part:
    own = ("cifar10", "cifar100", "ImageNet16-120")
    return "test" if task.space == "nasbench201" and task.dataset in own else "validation"


def _accuracy_note(task: SuiteTask) -> str:
    if _part(task) == "test":
        return "called validation by the suite; measured on test images, one seed, epoch 200"
    if task.unit == "negative loss":
        return "the loss with its sign changed"
    if task.space == "nasbench301" and task.dataset == "cifar10":
        return "predicted by a surrogate in the files of May 2022"
    return ""


def space_sources(space: str, read: Any = read, tasks: Sequence[str] | None = None) -> list[Source]:
    """The layouts of one space, best first: collected csv files, raw chunks, official JSON."""
    names = tuple(tasks or (name for name, task in TASKS.items() if task.space == space))
    origin = "automl/NASLib, branch zerocost, scripts/bash_scripts/download_nbs_zero.sh"
    layouts: dict[str, tuple[str, ...]] = {
        "collected csv files": (f"zc_all_{space}.csv.gz", "zc_dense.csv.gz"),
        "raw chunks beside the collected csv": (
            "tnb101_classification_synflow.zip", "zc_dense.csv.gz",
        ),
        "collected csv": ("zc_dense.csv.gz",),
        "official JSON": (f"zc_{space}.json",),
        "official JSON, compressed": (f"zc_{space}.json.gz",),
    }  # fmt: skip
    if space != "transbench101_macro":
        del layouts["raw chunks beside the collected csv"]
    return [
        Source(layout, names, tuple(File(name, origin=origin) for name in files), read,
               "Apache-2.0")
        for layout, files in layouts.items()
    ]  # fmt: skip


SOURCES = tuple(source for space in SPACES for source in space_sources(space))
"""Layouts by space."""
