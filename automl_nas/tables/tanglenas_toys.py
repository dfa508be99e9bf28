"""The two toy benchmarks of TangleNAS: 4,096 cells and 6,561 small networks, all trained.

    table = tables.open("tanglenas_toys", "cell", path="~/TangleNAS")          # Fashion-MNIST
    table = tables.open("tanglenas_toys", "conv-macro", path="~/TangleNAS")    # CIFAR-10

Keys are the published ones: DARTS's genotype as Python prints it, and "[[c1, c2, c3, c4], [k1, k2,
k3, k4]]", channels and kernel sizes. Every architecture was trained once, and the files have
training and test errors only: who searches on these tables searches on test errors, as the columns
say.

Two traps of the cell file, read in the code that made it: its parameters are counted with the
normal cell's operations in the reduction cells and the other way round; its latencies are means
over runs whose units were not compared, so that a run on the other side of a millisecond spoils
its row.

Sources: Sukthanker et al., AutoML 2024 (PMLR 256:12); automl/TangleNAS (no licence), folder
`toy_benchmarks`. This reader was written from the code and never met the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_nas.errors import TableError
from automl_nas.tables.safe import load_pickle, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Column, Table
from automl_nas.types import Metric

OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
"""The published order."""
SOURCES_OF = (0, 0, 1)
"""Where the three edges of a cell come from: one to the first node, two to the second."""
KERNELS = (3, 5, 7)
CHANNELS = ((8, 16, 32), (16, 32, 64), (32, 64, 128), (64, 128, 256))
"""Choices of each of the four convolutions."""
OPTIMA = {"cell": 91.63, "conv-macro": 84.41}
"""Best test accuracy in percent: Sukthanker et al. 2024, tables 1 and 2, row of the optimum."""

_PAIR = r"\('(\w+)', (\d)\)"
_CELL = r"\[" + ", ".join([_PAIR] * 3) + r"\]"
_GENOTYPE = re.compile(
    rf"Genotype\(normal={_CELL}, normal_concat=range\(1, 3\), "
    rf"reduce={_CELL}, reduce_concat=range\(1, 3\)\)"
)
_FOUR = r"[\[(](\d+), (\d+), (\d+), (\d+)[\])]"
_LISTS = re.compile(rf"[\[(]{_FOUR}, {_FOUR}[\])]")
_MILLISECONDS = {"us": 1e-3, "ms": 1.0}


def cell_key(normal: Sequence[str], reduction: Sequence[str]) -> str:
    """The key of a cell: three operations for each kind, in the order of `SOURCES_OF`.

    Raises:
        TableError: they are not three of the operations.
    """
    for names in (normal, reduction):
        if len(names) != len(SOURCES_OF) or not set(names) <= set(OPERATIONS):
            raise TableError(f"expected three of {', '.join(OPERATIONS)}, got {list(names)}.")
    cells = [
        [(str(name), source) for name, source in zip(names, SOURCES_OF, strict=True)]
        for names in (normal, reduction)
    ]
    return (
        f"Genotype(normal={cells[0]}, normal_concat=range(1, 3), "
        f"reduce={cells[1]}, reduce_concat=range(1, 3))"
    )


def cell_operations(key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The operations of the normal and the reduction cell.

    Raises:
        TableError: it is no key.
    """
    match = _GENOTYPE.fullmatch(key)
    if match is None:
        raise TableError(f"expected a genotype with three edges in each cell, got {key!r}.")
    names, sources = match.groups()[::2], match.groups()[1::2]
    if tuple(map(int, sources)) != 2 * SOURCES_OF:
        raise TableError(f"expected edges from the nodes {SOURCES_OF} in each cell, got {key!r}.")
    cell_key(names[:3], names[3:])
    return names[:3], names[3:]


