"""Measured and estimated hardware costs of the NAS-Bench-201 cells, by official index.

Sources: HW-NAS-Bench (Li et al., ICLR 2021, arXiv:2103.10584), file `HW-NAS-Bench-v1_0.pickle`:
{"nasbench201": {data set: {"edgegpu_latency": [15,625 numbers], ..., "config": [...]}}, "fbnet":
{...}}; and HELP (Lee et al., NeurIPS 2021, arXiv:2106.08630), collected as
`nasbench201_latency_ms.csv.gz`: an index and a column for each device and batch size. HELP measured
the networks of CIFAR-10; its columns are the same for every task.

Columns are called `latency_raspi4` (ms), `energy_edgegpu` (mJ) and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from automl_nas.tables.safe import load_pickle, reading
from automl_nas.tables.sources import File
from automl_nas.tables.table import Column
from automl_nas.tables.text import joined, read_numbers
from automl_nas.types import Metric

HELP = File(
    "nasbench201_latency_ms.csv.gz",
    origin="HayeonLee/HELP, latencies of 27 devices and batch sizes, collected",
)
HW_NAS_BENCH = File("HW-NAS-Bench-v1_0.pickle", origin="GATECH-EIC/HW-NAS-Bench, in the repository")
_UNITS = {"latency": "ms", "energy": "mJ", "arithmetic_intensity": ""}

Indices = npt.NDArray[np.int64]


def help_columns(path: Path, indices: Indices) -> Iterator[Column]:
    """A column for each device of HELP's file, for cells of these official indices.

    Raises:
        TableError: the file is damaged.
    """
    content = read_numbers(path, ("index",))
    for device, values in content.items():
        if device != "index":
            chosen = joined(content["index"], values, indices)
            yield _column(f"latency_{device}", chosen, "ms", "HELP")


def hw_columns(path: Path, task: str, indices: Indices) -> Iterator[Column]:
    """A column for each quantity of HW-NAS-Bench's file, for cells of these official indices.

    Raises:
        TableError: the file is damaged, hostile, or has no such task.
    """
    content = load_pickle(path)
    with reading(path, f"HW-NAS-Bench with NAS-Bench-201 and {task}"):
        for name, values in content["nasbench201"][task].items():
            device, _, quantity = name.partition("_")
            if quantity in _UNITS:
                every = np.asarray(values, dtype=np.float64)
                chosen = joined(np.arange(len(every)), every, indices)
                yield _column(f"{quantity}_{device}", chosen, _UNITS[quantity], "HW-NAS-Bench")


def _column(name: str, values: npt.NDArray[np.float64], unit: str, origin: str) -> Column:
    goal: Literal["min", "max"] = "max" if name.startswith("arithmetic_intensity") else "min"
    return Column(Metric(name, goal, unit), values, note=f"of the network, {origin}")
