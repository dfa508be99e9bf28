"""NAS-Bench-301: DARTS networks trained on CIFAR-10; the trained ones, not the surrogate.

    table = tables.open("nasbench301", path="~/benchmarks")      # nb301_full_training.pickle
    table.row(key((((0, 3), (1, 3), ...), ((0, 2), ...))))       # the compact form

A key is text: sixteen pairs `input,operation`, normal cell first, two for each node and these in
ascending order of their inputs, so that one network has one key. Inputs count from 0; operations
are places in `OPERATIONS`.

Three layouts: NASLib's pickle of training curves (CIFAR-10); the tables of NAS-Bench-Suite-Zero
(CIFAR-10 and three more data sets, final errors of a sample); the same collected as csv. NASLib
answers a query for test accuracies with validation accuracies; here there is no such column, since
the file has none.

Sources: Zela et al., ICLR 2022 (arXiv:2008.09777); files of NASLib (automl/NASLib, Apache-2.0);
Krishnakumar et al., NeurIPS 2022 (arXiv:2210.03230).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_nas.errors import TableError
from automl_nas.tables.safe import literal, load_json, load_pickle, opened, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Column, Table
from automl_nas.types import Fidelity, Metric

OPERATIONS = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5",
    "dil_conv_3x3", "dil_conv_5x5",
)  # fmt: skip
"""The published order."""
NODES = 4
"""Inner nodes of a cell; node n of them, from 0, chooses among 2 + n inputs."""
Compact = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]
"""(normal cell, reduction cell), each eight pairs (input, operation), two for each node."""

_ERROR = Metric("validation_error", unit="%")
_SURROGATE = (
    "the final official table has measured errors; the pre-release of May 2022 has predictions of "
    "the XGBoost surrogate"
)


def key(compact: Any) -> str:
    """The table's key of a compact form, whatever the order of a node's two inputs.

    Raises:
        TableError: it is not two cells of eight pairs, or a node has an input or operation that
            there is not, or one input twice.
    """
    try:
        cells = [[(int(i), int(o)) for i, o in cell] for cell in compact]
    except (TypeError, ValueError) as error:
        raise TableError(f"expected two cells of pairs (input, operation), got {compact!r}.") from (
            error
        )
    if [len(cell) for cell in cells] != [2 * NODES, 2 * NODES]:
        raise TableError(f"expected two cells of {2 * NODES} pairs, got {compact!r}.")
    pairs: list[tuple[int, int]] = []
    for cell in cells:
        for node in range(NODES):
            pairs += _checked(sorted(cell[2 * node : 2 * node + 2]), node, compact)
    return " ".join(f"{source},{operation}" for source, operation in pairs)


def _checked(pair: list[tuple[int, int]], node: int, compact: Any) -> list[tuple[int, int]]:
    (first, one), (second, other) = pair
    if not 0 <= first < second < node + 2 or not {one, other} <= set(range(len(OPERATIONS))):
        raise TableError(
            f"node {node} has the inputs and operations {pair}: expected two different inputs "
            f"below {node + 2} and operations below {len(OPERATIONS)}, in {compact!r}."
        )
    return pair


def compact(text: str) -> Compact:
    """The compact form of a key, two pairs for each node in ascending order of their inputs.

    Raises:
        TableError: it is no key.
    """
    try:
        numbers = [tuple(map(int, pair.split(","))) for pair in text.split(" ")]
        pairs = [(i, o) for i, o in numbers]
    except ValueError as error:
        raise TableError(f"expected sixteen pairs 'input,operation', got {text!r}.") from error
    cells = (tuple(pairs[: 2 * NODES]), tuple(pairs[2 * NODES :]))
    if key(cells) != text:
        raise TableError(f"{text!r} is not a key: expected {key(cells)!r}.")
    return cells


def _key(path: Path, given: Any) -> str:
    """The key of a file's compact form, or a TableError that names the file."""
    try:
        return key(given)
    except TableError as error:
        raise TableError(f"{path}: {error}") from None