def macro_key(channels: Sequence[int], kernels: Sequence[int]) -> str:
    """The key of a network of four convolutions.

    Raises:
        TableError: a choice is not in the space.
    """
    wide = len(channels) == 4 and all(c in o for c, o in zip(channels, CHANNELS, strict=True))
    if not wide or len(kernels) != 4 or not set(kernels) <= set(KERNELS):
        raise TableError(
            f"expected channels out of {CHANNELS} and kernels out of {KERNELS}, got "
            f"{list(channels)} and {list(kernels)}."
        )
    return str([[int(c) for c in channels], [int(k) for k in kernels]])


def macro_choices(key: str) -> tuple[list[int], list[int]]:
    """Channels and kernel sizes of a key whose two lists may stand in either order.

    Raises:
        TableError: it is no key.
    """
    match = _LISTS.fullmatch(key)
    if match is None:
        raise TableError(f"expected [[four channels], [four kernels]], got {key!r}.")
    numbers = [int(text) for text in match.groups()]
    kernels, channels = sorted((numbers[:4], numbers[4:]), key=max)
    macro_key(channels, kernels)
    return channels, kernels


def _read_cells(paths: Sequence[Path], task: str) -> Table:
    """{genotype: {test_acc, train_acc, num_params, latency_gpu_mean, unit_gpu, ...}}."""
    rows = _load(paths[0], lambda key: cell_key(*cell_operations(str(key))))
    columns = [*_errors(paths[0], rows)]
    with reading(paths[0], "the cell benchmark of TangleNAS"):
        counts = np.array([float(row["num_params"]) for row in rows.values()])
        note = "counted with the cells' kinds exchanged, see the module"
        columns.append(Column(Metric("parameters"), counts, note=note))
        for device in ("gpu", "cpu"):
            values = [
                float(row[f"latency_{device}_mean"]) * _MILLISECONDS[str(row[f"unit_{device}"])]
                for row in rows.values()
            ]
            metric = Metric(f"latency_{device}", unit="ms")
            columns.append(
                Column(metric, np.array(values), note="mean of 100 runs, see the module")
            )
    return _table(task, paths[0], rows, columns)


def _read_macros(paths: Sequence[Path], task: str) -> Table:
    """{"[[channels], [kernels]]": {test_acc, train_acc}}, the two lists in either order."""
    rows = _load(paths[0], lambda key: macro_key(*macro_choices(str(key))))
    return _table(task, paths[0], rows, _errors(paths[0], rows))


def _load(path: Path, key: Any) -> Mapping[str, Mapping[str, Any]]:
    data = load_pickle(path)
    with reading(path, "a benchmark of TangleNAS"):
        try:
            keyed = {key(name): row for name, row in data.items()}
        except TableError as error:
            raise TableError(f"{path}: {error}") from None
        if not keyed or len(keyed) < len(data):
            raise ValueError("expected rows of different architectures")
    return {name: keyed[name] for name in sorted(keyed)}


def _errors(path: Path, rows: Mapping[str, Mapping[str, Any]]) -> list[Column]:
    with reading(path, "a benchmark of TangleNAS with accuracies in percent"):
        found = {
            part: 100.0 - np.array([float(row[f"{part}_acc"]) for row in rows.values()])
            for part in ("test", "train")
        }
    return [
        Column(Metric("test_error", unit="%"), found["test"], part="test", note="of one training"),
        Column(Metric("train_error", unit="%"), found["train"], part="train"),
    ]


def _table(task: str, path: Path, rows: Mapping[str, Any], columns: list[Column]) -> Table:
    return Table(
        f"tanglenas_toys/{task}",
        np.array(list(rows)),
        {column.metric.name: column for column in columns},
        source=f"toy_benchmarks/{path.name} of TangleNAS",
    )


_ORIGIN = "automl/TangleNAS, folder toy_benchmarks"
_LICENCE = "none"
SOURCES = (
    Source(
        "TangleNAS",
        ("cell",),
        (File("entangled_cell_ss_benchmark.pkl", origin=_ORIGIN),),
        _read_cells,
        _LICENCE,
    ),
    Source(
        "TangleNAS",
        ("conv-macro",),
        (File("conv_macro_bench.pkl", origin=_ORIGIN),),
        _read_macros,
        _LICENCE,
    ),
)
