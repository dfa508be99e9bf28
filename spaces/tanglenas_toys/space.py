"""TangleNAS's toy cell and conv-macro spaces.

    space = search_space("cell")
    to_key(configuration)        # the published key, whichever of the two spaces it is of

The cell network is a reduction, a normal and a reduction cell, each of two nodes: `normal_1_0` is
the operation into the normal cell's node 1 from its node 0, the input. The macro network has four
convolutions, `channels_i` wide with kernels of `kernel_i`, all ordered: small ones are slices of
large ones.

Source: Sukthanker et al., AutoML 2024 (PMLR 256:12), section 4.1 and appendix.
"""

from __future__ import annotations

import functools
from typing import Literal

from ConfigSpace import Categorical, Configuration, ConfigurationSpace

from automl_nas import configs
from automl_nas.errors import UnknownName
from automl_nas.tables.tanglenas_toys import (
    CHANNELS,
    KERNELS,
    OPERATIONS,
    cell_key,
    cell_operations,
    macro_choices,
    macro_key,
)

CELLS = ("normal", "reduce")
EDGES = ("1_0", "2_0", "2_1")
"""target_source, in the published order."""
Task = Literal["cell", "conv-macro"]


def search_space(task: str = "cell") -> ConfigurationSpace:
    """Six categoricals, or eight ordinals.

    Raises:
        UnknownName: the task is neither "cell" nor "conv-macro".
    """
    space = ConfigurationSpace(name=f"tanglenas_toys {task}")
    if task == "cell":
        space.add([Categorical(f"{cell}_{edge}", OPERATIONS) for cell in CELLS for edge in EDGES])
    elif task == "conv-macro":
        for index, options in enumerate(CHANNELS, start=1):
            space.add(Categorical(f"channels_{index}", options, ordered=True))
            space.add(Categorical(f"kernel_{index}", KERNELS, ordered=True))
    else:
        raise UnknownName("task of tanglenas_toys", task, ["cell", "conv-macro"])
    return space


@functools.lru_cache(maxsize=2)
def _shared_space(task: Task) -> ConfigurationSpace:
    return search_space(task)


def to_key(configuration: Configuration) -> str:
    """The published key of a configuration of either space."""
    macro = "kernel_1" in configuration.config_space
    return to_macro_key(configuration) if macro else to_cell_key(configuration)


def to_cell_key(configuration: Configuration) -> str:
    """DARTS's genotype as Python prints it."""
    values = configs.to_dict(configuration)
    normal, reduction = ([str(values[f"{cell}_{edge}"]) for edge in EDGES] for cell in CELLS)
    return cell_key(normal, reduction)


def from_cell_key(key: str) -> Configuration:
    """The configuration of such a genotype.

    Raises:
        TableError: it is none of the space.
    """
    values = {
        f"{cell}_{edge}": name
        for cell, names in zip(CELLS, cell_operations(key), strict=True)
        for edge, name in zip(EDGES, names, strict=True)
    }
    return configs.from_dict(_shared_space("cell"), values)


def to_macro_key(configuration: Configuration) -> str:
    """`[[channels], [kernels]]` as Python prints it."""
    values = configs.to_dict(configuration)
    channels, kernels = (
        [int(values[f"{name}_{index}"] or 0) for index in range(1, len(CHANNELS) + 1)]
        for name in ("channels", "kernel")
    )
    return macro_key(channels, kernels)


def from_macro_key(key: str) -> Configuration:
    """The configuration of such lists.

    Raises:
        TableError: it is none of the space.
    """
    channels, kernels = macro_choices(key)
    values = {f"channels_{index}": value for index, value in enumerate(channels, start=1)}
    values |= {f"kernel_{index}": value for index, value in enumerate(kernels, start=1)}
    return configs.from_dict(_shared_space("conv-macro"), values)
