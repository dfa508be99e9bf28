"""NAS-Bench-MR: multi-resolution networks on ImageNet, Cityscapes, KITTI and HMDB51.

    table = tables.open("nasbenchmr", "seg", path="~/NCP/data")      # data/seg/trainval.pkl

A file is a list of rows {embedding, one value per metric}, some 2,500 of 2**80 networks. A key is
the code of the authors' `search_list.txt`, such as
"32_16-1_1_1_32-3_2_3_2_16_32-1_3_1_1_1_112_48_32-2_4_4_3_4_2_32_64_32_112-128": two channels of the
stem; for each of four blocks its modules, branches, convolutions and channels; the last channels.

Metrics keep the names and units of the file; all of them but FLOPs and parameters are to be
maximised. Each network was trained once, on a fixed split; no times are published, and no curves.

Sources: Ding et al., ICLR 2022 (arXiv:2106.02253); dingmyu/NCP (2-clause BSD "for academic use").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_nas.errors import TableError
from automl_nas.tables.safe import load_pickle, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Column, Table
from automl_nas.types import Metric

MAIN = {
    "seg": "mIoU", "cls-50-1000": "top1", "video": "top1", "3ddet": "moderate",
    "cls-10-1000": "top1", "cls-10c": "top1", "cls-50-100": "top1", "seg-4x": "mIoU",
    "video-p": "top1",
}  # fmt: skip
"""Task -> the metric by which its authors rank; the first four are the benchmark's tasks."""
BRANCHES = (1, 2, 3, 4)
"""Branches of each block."""
CHANNELS, COUNTS = tuple(range(8, 129, 8)), (1, 2, 3, 4)
"""Choices of a number of channels, and of a number of modules or convolutions."""
FIELDS = (
    "input_1", "input_2",
    *(
        name
        for block in BRANCHES
        for name in (
            f"modules_{block}",
            *(f"convs_{block}_{branch}" for branch in range(1, block + 1)),
            *(f"channels_{block}_{branch}" for branch in range(1, block + 1)),
        )
    ),
    "last",
)  # fmt: skip
"""The 27 numbers of an embedding."""
_OTHERS = {"flops": "flops", "params": "parameters"}
_SCORES = ("mIoU", "mAcc", "aAcc", "top1", "top5", "easy", "moderate", "hard")


def choices(field: str) -> tuple[int, ...]:
    """What a number of the embedding can be."""
    return COUNTS if field.startswith(("modules", "convs")) else CHANNELS


def key(embedding: Any) -> str:
    """The code of an embedding.

    Raises:
        TableError: it has not 27 numbers, or one that its place cannot have.
    """
    try:
        numbers = [int(number) for number in embedding]
        named = dict(zip(FIELDS, numbers, strict=True))
    except (TypeError, ValueError) as error:
        raise TableError(f"expected {len(FIELDS)} numbers, got {embedding!r}.") from error
    wrong = {name: number for name, number in named.items() if number not in choices(name)}
    if wrong:
        raise TableError(
            f"expected channels of 8, 16, ... 128 and counts of 1 to 4, got {wrong} in {numbers}."
        )
    parts, rest = [numbers[:2]], numbers[2:]
    for branches in BRANCHES:
        parts.append([rest[0], branches, *rest[1 : 1 + 2 * branches]])
        rest = rest[1 + 2 * branches :]
    return "-".join("_".join(map(str, part)) for part in [*parts, rest])


def embedding(text: str) -> tuple[int, ...]:
    """The 27 numbers of a code.

    Raises:
        TableError: it is no code.
    """
    try:
        parts = [[int(number) for number in part.split("_")] for part in text.split("-")]
    except ValueError as error:
        raise TableError(f"expected numbers joined by '_' and '-', got {text!r}.") from error
    blocks = [part[:1] + part[2:] for part in parts[1:-1]]
    numbers = [number for part in (parts[0], *blocks, parts[-1]) for number in part]
    if key(numbers) != text:
        raise TableError(f"{text!r} is no code: expected {key(numbers)!r}.")
    return tuple(numbers)


def _read(paths: Sequence[Path], task: str) -> Table:
    data = load_pickle(paths[0])
    with reading(paths[0], "a list of rows {embedding, metrics}"):
        rows = {_key(paths[0], row): row for row in data}
        if not rows or len(rows) < len(data) or MAIN[task] not in data[0]:
            raise ValueError(f"expected different networks with the metric {MAIN[task]}")
        keys = sorted(rows)
        names = [name for name in (*_SCORES, *_OTHERS) if name in data[0]]
        columns = [
            _column(name, [float(rows[one][name]) for one in keys], MAIN[task]) for name in names
        ]
    return Table(
        f"nasbenchmr/{task}",
        np.array(keys),
        {column.metric.name: column for column in columns},
        source=f"{task}/trainval.pkl of NCP",
    )


def _key(path: Path, row: Mapping[str, Any]) -> str:
    """The key of a row; some rows keep the last channels apart."""
    numbers = list(row["embedding"])
    if len(numbers) == len(FIELDS) - 1 and "last_channel" in row:
        numbers.append(row["last_channel"])
    try:
        return key(numbers)
    except TableError as error:
        raise TableError(f"{path}: {error}") from None


def _column(name: str, values: list[float], main: str) -> Column:
    if name in _OTHERS:
        return Column(Metric(_OTHERS[name]), np.array(values), note="as the file counts them")
    note = "the task's main metric, of one training" if name == main else "of one training"
    return Column(Metric(name, "max"), np.array(values), part="validation", note=note)


SOURCES = tuple(
    Source(
        "NCP",
        (task,),
        (File(f"{task}/trainval.pkl", origin="dingmyu/NCP, folder data"),),
        _read,
        "2-clause BSD, for academic use",
    )
    for task in MAIN
)
