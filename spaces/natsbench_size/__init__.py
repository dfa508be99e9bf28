"""The size space of NATS-Bench: the channels of five layers, 32,768 networks.

    space = natsbench_size.search_space()
    objective = natsbench_size.table("cifar10", path=...)
    natsbench_size.to_arch(configuration)      # "8:16:24:32:64"

`channels_1` ... `channels_5` are ordinals over 8, 16, ..., 64. The official index counts the
strings in order, the last layer fastest. Networks are looked up, not built. Source: Dong, Liu,
Musial and Gabrys, TPAMI 2021 (arXiv:2009.00437), section 3.2.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from ConfigSpace import Configuration, ConfigurationSpace, OrdinalHyperparameter

from automl_nas import configs, tables
from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.tables.yardstick import Yardstick
from automl_nas.tables.yardstick import yardstick as yardstick_of

CHANNELS = (8, 16, 24, 32, 40, 48, 56, 64)
LAYERS = tuple(f"channels_{layer}" for layer in range(1, 6))

__all__ = [
    "from_arch",
    "from_index",
    "search_space",
    "table",
    "to_arch",
    "to_index",
    "yardstick",
]


def search_space() -> ConfigurationSpace:
    """Five ordinals."""
    space = ConfigurationSpace(name="natsbench_size")
    space.add([OrdinalHyperparameter(layer, CHANNELS) for layer in LAYERS])
    return space


@functools.lru_cache(maxsize=1)
def _shared_space() -> ConfigurationSpace:
    return search_space()


def _channels(configuration: Configuration) -> list[int]:
    values = configs.to_dict(configuration)
    return [int(str(values[layer])) for layer in LAYERS]


def to_arch(configuration: Configuration) -> str:
    """The official string, such as `8:16:24:32:64`."""
    return ":".join(map(str, _channels(configuration)))


def from_arch(arch: str) -> Configuration:
    """The configuration of an official string.

    Raises:
        ValueError: the string has another shape, or a width that the space does not have.
    """
    given = arch.split(":")
    if len(given) != len(LAYERS) or not all(c.isdecimal() and int(c) in CHANNELS for c in given):
        raise ValueError(f"expected five of {CHANNELS} joined by colons, got {arch=}.")
    return configs.from_dict(_shared_space(), dict(zip(LAYERS, map(int, given), strict=True)))


def to_index(configuration: Configuration) -> int:
    """The official index, 0 ... 32,767."""
    index = 0
    for channels in _channels(configuration):
        index = len(CHANNELS) * index + CHANNELS.index(channels)
    return index


def from_index(index: int) -> Configuration:
    """The configuration of an official index.

    Raises:
        ValueError: the index is outside 0 ... 32,767.
    """
    size = len(CHANNELS) ** len(LAYERS)
    if not 0 <= index < size:
        raise ValueError(f"expected an index from 0 to {size - 1}, got {index=}.")
    digits = [index // len(CHANNELS) ** place % len(CHANNELS) for place in reversed(range(5))]
    return from_arch(":".join(str(CHANNELS[digit]) for digit in digits))


def table(
    task: str,
    *,
    path: str | Path | None = None,
    observed: Any = "mean",
    others: tuple[str, ...] = (),
    **options: Any,
) -> TableObjective:
    """An objective over the table of one data set: validation error, then test error, in percent.

    Args:
        task: `cifar10`, `cifar100` or `ImageNet16-120`.
        path: folder; None: the folder `AUTOML_NAS_DATA`.
        observed: a seed, the mean over several or all, or "drawn" by the trial's seed.
        others: further columns that are metrics, such as `flops`.
        options: of `automl_nas.tables.natsbench_size`: `recipe`, `cache`, `workers`.

    Raises:
        MissingTable: the files are not there.
        UnknownName: there is no such task or column.
    """
    opened = tables.open("natsbench_size", task, path=path, **options)
    readings = (Reading("validation_error", observed), Reading("test_error", fidelity="full"))
    return TableObjective(
        opened,
        to_arch,
        (*readings, *(Reading(column) for column in others)),
        seconds="training_seconds",
        continues=opened.continues,
    )


def yardstick(
    task: str, *, path: str | Path | None = None, metric: str = "validation_error", **options: Any
) -> Yardstick:
    """The optimum of the mean over seeds, and the reference point with the multiply-adds.

    Raises:
        MissingTable: the files are not there.
        UnknownName: there is no such task or metric.
    """
    opened = tables.open("natsbench_size", task, path=path, **options)
    return yardstick_of(opened, metric, others=("flops",))
