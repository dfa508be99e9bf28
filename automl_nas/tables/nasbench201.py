"""NAS-Bench-201, the topology space of NATS-Bench: 15,625 cells on three data sets.

    table = tables.open("nasbench201", "cifar100", path=..., recipe="200", cache=...)
    table.value(table.row("|nor_conv_3x3~0|+|..."), "validation_error", seed=777)

Keys are the official strings. Source: Dong and Yang, ICLR 2020 (arXiv:2001.00326). Layouts:

- `NATS-Bench simple folder`: everything there is, see `automl_nas.tables.nats`. Options `recipe`
  ("200" or "12" epochs), `cache`, `workers`.
- `NASLib pickle`: one seed with its curves. What NASLib calls validation accuracy there is a test
  accuracy (seed 888; CIFAR-10: of the run trained on half of the data), so it becomes
  `search_test_error`.
- `collected means` and `collected test means`: a file gathered from public repositories, means over
  seeds at 200 epochs, and the 12-epoch recipe, which is a training of its own (`continues` is
  False). Without the second file the validation error of cifar100 and ImageNet16-120 is known at
  12 epochs only.

Latencies of HELP and HW-NAS-Bench are joined where their files are found, unless
`hardware=()`; see `automl_nas.tables.hwnasbench`.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from automl_nas.tables import nats
from automl_nas.tables.hwnasbench import HELP, HW_NAS_BENCH, help_columns, hw_columns
from automl_nas.tables.safe import load_pickle, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Array, Axis, Column, Part, Table
from automl_nas.tables.text import joined, numbers, read_csv, read_numbers
from automl_nas.types import Fidelity, Metric

CELLS = 15_625
RECIPES = {"200": 200, "12": 12}
"""Recipe -> its epochs."""
_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_SHUFFLE_SEED = 88
"""Seed of the shuffle that numbered the official table."""
_LICENCE = "MIT"
Paths = Sequence[Path | None]
Hardware = Sequence[Literal["help", "hw-nas-bench"]]
BOTH: Hardware = ("help", "hw-nas-bench")


@functools.lru_cache(maxsize=1)
def arch_strings() -> tuple[str, ...]:
    """The official strings in the order of the official indices."""
    cells = list(itertools.product(_OPERATIONS, repeat=6))
    random.Random(_SHUFFLE_SEED).shuffle(cells)
    return tuple("|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*cell) for cell in cells)


def _read_folder(
    paths: Paths,
    task: str,
    *,
    recipe: str = "200",
    cache: str | Path | None = None,
    workers: int = 1,
    hardware: Hardware = BOTH,
) -> Table:
    folder = _given(paths[0]).parent
    table, indices = nats.read_folder(
        folder,
        task,
        recipe=recipe,
        recipes=RECIPES,
        name=f"nasbench201/{task}",
        cache=cache,
        workers=workers,
    )
    return _with_hardware(table, indices, task, paths[1:], hardware)


def _read_naslib(paths: Paths, task: str, *, hardware: Hardware = BOTH) -> Table:
    path = _given(paths[0])
    content: Mapping[str, Any] = load_pickle(path)
    name = "cifar10-valid" if task == "cifar10" else task
    with reading(path, f"NASLib's records of NAS-Bench-201 with {name}"):
        runs = {arch: of_task[name] for arch, of_task in content.items()}
        curves = {key: _curves(runs, key) for key in ("eval_acc1es", "train_acc1es")}
        costs = [run["cost_info"] for run in runs.values()]
        constants = {
            "training_seconds": ("s", [cost["train_time"] for cost in costs]),
            "params": ("", [round(cost["params"] * 1e6) for cost in costs]),
            "flops": ("M", [cost["flops"] for cost in costs]),
            "latency_seconds": ("s", [float(np.mean(cost["latency"])) for cost in costs]),
        }
    epochs = curves["eval_acc1es"].shape[1]
    columns = [
        _errors("search_test_error", curves["eval_acc1es"], "test", "NASLib's validation accuracy"),
        _errors("train_error", curves["train_acc1es"], "train", "mean over the epoch"),
        *(Column(Metric(name, unit=unit), np.array(v)) for name, (unit, v) in constants.items()),
    ]
    table = Table(
        f"nasbench201/{task}",
        np.array(list(runs)),
        {column.metric.name: column for column in columns},
        Fidelity("epochs", epochs),
        tuple(range(1, epochs + 1)),
        continues=True,
        source=f"{path.name}, one seed (888)",
    )
    return _with_hardware(table, _indices(table.keys), task, paths[1:], hardware)


def _curves(runs: Mapping[str, Any], key: str) -> npt.NDArray[np.float32]:
    """(rows, epochs) errors in percent."""
    return 100 - np.array([run[key] for run in runs.values()], dtype=np.float32)


def _errors(name: str, values: Array, part: Part, note: str) -> Column:
    axes: tuple[Axis, ...] = ("fidelity",) if values.ndim == 2 else ()
    return Column(Metric(name, unit="%"), values, axes, part, note)


def _read_collected(
    paths: Paths, task: str, *, means: Path | None = None, hardware: Hardware = BOTH
) -> Table:
    needed = ("index", "arch_str", f"{task}.test_acc_200")
    content = read_csv(_given(paths[0]), needed, lambda name: name.startswith(f"{task}."))
    unknown = np.full(len(content["index"]), np.nan)

    def error(name: str) -> npt.NDArray[np.float64]:
        cells = content.get(f"{task}.{name}")
        return unknown if cells is None else 100 - numbers(cells)

    indices = numbers(content["index"]).astype(np.int64)
    validation = error("val_acc_200") if means is None else _validation(means, task, indices)
    seed = "of one seed, which one was not recorded"
    columns = [
        _errors("validation_error", _stack(error("val_acc_12"), validation), "validation",
                "x-valid, mean over seeds; 12 epochs: the recipe of 12 epochs"),
        _errors("test_error", _stack(error("test_acc_12"), error("test_acc_200")), "test",
                "mean over seeds; 12 epochs: the recipe of 12 epochs"),
        _errors("search_test_error", _stack(unknown, error("naslib_acc_200")), "test",
                "NASLib's validation accuracy: a test accuracy, seed 888"),
        _errors("seed_train_error", _stack(unknown, error("seed_train_acc_200")), "train", seed),
        _errors("seed_test_error", _stack(unknown, error("seed_test_acc_200")), "test", seed),
        Column(Metric("params"), np.round(1e6 * numbers(content[f"{task}.params_m"]))),
        Column(Metric("latency_seconds", unit="s"), numbers(content[f"{task}.latency_s"]),
               note="one batch, GTX 1080 Ti, as published"),
    ]  # fmt: skip
    table = Table(
        f"nasbench201/{task}",
        np.array(content["arch_str"]),
        {column.metric.name: column for column in columns},
        Fidelity("epochs", 200),
        (12, 200),
        source="nb201.csv.gz" + ("" if means is None else f" and {means.name}"),
    )
    return _with_hardware(table, indices, task, paths[1:], hardware)


def _read_collected_means(paths: Paths, task: str, *, hardware: Hardware = BOTH) -> Table:
    first, means, *extras = paths
    return _read_collected((first, *extras), task, means=_given(means), hardware=hardware)


def _validation(path: Path, task: str, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    name = f"{task}.val_acc_200_mean"
    content = read_numbers(path, ("index", name))
    return 100 - joined(content["index"], content[name], indices)


def _stack(*amounts: npt.NDArray[np.float64]) -> Array:
    """(rows, fidelities)."""
    return np.stack(amounts, axis=1)


def _with_hardware(
    table: Table, indices: npt.NDArray[np.int64], task: str, extras: Paths, hardware: Hardware
) -> Table:
    helps, measured = extras
    joined: list[Column] = []
    if helps is not None and "help" in hardware:
        joined += help_columns(helps, indices)
    if measured is not None and "hw-nas-bench" in hardware:
        joined += hw_columns(measured, task, indices)
    columns = {**table.columns, **{column.metric.name: column for column in joined}}
    return replace(table, columns=columns) if joined else table


def _indices(keys: Iterable[str]) -> npt.NDArray[np.int64]:
    number = {arch: index for index, arch in enumerate(arch_strings())}
    return np.array([number.get(str(key), -1) for key in keys], dtype=np.int64)


def _given(path: Path | None) -> Path:
    """A file that a source needs has been found before it is read."""
    assert path is not None
    return path


def _whole(paths: Sequence[Path]) -> bool:
    return len(nats.cell_files(paths[0].parent)) >= CELLS


def _naslib(task: str, name: str) -> Source:
    file = File(f"nb201_{name}_full_training.pickle", origin="automl/NASLib, Google Drive")
    return Source("NASLib pickle", (task,), (file,), _read_naslib, _LICENCE, (HELP, HW_NAS_BENCH))


_COLLECTED = File("nb201.csv.gz", origin="collected from public repositories")
_MEANS = File(
    "nb201_seedmeans_GENIUS_nolicence.csv.gz",
    origin="mingkai-zheng/GENIUS, means over seeds; no licence given",
)
SOURCES = (
    Source(
        "NATS-Bench simple folder",
        nats.TASKS,
        (File("NATS-tss-v1_0-3ffb9-simple/meta.pickle.pbz2",
              origin="D-X-Y/NATS-Bench, NATS-tss-v1_0-3ffb9-simple.tar, unpacked"),),
        _read_folder,
        _LICENCE,
        (HELP, HW_NAS_BENCH),
        _whole,
    ),
    Source("collected means", nats.TASKS, (_COLLECTED, _MEANS), _read_collected_means, _LICENCE,
           (HELP, HW_NAS_BENCH)),
    Source("collected test means", nats.TASKS, (_COLLECTED,), _read_collected, _LICENCE,
           (HELP, HW_NAS_BENCH)),
    _naslib("cifar10", "cifar10"),
    _naslib("cifar100", "cifar100"),
    _naslib("ImageNet16-120", "ImageNet16"),
)  # fmt: skip
