"""The cells of TransNAS-Bench-101: six edges, four operations, 4,096 cells.

    space = search_space()
    to_arch(configuration)                  # "64-41414-1_02_333"
    network = build(configuration, "jigsaw")
    objective = table("jigsaw", path="~/benchmarks")

`edge_0_2` is the operation on the way from node 0, the cell's input, to node 2; node 3 is the
output. The skeleton is always `41414`: five modules of two cells, of which the first, third and
fifth halve the resolution and double the channels.

Source: Duan et al., CVPR 2021 (arXiv:2105.11871), section 3; yawen-d/TransNASBench.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ConfigSpace import Categorical, Configuration, ConfigurationSpace

from automl_nas import configs

if TYPE_CHECKING:
    from torch import nn

    from automl_nas.objectives.table import TableObjective
    from automl_nas.tables.transnas import Mode

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
"""In the order of the official digits 0 to 3."""
EDGES = ("edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3")
"""By target node, as in the official string."""
_ARCH = re.compile(r"64-41414-([0-3])_([0-3]{2})_([0-3]{3})")


def search_space() -> ConfigurationSpace:
    """Six categoricals `edge_<source>_<target>`, each over `OPERATIONS`."""
    space = ConfigurationSpace(name="transbench101_micro")
    space.add([Categorical(edge, OPERATIONS) for edge in EDGES])
    return space


@functools.lru_cache(maxsize=1)
def _shared_space() -> ConfigurationSpace:
    return search_space()


def _digits(configuration: Configuration) -> str:
    values = configs.to_dict(configuration)
    return "".join(str(OPERATIONS.index(str(values[edge]))) for edge in EDGES)


def to_arch(configuration: Configuration) -> str:
    """The official string `64-41414-a_bc_def`."""
    digits = _digits(configuration)
    return f"64-41414-{digits[0]}_{digits[1:3]}_{digits[3:]}"


def from_arch(arch: str) -> Configuration:
    """The configuration of an official string.

    Raises:
        ValueError: it is none of the 4,096 strings.
    """
    match = _ARCH.fullmatch(arch)
    if match is None:
        raise ValueError(f"expected '64-41414-a_bc_def' with digits from 0 to 3, got {arch=}.")
    chosen = (OPERATIONS[int(digit)] for digit in "".join(match.groups()))
    return configs.from_dict(_shared_space(), dict(zip(EDGES, chosen, strict=True)))


def is_disconnected(configuration: Configuration) -> bool:
    """Whether no path leads from the input to the output: 169 of the 4,096 cells."""
    reached = {0}
    for edge, digit in zip(EDGES, _digits(configuration), strict=True):
        _, source, target = edge.split("_")
        if digit != "0" and int(source) in reached:
            reached.add(int(target))
    return 3 not in reached


def neighbours(configuration: Configuration) -> list[Configuration]:
    """The 18 cells with one other operation on one edge."""
    space, old = configuration.config_space, configs.to_dict(configuration)
    return [
        configs.from_dict(space, {**old, edge: operation})
        for edge in EDGES
        for operation in OPERATIONS
        if operation != old[edge]
    ]


def build(configuration: Configuration, task: str = "class_object") -> nn.Module:
    """The published network of a task, drawn from torch's current generator."""
    from .network import build as built

    return built(to_arch(configuration), task)


def table(task: str, *, path: str | Path | None = None, mode: Mode | None = None) -> TableObjective:
    """The published scores as an objective; see `automl_nas.tables.transnas`.

    Args:
        task: one of the seven, such as "jigsaw".
        path: where the official file, or those of NAS-Bench-Suite-Zero, are.
        mode: "final" or "best" epoch; the official file only.
    """
    from .tasks import table as read

    return read("micro", to_arch, task, path=path, mode=mode)
