"""TransNAS-Bench-101: 4,096 cells and 3,256 skeletons, each trained on seven tasks of Taskonomy.

    table = tables.open("transbench101_micro", task="jigsaw", path="~/benchmarks", mode="final")
    table.query(rows, "validation_score", fidelity=5)

The score is top-1 accuracy (class_object, class_scene, jigsaw; %), pixel accuracy (segmentsemantic;
%), structural similarity (normal, autoencoder) or the loss with its sign changed (room_layout); it
is always to be maximised. The official file has it after every epoch on train, validation and test
images, with all its other metrics under their own names, and the seconds since the training began.

`mode="final"` is the network after that many epochs. `mode="best"` is the one of the epochs so far
whose validation score was best, for every column: so the test score is not itself chosen on test
images, other than with the official API, whose "best" takes each metric's own maximum.

Where the official file is missing, the files of NAS-Bench-Suite-Zero give the validation score of
the best epoch (June 2022 and later) or the last (May 2022), without fidelities and seconds.

Layout: torch file {metrics_dict, info_names, task_list, data: {micro, macro: {arch: {task:
{total_epochs, model_info, metrics: {metric: [after each epoch]}}}}}}. Written from the published
reader and training code (yawen-d/TransNASBench) and tested on synthetic files only: the real file
could not be had.

Source: Duan et al., "TransNAS-Bench-101", CVPR 2021 (arXiv:2105.11871).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from automl_nas.errors import SettingError, TableError
from automl_nas.tables import suite_zero
from automl_nas.tables.safe import load_torch, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.suite_tasks import TASKONOMY
from automl_nas.tables.table import Column, Part, Table
from automl_nas.types import Fidelity, Metric

SCORES: dict[str, tuple[str, str]] = {
    "class_object": ("top1", "%"),
    "class_scene": ("top1", "%"),
    "jigsaw": ("top1", "%"),
    "room_layout": ("neg_loss", "negative loss"),
    "segmentsemantic": ("acc", "%"),
    "normal": ("ssim", "SSIM"),
    "autoencoder": ("ssim", "SSIM"),
}
"""Task -> (its metric in the official file, the score's unit)."""
_PARTS: dict[str, Part] = {"train": "train", "valid": "validation", "test": "test"}
_SECONDS = "time_elapsed"
Mode = Literal["final", "best"]
Curves = npt.NDArray[np.float64]


def read_official(
    paths: Sequence[Path], task: str, *, space: Literal["micro", "macro"], mode: Mode = "final"
) -> Table:
    """A task's table from the official file.

    Raises:
        SettingError: the mode is neither "final" nor "best".
        TableError: the file is malformed, or lacks the task.
    """
    if mode not in ("final", "best"):
        raise SettingError(f"mode must be 'final' or 'best', got {mode!r}.")
    path = paths[0]
    data = load_torch(path)
    with reading(path, "a file of TransNAS-Bench-101"):
        results = {arch: found[task] for arch, found in data["data"][space].items()}
        curves, short = _curves(data["metrics_dict"][task], results)
        seconds = curves.pop(_SECONDS)
        infos = _infos(data["info_names"], results)
        spent = Column(
            Metric("training_seconds", "min", "s"), seconds, ("fidelity",),
            note="since the training began",
        )  # fmt: skip
        columns = [spent, *_measured(curves, task, mode, _note(mode, short)), *infos]
        epochs = seconds.shape[1]
    return Table(
        name=f"transbench101_{space}/{task}",
        keys=np.array(list(results)),
        columns={column.metric.name: column for column in columns},
        fidelity=Fidelity("epochs", epochs),
        fidelities=tuple(range(1, epochs + 1)),
        source=f"{path.name} ({mode} epoch)",
    )


def _curves(
    metrics: Sequence[str], results: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Curves], int]:
    """Metric -> (rows, epochs), and how many rows are shorter: their last value stays."""
    epochs = max(int(result["total_epochs"]) for result in results.values())
    short = sum(int(result["total_epochs"]) < epochs for result in results.values())
    curves = {name: np.empty((len(results), epochs)) for name in (*metrics, _SECONDS)}
    for row, result in enumerate(results.values()):
        for name, table in curves.items():
            curve = [_number(value) for value in result["metrics"][name]]
            if len(curve) != int(result["total_epochs"]):
                raise ValueError(f"{name} has {len(curve)} values in {result['total_epochs']=}")
            table[row] = curve + curve[-1:] * (epochs - len(curve))
    return curves, short


