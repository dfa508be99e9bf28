"""NAS-Bench-101: 423,624 cells on CIFAR-10, trained three times at 4, 12, 36 and 108 epochs.

    table = tables.open("nasbench101", path=..., cache=...)
    table.value(table.row(key_of("00005c142e6f48ac74fdcf73e3439874")), "test_error")

Keys are integers made of the published module hash (`automl_nas.tables.modules101`). Each number
of epochs is a training of its own (`continues` is False). Source: Ying et al., ICML 2019
(arXiv:1902.09635). Layouts:

- `TFRecord, all epochs` and `TFRecord, 108 epochs`: everything, read without TensorFlow. About
  30 us a record, 5 or 1.3 million records: use `cache`. `check="all"` compares every checksum.
- `NASLib pickle`: 108 epochs, three runs.
- `collected means`: all cells, mean test error of three runs at 108 epochs, and parameters.
- `collected sample`: the first 20,001 hashes, validation error of one run at four budgets, seconds.

The task `ec_nas_4v` is EC-NAS (Bakhtiarifard et al. 2022, arXiv:2210.06015): the 91 cells of up to
four vertices, trained anew, with the energy of training.

| column | part | |
|---|---|---|
| `validation_error`, `test_error`, `train_error` | | 100 - accuracy, percent, at the end |
| `halfway_validation_error` and so on | | after half of the epochs |
| `training_seconds`, `halfway_training_seconds` | | on a TPU v2; EC-NAS on a GPU |
| `params` | | weights |
"""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from automl_nas.tables import caching
from automl_nas.tables.modules101 import SHARED, key_of, module_hash, unpacked
from automl_nas.tables.safe import load_pickle, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Array, Axis, Column, Part, Table
from automl_nas.tables.text import numbers, read_csv
from automl_nas.tables.tfrecord import message, records
from automl_nas.types import Fidelity, Metric

EPOCHS = (4, 12, 36, 108)
_RUNS = 3
_QUANTITIES = ("training_seconds", "train_error", "validation_error", "test_error")
"""In the order of the official fields 2 to 5; accuracies are fractions there."""
_PARTS: Mapping[str, Part] = {
    "train_error": "train",
    "validation_error": "validation",
    "test_error": "test",
}
_ENERGY = "energy_kwh"
Paths = Sequence[Path]


@dataclass
class _Runs:
    """Trainings as they come: cell, epochs, numbers."""

    rows: dict[int, int] = field(default_factory=dict)
    """Key -> row."""
    params: dict[int, int] = field(default_factory=dict)
    row: array[int] = field(default_factory=lambda: array("l"))
    epochs: array[int] = field(default_factory=lambda: array("l"))
    values: array[float] = field(default_factory=lambda: array("f"))
    """Of each training: `_QUANTITIES` halfway and at the end, then the energy or NaN."""

    def add(self, name: str, epochs: int, params: int, values: Iterable[float]) -> None:
        """One training."""
        row = self.rows.setdefault(key_of(name), len(self.rows))
        self.params[row] = params
        self.row.append(row)
        self.epochs.append(epochs)
        self.values.extend(values)

    def table(self, name: str, source: str) -> Table:
        """Everything as columns; the repeats of a cell are numbered as they came."""
        row, epochs = np.array(self.row), np.array(self.epochs)
        amounts = tuple(sorted(set(epochs.tolist())))
        place = np.searchsorted(amounts, epochs)
        repeat = _repeats(row * len(amounts) + place)
        values = np.array(self.values, dtype=np.float32).reshape(len(row), -1)
        shape = (len(self.rows), len(amounts), int(repeat.max(initial=0)) + 1)
        columns = [Column(Metric("params"), _in_order(self.params))]
        for i, (quantity, halfway) in enumerate(_names()):
            if not np.isnan(values[:, i]).all():
                dense = np.full(shape, np.nan, dtype=np.float32)
                dense[row, place, repeat] = values[:, i]
                columns.append(_column(quantity, dense, halfway=halfway))
        return Table(
            name,
            np.array(list(self.rows), dtype=np.int64),
            {column.metric.name: column for column in columns},
            Fidelity("epochs", amounts[-1]),
            amounts,
            tuple(range(shape[2])),
            source=source,
        )


