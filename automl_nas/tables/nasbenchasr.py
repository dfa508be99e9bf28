"""NAS-Bench-ASR: 8,242 cells of convolutions over speech, phoneme errors on TIMIT.

    table = tables.open("nasbenchasr", path="~/benchmarks")      # 40 epochs, three seeds
    table = tables.open("nasbenchasr", "timit-e10", ...)         # 10 or 5 epochs, one seed

A file is two pickles in a row: a header {dataset_type, version, search_space, epochs, seed or
device, columns}, and a list of rows in the order of its columns. Rows are known by the published
hash of their graph, see `spaces.nasbenchasr.graph_hash`.

Errors are phoneme error rates in percent (files have fractions): lower is better. (NASLib returns
them as accuracies.) The test error belongs to the epoch of the lowest validation error, also of the
mean over seeds. No file has training times, so that nothing is charged but evaluations.

The authors' repository and release were reported gone in August 2026: this reader was written from
their format and never met their files.

Source: Mehrotra et al., ICLR 2021 (openreview CU0APx9LMaL); SamsungLabs/nb-asr, release v1.1.0.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_nas.errors import TableError
from automl_nas.tables.safe import load_pickle, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Array, Axis, Column, Table
from automl_nas.types import Fidelity, Metric

OPERATIONS = ("linear", "conv5", "conv5d2", "conv7", "conv7d2", "zero")
"""The published order."""
SHAPE = [[6, 2], [6, 2, 2], [6, 2, 2, 2]]
"""Choices of a code: one operation for each node, then skips into what follows it."""
DEVICES = ("gtx-1080ti-fp32", "jetson-nano-fp32")
SEEDS = (1234, 1235, 1236)
Rows = Mapping[str, Mapping[str, Any]]
"""Hash -> column -> value."""


def _load(path: Path, kind: str) -> tuple[Mapping[str, Any], Rows]:
    """The header and the rows of one file, checked for being of the kind and of this space."""
    header, data = load_pickle(path, count=2)
    with reading(path, f"a file of NAS-Bench-ASR with {kind} data"):
        if header["dataset_type"] != kind:
            raise ValueError(f"its dataset_type is {header['dataset_type']!r}")
        space = header["search_space"]
        if [list(node) for node in space["shape"]] != SHAPE or tuple(space["ops"]) != OPERATIONS:
            raise ValueError(f"its search space is {space}, expected {SHAPE} over {OPERATIONS}")
        names = list(header["columns"])
        rows = {str(row[0]): dict(zip(names, row, strict=True)) for row in data}
        if names[0] != "model_hash" or len(rows) < len(data) or not rows:
            raise ValueError("expected columns from model_hash on and rows of different models")
    return header, rows


def _values(path: Path, rows: Rows, keys: Sequence[str], name: str) -> Array:
    """One column as floats, in the order of the keys.

    Raises:
        TableError: it is missing, ragged or lacks one of the keys.
    """
    with reading(path, f"a file of NAS-Bench-ASR with the column {name}"):
        return np.array([rows[key][name] for key in keys], dtype=np.float64)


def _read(paths: Sequence[Path], task: str, *, seeds: int) -> Table:
    """`seeds` files of trainings, then perhaps the static file, then one for each device."""
    trainings = sorted(
        ((*_load(path, "training"), path) for path in paths[:seeds]),
        key=lambda loaded: int(loaded[0]["seed"]),
    )
    keys = sorted(trainings[0][1])
    epochs = _epochs(trainings, len(keys))
    stacked = {
        name: np.stack([_values(path, rows, keys, name) for _, rows, path in trainings], axis=-1)
        for name in ("val_per", "test_per")
    }
    if stacked["val_per"].shape[1:] != (epochs, seeds) or stacked["test_per"].ndim != 2:
        raise TableError(f"{paths[0]}: expected {epochs} validation errors for each model.")
    columns = [
        _error("validation_error", "validation", stacked["val_per"], ("fidelity", "seed"),
               "phoneme error rate at the end of each epoch"),
        _error("best_validation_error", "validation",
               np.minimum.accumulate(stacked["val_per"], axis=1), ("fidelity", "seed"),
               "the lowest phoneme error rate up to each epoch"),
        _error("test_error", "test", stacked["test_per"], ("seed",),
               "phoneme error rate at the epoch of the lowest validation error"),
        *_static(paths[seeds:], keys),
    ]  # fmt: skip
    return Table(
        f"nasbenchasr/{task}",
        np.array(keys),
        {column.metric.name: column for column in columns},
        Fidelity("epochs", epochs),
        tuple(range(1, epochs + 1)),
        tuple(int(header["seed"]) for header, _, _ in trainings),
        source=", ".join(path.name for path in paths),
    )


def _epochs(trainings: Sequence[tuple[Mapping[str, Any], Rows, Path]], models: int) -> int:
    header, _, first = trainings[0]
    for other, rows, path in trainings[1:]:
        if other["epochs"] != header["epochs"] or len(rows) != models:
            raise TableError(
                f"{path} has {len(rows)} models of {other['epochs']} epochs, {first.name} has "
                f"{models} of {header['epochs']}: expected files of one setting."
            )
    return int(header["epochs"])


def _error(name: str, part: Any, values: Array, axes: tuple[Axis, ...], note: str) -> Column:
    return Column(Metric(name, unit="%"), values, axes, part, note, scale=100.0)


def _static(paths: Sequence[Path], keys: Sequence[str]) -> list[Column]:
    """Parameters, FLOPs where the file's version has them, and latencies."""
    columns = []
    for path in paths[:1]:
        header, rows = _load(path, "static")
        for column, name in (("params", "parameters"), ("flops", "flops")):
            if column in header["columns"]:
                columns.append(Column(Metric(name), _values(path, rows, keys, column)))
    for path in paths[1:]:
        header, rows = _load(path, "benchmarking")
        metric = Metric(f"latency_{header['device']}", unit="s")
        columns.append(Column(metric, _values(path, rows, keys, "latency")))
    return columns


def _files(*names: str) -> tuple[File, ...]:
    return tuple(
        File(f"nb-asr-{name}.pickle", origin="SamsungLabs/nb-asr v1.1.0") for name in names
    )


def _sources() -> tuple[Source, ...]:
    found = []
    devices = tuple(f"bench-{device}" for device in DEVICES)
    extras = (("info", *devices), ("info",), ())
    for epochs, seeds in ((40, SEEDS), (10, SEEDS[:1]), (5, SEEDS[:1])):
        trainings = tuple(f"e{epochs}-{seed}" for seed in seeds)
        read = functools.partial(_read, seeds=len(seeds))
        task = "timit" if epochs == 40 else f"timit-e{epochs}"
        for extra in extras:
            what = "trainings" + (" and parameters" if extra else "")
            what += ", latencies" if len(extra) > 1 else ""
            found.append(Source(what, (task,), _files(*trainings, *extra), read))
    return tuple(found)


SOURCES = _sources()