def _number(value: Any) -> float:
    """A number, also of a one-element tensor; `hh:mm:ss` in seconds."""
    if isinstance(value, str) and ":" in value:
        hours, minutes, seconds = value.split(":")
        return 3600.0 * float(hours) + 60.0 * float(minutes) + float(seconds)
    return float(value)


def _measured(curves: dict[str, Curves], task: str, mode: Mode, note: str) -> list[Column]:
    score, unit = SCORES[task]
    watched = curves[f"valid_{score}"]
    epochs = np.arange(watched.shape[1])[None, :]
    order = _best_so_far(watched) if mode == "best" else epochs
    columns = []
    for name, curve in curves.items():
        prefix, _, kind = name.partition("_")
        metric = _metric(prefix, kind, name, score, unit)
        values = np.take_along_axis(curve, np.broadcast_to(order, curve.shape), axis=1)
        columns.append(Column(metric, values, ("fidelity",), _PARTS.get(prefix, ""), note))
    return columns


def _metric(prefix: str, kind: str, name: str, score: str, unit: str) -> Metric:
    if kind == score:
        return Metric(f"{_PARTS[prefix]}_score", "max", unit)
    return Metric(name, "min" if kind.endswith("loss") and kind != "neg_loss" else "max")


def _best_so_far(scores: Curves) -> npt.NDArray[np.int64]:
    """(rows, epochs): the first epoch of the highest score up to each epoch."""
    highest = np.maximum.accumulate(np.nan_to_num(scores, nan=-np.inf), axis=1)
    better = np.ones_like(scores, dtype=bool)
    better[:, 1:] = highest[:, 1:] > highest[:, :-1]
    places = np.where(better, np.arange(scores.shape[1]), 0)
    return np.asarray(np.maximum.accumulate(places, axis=1), dtype=np.int64)


def _infos(names: Sequence[str], results: Mapping[str, Mapping[str, Any]]) -> list[Column]:
    return [
        Column(
            Metric(name, "min"),
            np.array([float(result["model_info"][name]) for result in results.values()]),
            note="unit as recorded by the authors",
        )
        for name in names
    ]


def _note(mode: Mode, short: int) -> str:
    shown = {
        "final": "after the last epoch trained",
        "best": "of the epoch with the best validation score so far",
    }[mode]
    return shown + (f"; {short} rows have fewer epochs and keep their last value" if short else "")


def read_suite(paths: Sequence[Path], task: str, *, space: Literal["micro", "macro"]) -> Table:
    """Validation scores and parameters out of the files of NAS-Bench-Suite-Zero.

    Raises:
        TableError: a file is malformed, or has nothing of the task.
    """
    suite = suite_zero.read(paths, f"transbench101_{space}/{task}")
    score = suite.columns["val_accuracy"]
    if np.isnan(score.values).any():
        raise TableError(f"{suite.source}: rows of {task} lack their val_accuracy.")
    columns = {
        "validation_score": Column(
            Metric("validation_score", "max", SCORES[task][1]), score.values, part="validation",
            note="best epoch (files of June 2022 and later) or last (May 2022)",
        )
    }  # fmt: skip
    if "params" in suite.columns:
        columns["params"] = suite.columns["params"]
    return Table(f"transbench101_{space}/{task}", suite.keys, columns, source=suite.source)


def sources(space: Literal["micro", "macro"]) -> tuple[Source, ...]:
    """The layouts of one of the two benchmarks, the official one first."""

    def official(paths: Sequence[Path], task: str, *, mode: Mode = "final") -> Table:
        return read_official(paths, task, space=space, mode=mode)

    def suite(paths: Sequence[Path], task: str) -> Table:
        return read_suite(paths, task, space=space)

    file = File(
        "transnas-bench_v10141024.pth", origin="Noah's Ark Lab, VEGA; yawen-d/TransNASBench"
    )
    return (
        Source("official file", TASKONOMY, (file,), official, "see its authors"),
        *suite_zero.space_sources(f"transbench101_{space}", suite, TASKONOMY),
    )