def _names() -> Iterator[tuple[str, bool]]:
    """What the numbers of a training are: quantity, whether halfway."""
    yield from ((quantity, True) for quantity in _QUANTITIES)
    yield from ((quantity, False) for quantity in _QUANTITIES)
    yield _ENERGY, False


def _column(quantity: str, values: Array, *, halfway: bool) -> Column:
    name = f"halfway_{quantity}" if halfway else quantity
    unit = "s" if "seconds" in quantity else "kWh" if quantity == _ENERGY else "%"
    axes: tuple[Axis, ...] = ("fidelity", "seed")
    note = "after half of the epochs of this training" if halfway else ""
    return Column(Metric(name, unit=unit), values, axes, _PARTS.get(quantity, ""), note)


def _repeats(group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each entry how many of the same group came before."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]]
    counts = np.arange(len(group)) - np.maximum.accumulate(
        np.where(starts, np.arange(len(group)), 0)
    )
    result = np.empty_like(counts)
    result[order] = counts
    return result


def _in_order(numbers_: Mapping[int, int]) -> npt.NDArray[np.int64]:
    return np.array([numbers_[row] for row in range(len(numbers_))], dtype=np.int64)


def _read_tfrecord(
    paths: Paths,
    task: str,
    *,
    cache: str | Path | None = None,
    check: Literal["lengths", "all"] = "lengths",
) -> Table:
    path = paths[0]

    def read() -> Table:
        runs = _Runs()
        for data in records(path, check=check):
            with reading(path, "a TFRecord file of NAS-Bench-101"):
                name, epochs, _, _, encoded = json.loads(data)
                params, values = _metrics(base64.b64decode(encoded), task)
                runs.add(name, epochs, params, values)
        return runs.table(f"nasbench101/{task}", path.name)

    return caching.kept(cache, f"nasbench101-{path.stem}", caching.stamp([path]), read)


def _metrics(data: bytes, task: str) -> tuple[int, list[float]]:
    """Parameters, and the numbers of one training from an official `ModelMetrics`."""
    points: list[dict[int, Any]] = []
    params = 0
    for number, value in message(data):
        if number == 1 and isinstance(value, bytes):
            points.append(dict(message(value)))
        elif number == 2 and isinstance(value, int):
            params = value
    halfway, final = points[-2:]
    energy = final[6] if task != "cifar10" else np.nan  # there, field 6 is a text
    return params, [*_percent(halfway), *_percent(final), energy]


def _percent(point: Mapping[int, float]) -> list[float]:
    return [point[2], *(100 * (1 - point[i]) for i in (3, 4, 5))]


def _read_naslib(paths: Paths, task: str, *, cache: str | Path | None = None) -> Table:
    path = paths[0]
    keys = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")

    def read() -> Table:
        content = load_pickle(path)
        runs = _Runs()
        with reading(path, "NASLib's records of NAS-Bench-101"):
            for name, (fixed, computed) in content.items():
                for epochs, repeats in computed.items():
                    for run in repeats:
                        numbers_ = [
                            run[f"{when}_{key}"] for when in ("halfway", "final") for key in keys
                        ]
                        half, final = (dict(enumerate(p, 2)) for p in (numbers_[:4], numbers_[4:]))
                        values = [*_percent(half), *_percent(final), np.nan]
                        runs.add(name, epochs, fixed["trainable_parameters"], values)
        return runs.table(f"nasbench101/{task}", path.name)

    return caching.kept(cache, f"nasbench101-{path.stem}", caching.stamp([path]), read)


def _read_means(paths: Paths, task: str) -> Table:
    with (
        reading(paths[0], "the collected means of NAS-Bench-101"),
        paths[0].open("rb") as raw,
        np.load(raw) as file,
    ):
        content = {name: file[name] for name in file.files}
        keys = _keys(content)
        errors = 100 - content["test_acc_108_x29952"] / 299.52
        params = content["params"]
    note = "mean of three runs"
    columns = {
        "test_error": Column(Metric("test_error", unit="%"), errors, (), "test", note),
        "params": Column(Metric("params"), params),
    }
    return Table(f"nasbench101/{task}", keys, columns, source=f"{paths[0].name}, 108 epochs")


def _keys(content: Mapping[str, Array]) -> npt.NDArray[np.int64]:
    """From the first four bytes of the hashes; the few that share them are hashed."""
    first = content["hash32"].astype(np.int64)
    keys = first << 31
    for row in np.flatnonzero(np.isin(first, list(SHARED))).tolist():
        matrix, labels = unpacked(
            int(content["n_vertices"][row]),
            int(content["adjacency_bits"][row]),
            content["ops"][row].tolist(),
        )
        keys[row] = key_of(module_hash(matrix, labels))
    return keys


def _read_sample(paths: Paths, task: str) -> Table:
    content = read_csv(paths[0], ("hash", "params", "training_time_s", "test_acc_108"))
    with reading(paths[0], "the collected sample of NAS-Bench-101"):
        keys = np.array([key_of(name) for name in content["hash"]], dtype=np.int64)
        by_epochs = [numbers(content[f"val_acc_{epochs}"]) for epochs in EPOCHS]
    validation = 100 * (1 - np.stack(by_epochs, axis=1))
    test = np.full_like(validation, np.nan)
    test[:, -1] = 100 * (1 - numbers(content["test_acc_108"]))
    columns = [
        Column(Metric("validation_error", unit="%"), validation, ("fidelity",), "validation",
               "one of the three runs, not known which"),
        Column(Metric("test_error", unit="%"), test, ("fidelity",), "test", "mean of three runs"),
        Column(Metric("training_seconds", unit="s"), numbers(content["training_time_s"]),
               note="108 epochs"),
        Column(Metric("params"), numbers(content["params"])),
    ]  # fmt: skip
    return Table(
        f"nasbench101/{task}",
        keys,
        {column.metric.name: column for column in columns},
        Fidelity("epochs", EPOCHS[-1]),
        EPOCHS,
        source=f"{paths[0].name}, {len(keys)} cells",
    )


def cells(path: Path) -> Iterator[tuple[str, tuple[tuple[int, ...], ...], tuple[int, ...]]]:
    """(module hash, matrix, labels) of every cell of the collected means, in their order.

    About 0.1 ms a cell.

    Raises:
        TableError: the file is damaged.
    """
    with (
        reading(path, "the collected means of NAS-Bench-101"),
        path.open("rb") as raw,
        np.load(raw) as file,
    ):
        sizes, bits, digits = file["n_vertices"], file["adjacency_bits"], file["ops"]
    for size, adjacency, operations in zip(
        sizes.tolist(), bits.tolist(), digits.tolist(), strict=True
    ):
        matrix, labels = unpacked(size, adjacency, operations)
        yield module_hash(matrix, labels), matrix, labels


def _official(name: str, size: str, sha256: str) -> File:
    return File(name, sha256=sha256, origin=f"google-research/nasbench, about {size}")


_CIFAR10 = ("cifar10",)
SOURCES = (
    Source(
        "TFRecord, all epochs",
        _CIFAR10,
        (_official("nasbench_full.tfrecord", "1.95 GB",
                   "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c"),),
        _read_tfrecord,
        "Apache-2.0",
    ),
    Source(
        "TFRecord, 108 epochs",
        _CIFAR10,
        (_official("nasbench_only108.tfrecord", "499 MB",
                   "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1"),),
        _read_tfrecord,
        "Apache-2.0",
    ),
    Source("NASLib pickle", _CIFAR10,
           (File("nasbench_only108.pkl", origin="automl/NASLib, Google Drive"),),
           _read_naslib, "Apache-2.0"),
    Source("collected means", _CIFAR10,
           (File("nb101_full.npz", origin="collected from public repositories"),),
           _read_means, "Apache-2.0"),
    Source(
        "collected sample",
        _CIFAR10,
        (File("nb101_20k_multifidelity_nolicence.csv.gz",
              origin="tiga1231/nasbench-vis; no licence given"),),
        _read_sample,
        "Apache-2.0",
    ),
    Source("EC-NAS TFRecord", ("ec_nas_4v",),
           (File("energy_4V9E.tfrecord", origin="saintslab/EC-NAS-Bench"),),
           _read_tfrecord, "MIT"),
)  # fmt: skip