def _read_pickle(paths: Sequence[Path], task: str) -> Table:
    """{compact: {val_accuracies, train_losses: one value per epoch, runtime: seconds}}."""
    data = load_pickle(paths[0])
    with reading(paths[0], "a pickle of training curves by compact form"):
        keyed = {_key(paths[0], one): run for one, run in data.items()}
        runs = {one: keyed[one] for one in sorted(keyed)}
        if len(runs) < len(data):
            raise TableError(f"{paths[0]} has a network twice, with its inputs in another order.")
        curves = [np.asarray(run["val_accuracies"], dtype=np.float64) for run in runs.values()]
        losses = [np.asarray(run["train_losses"], dtype=np.float64) for run in runs.values()]
        seconds = np.array([float(run["runtime"]) for run in runs.values()])
        epochs = max(len(curve) for curve in curves)
        columns = (
            Column(_ERROR, 100.0 - _ended(curves, epochs), ("fidelity",), "validation",
                   _note(curves, epochs)),
            Column(Metric("train_loss"), _ended(losses, epochs), ("fidelity",), "train"),
            Column(Metric("training_seconds", unit="s"), seconds, note="of the whole training"),
        )  # fmt: skip
    return Table(
        f"nasbench301/{task}",
        np.array(list(runs)),
        {column.metric.name: column for column in columns},
        Fidelity("epochs", epochs),
        tuple(range(1, epochs + 1)),
        source="nb301_full_training.pickle of NASLib",
    )


def _ended(curves: list[Any], epochs: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(curves, epochs): each curve, then its last value as often as it takes.

    Raises:
        ValueError: a curve is empty or not one-dimensional.
    """
    if any(curve.ndim != 1 or len(curve) == 0 for curve in curves):
        raise ValueError("a curve is empty or no list of numbers")
    return np.stack([np.pad(curve, (0, epochs - len(curve)), mode="edge") for curve in curves])


def _note(curves: list[Any], epochs: int) -> str:
    short = sum(len(curve) < epochs for curve in curves)
    note = "at the end of each epoch, one training per network"
    return f"{note}; {short} shorter curves go on with their last value" if short else note


def _read_json(paths: Sequence[Path], task: str) -> Table:
    """{data set: {str(compact): {proxy: {score, time}, val_accuracy}}}."""
    data = load_json(paths[0])
    with reading(paths[0], "a table of NAS-Bench-Suite-Zero"):
        if task not in data:
            raise TableError(f"{paths[0]} has the data sets {sorted(data)}, not {task!r}.")
        rows = [
            (_key(paths[0], literal(arch, paths[0])), row["val_accuracy"], row.get("params"))
            for arch, row in data[task].items()
        ]
        return _finals(task, [(k, float(v), _score(p)) for k, v, p in rows], paths[0])


def _score(proxy: Any) -> float:
    value = proxy.get("score") if isinstance(proxy, Mapping) else proxy
    return float("nan") if value is None else float(value)


def _read_csv(paths: Sequence[Path], task: str) -> Table:
    """Columns dataset, key (as here), val_accuracy, params in millions; empty: not measured."""
    with (
        reading(paths[0], "a csv of dataset, key, val_accuracy, params"),
        opened(paths[0]) as file,
    ):
        rows = [
            (key(compact(row["key"])), float(row["val_accuracy"]), float(row["params"] or "nan"))
            for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8"))
            if row["dataset"] == task and row["val_accuracy"]
        ]
    return _finals(task, rows, paths[0])


def _finals(task: str, rows: Iterable[tuple[str, float, float]], path: Path) -> Table:
    ordered = sorted(rows)
    if not ordered:
        raise TableError(f"{path} has no measured networks of {task!r}.")
    accuracies = np.array([row[1] for row in ordered])
    millions = np.array([row[2] for row in ordered])
    note = _SURROGATE if task == "cifar10" else "of the last epoch"
    columns = (
        Column(_ERROR, 100.0 - accuracies, part="validation", note=note),
        Column(
            Metric("parameters"),
            np.round(1e6 * millions),
            note="of the network that the proxies were measured on",
        ),
    )
    return Table(
        f"nasbench301/{task}",
        np.array([row[0] for row in ordered]),
        {column.metric.name: column for column in columns},
        source=f"NAS-Bench-Suite-Zero, {path.name}",
    )


_EXTRA = ("svhn", "scifar100", "ninapro")
_NASLIB = "automl/NASLib, README of the branch Develop"
_ZERO = "automl/NASLib, branch zerocost"
SOURCES = (
    Source(
        "NASLib pickle",
        ("cifar10",),
        (File("nb301_full_training.pickle", origin=_NASLIB),),
        _read_pickle,
        "Apache-2.0",
    ),
    *(
        Source(name, ("cifar10", *_EXTRA), (File(file, origin=_ZERO),), read, "Apache-2.0")
        for name, file, read in (
            ("NAS-Bench-Suite-Zero collected csv", "zc_all_nasbench301.csv.gz", _read_csv),
            ("NAS-Bench-Suite-Zero", "zc_nasbench301.json", _read_json),
            ("NAS-Bench-Suite-Zero, compressed", "zc_nasbench301.json.gz", _read_json),
        )
    ),
)
