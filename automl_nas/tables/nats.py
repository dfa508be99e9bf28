"""Folders of NATS-Bench: one compressed pickle for each architecture, all seeds and epochs.

    table = read_folder(folder, "cifar100", recipe="200", name="nasbench201/cifar100")

Source: Dong, Liu, Musial and Gabrys, "NATS-Bench", TPAMI 2021 (arXiv:2009.00437); the archives
`NATS-{tss,sss}-*-simple`. A file holds, for each recipe (`12` and `200` epochs; `01`, `12` and
`90` for sizes), the runs `(data set, seed)`. What becomes of them:

| column | of |
|---|---|
| `validation_error` | x-valid; for cifar10 the run `cifar10-valid`, which trains on half of the data |
| `test_error` | x-test of the same run; for cifar10 ori-test of the run `cifar10`, trained on all |
| `search_test_error` | the test set and the run that `validation_error` is of |
| `whole_test_error` | cifar100 and ImageNet16-120: ori-test, that is x-valid and x-test together; at 200 epochs the only curve that was recorded |
| `train_error`, `training_seconds`, `validation_seconds` | of the run that `validation_error` is of |
| `params`, `flops`, `latency_seconds` | of the network |

Errors are 100 - top-1 accuracy in percent. Epochs that were not recorded, and seeds that an
architecture was not trained with, are NaN. One file takes about 20 ms: use `workers` and `cache`.
"""  # noqa: E501

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_nas.errors import TableError, UnknownName
from automl_nas.tables import caching
from automl_nas.tables.safe import load_pickle, reading
from automl_nas.tables.table import Axis, Column, Part, Table
from automl_nas.types import Fidelity, Metric

TASKS = ("cifar10", "cifar100", "ImageNet16-120")
Curve = npt.NDArray[np.float32]
_ERRORS: dict[str, tuple[Part, str]] = {
    "validation_error": ("validation", "x-valid"),
    "test_error": ("test", "x-test; cifar10: ori-test, trained on training and validation data"),
    "search_test_error": ("test", "test error of the run whose validation error is searched on"),
    "whole_test_error": ("test", "x-valid and x-test together: not independent of validation"),
    "train_error": ("train", "mean over the epoch, while it trains"),
}  # fmt: skip
_SECONDS = {
    "training_seconds": "up to the epoch, without evaluation; one GTX 1080 Ti",
    "validation_seconds": "one evaluation on x-valid",
}
_CONSTANTS = {
    "params": ("", "number of weights"),
    "flops": ("M", "a multiplication with its addition counts once, as published"),
    "latency_seconds": ("s", "one batch, GTX 1080 Ti, as published"),
}


@dataclass(frozen=True)
class _Cell:
    """What one file says of one task and recipe."""

    arch: str
    index: int
    curves: Mapping[str, Mapping[int, Curve]]
    """Column -> seed -> (epochs,)."""
    constants: tuple[float, ...]
    """In the order of `_CONSTANTS`."""


def read_folder(
    folder: Path,
    task: str,
    *,
    recipe: str,
    recipes: Mapping[str, int],
    name: str,
    cache: str | Path | None = None,
    workers: int = 1,
) -> tuple[Table, npt.NDArray[np.int64]]:
    """The table of the architectures that are there, and their official indices, ascending.

    Args:
        folder: with `000000.pickle.pbz2` and so on.
        task: one of `TASKS`.
        recipe: the training recipe.
        recipes: recipe -> its epochs.
        name: of the table.
        cache: folder in which to keep the table for the next time; None: it is not kept.
        workers: processes; a script that uses several needs the usual `__main__` guard.

    Raises:
        UnknownName: there is no such recipe.
        TableError: a file is malformed.
    """
    if recipe not in recipes:
        raise UnknownName(f"recipe of {name}", recipe, recipes)
    files = cell_files(folder)
    jobs = [(path, task, recipe, recipes[recipe]) for path in files]
    indices = np.array([int(path.name.split(".")[0]) for path in files], dtype=np.int64)

    def read() -> Table:
        return _table(list(_cells(jobs, workers)), name, recipes[recipe], folder.name)

    described = caching.stamp(files) if cache is not None else ""
    return caching.kept(cache, f"{name.replace('/', '-')}-{recipe}", described, read), indices


def cell_files(folder: Path) -> list[Path]:
    """The files of architectures, by index."""
    return sorted(folder.glob("[0-9]*.pickle.pbz2"))


def _cells(jobs: Sequence[tuple[Path, str, str, int]], workers: int) -> Iterator[_Cell]:
    if workers == 1:
        yield from itertools.starmap(_cell, jobs)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_cell, *zip(*jobs, strict=True), chunksize=64)


def _cell(path: Path, task: str, recipe: str, epochs: int) -> _Cell:
    content = load_pickle(path)
    with reading(path, f"a record of NATS-Bench with {task} and the recipe {recipe}"):
        record = content[recipe]
        runs: Mapping[tuple[str, int], Any] = record["all_results"]
        search = "cifar10-valid" if task == "cifar10" else task
        seeds = [seed for name, seed in runs if name == search]
        curves: dict[str, dict[int, Curve]] = {}
        for seed in seeds:
            for column, curve in _search_run(runs[search, seed], task, epochs):
                curves.setdefault(column, {})[seed] = curve
        for (name, seed), run in runs.items():
            if name == task == "cifar10":
                curve = 100 - _curve(run["eval_acc1es"], "ori-test@", epochs)
                curves.setdefault("test_error", {})[seed] = curve
        run = runs[search, seeds[0]]
        constants = (round(run["params"] * 1e6), run["flop"], float(np.mean(run["latency"])))
        return _Cell(record["arch_str"], record["arch_index"], curves, constants)


def _search_run(run: Mapping[str, Any], task: str, epochs: int) -> Iterator[tuple[str, Curve]]:
    """The curves of a run that a search looks at."""
    accuracies = run["eval_acc1es"]
    yield "validation_error", 100 - _curve(accuracies, "x-valid@", epochs)
    if task == "cifar10":
        yield "search_test_error", 100 - _curve(accuracies, "ori-test@", epochs)
    else:
        test = 100 - _curve(accuracies, "x-test@", epochs)
        yield from (("test_error", test), ("search_test_error", test))
        yield "whole_test_error", 100 - _curve(accuracies, "ori-test@", epochs)
    yield "train_error", 100 - _curve(run["train_acc1es"], "", epochs)
    seconds = _curve(run["train_times"], "", epochs).astype(np.float64)
    yield "training_seconds", np.cumsum(seconds).astype(np.float32)
    yield "validation_seconds", _curve(run["eval_times"], "x-valid@", epochs)


def _curve(points: Mapping[Any, float], prefix: str, epochs: int) -> Curve:
    """(epochs,) the points named `<prefix><epoch>`, or by the epoch alone; NaN: not recorded."""
    names = [f"{prefix}{epoch}" for epoch in range(epochs)] if prefix else range(epochs)
    return np.array([points.get(name, np.nan) for name in names], dtype=np.float32)


def _table(cells: Sequence[_Cell], name: str, epochs: int, source: str) -> Table:
    if not cells:
        raise TableError(f"{source} has no files such as 000000.pickle.pbz2: unpack the archive.")
    seeds = tuple(sorted({s for cell in cells for runs in cell.curves.values() for s in runs}))
    columns = [
        _column(cells, column, epochs, seeds)
        for column in (*_ERRORS, *_SECONDS)
        if column in cells[0].curves
    ]
    constants = np.array([cell.constants for cell in cells])
    columns += [
        Column(Metric(column, unit=unit), constants[:, i], note=note)
        for i, (column, (unit, note)) in enumerate(_CONSTANTS.items())
    ]
    return Table(
        name,
        np.array([cell.arch for cell in cells]),
        {column.metric.name: column for column in columns},
        Fidelity("epochs", epochs),
        tuple(range(1, epochs + 1)),
        seeds,
        continues=True,
        source=f"{source}, {len(cells)} architectures, recipe of {epochs} epochs",
    )


def _column(cells: Sequence[_Cell], name: str, epochs: int, seeds: tuple[int, ...]) -> Column:
    values = np.full((len(cells), epochs, len(seeds)), np.nan, dtype=np.float32)
    for row, cell in enumerate(cells):
        for seed, curve in cell.curves[name].items():
            values[row, :, seeds.index(seed)] = curve
    axes: tuple[Axis, ...] = ("fidelity", "seed")
    if name in _ERRORS:
        part, note = _ERRORS[name]
        return Column(Metric(name, unit="%"), values, axes, part, note)
    return Column(Metric(name, unit="s"), values, axes, note=_SECONDS[name])
