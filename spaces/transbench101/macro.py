"""The skeletons of TransNAS-Bench-101: four to six modules of four kinds, 3,256 networks.

    space = search_space()
    to_arch(configuration)                  # "64-1234-basic"
    objective = table("class_scene", path="~/benchmarks")

A module is two residual blocks; its first block may double the channels ("wider"), halve the
resolution ("smaller"), do both or neither ("plain"). A network halves one to four times and
doubles one to three times: forbidden clauses say so, and `module_5` and `module_6` are active only
where there are as many modules. Every sample is therefore one of the 3,256, and each is reached.

Source: Duan et al., CVPR 2021 (arXiv:2105.11871), section 3; yawen-d/TransNASBench.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConfigSpace import (
    Categorical,
    Configuration,
    ConfigurationSpace,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
    InCondition,
)

from automl_nas import configs

if TYPE_CHECKING:
    from torch import nn

    from automl_nas.objectives.table import TableObjective
    from automl_nas.tables.transnas import Mode

KINDS = ("plain", "wider", "smaller", "both")
"""In the order of the official digits 1 to 4."""
LENGTHS = (4, 5, 6)
"""Numbers of modules."""
MODULES = tuple(f"module_{place}" for place in range(1, 7))
HALVING, DOUBLING = ("smaller", "both"), ("wider", "both")
MOST_HALVINGS, MOST_DOUBLINGS = 4, 3
_ARCH = re.compile(r"64-([1-4]{4,6})-basic")


def search_space() -> ConfigurationSpace:
    """`modules` and `module_1` ... `module_6`, with conditions and forbidden clauses."""
    space = ConfigurationSpace(name="transbench101_macro")
    length = Categorical("modules", LENGTHS)
    modules = [
        Categorical(name, KINDS, default="both" if name == "module_1" else "plain")
        for name in MODULES
    ]
    space.add([length, *modules])
    space.add([InCondition(modules[4], length, [5, 6]), InCondition(modules[5], length, [6])])
    space.add(list(_forbidden(length, modules)))
    return space


def _forbidden(length: Any, modules: Sequence[Any]) -> Iterator[ForbiddenAndConjunction]:
    """No change at all among the active modules, or one change too many among any of them."""
    for changing, most in ((HALVING, MOST_HALVINGS), (DOUBLING, MOST_DOUBLINGS)):
        others = [kind for kind in KINDS if kind not in changing]
        for number in LENGTHS:
            yield ForbiddenAndConjunction(
                ForbiddenEqualsClause(length, number),
                *(ForbiddenInClause(module, others) for module in modules[:number]),
            )
        for some in itertools.combinations(modules, most + 1):
            yield ForbiddenAndConjunction(
                *(ForbiddenInClause(module, list(changing)) for module in some)
            )


@functools.lru_cache(maxsize=1)
def _shared_space() -> ConfigurationSpace:
    return search_space()


def to_arch(configuration: Configuration) -> str:
    """The official string `64-1234-basic`."""
    values = configs.to_dict(configuration)
    kinds = [str(values[name]) for name in MODULES if name in values]
    return f"64-{''.join(str(1 + KINDS.index(kind)) for kind in kinds)}-basic"


def from_arch(arch: str) -> Configuration:
    """The configuration of an official string.

    Raises:
        ValueError: it is none of the 3,256 strings.
    """
    match = _ARCH.fullmatch(arch)
    if match is None or not is_legal(match[1]):
        raise ValueError(
            "expected '64-<4 to 6 digits from 1 to 4>-basic' with one to four of 3 and 4 and one "
            f"to three of 2 and 4, got {arch=}."
        )
    kinds = [KINDS[int(digit) - 1] for digit in match[1]]
    return configs.from_dict(
        _shared_space(), {"modules": len(kinds), **dict(zip(MODULES, kinds, strict=False))}
    )


def is_legal(digits: str) -> bool:
    """Whether a string of digits from 1 to 4 is one of the benchmark's skeletons."""
    halvings, doublings = (sum(map(digits.count, changing)) for changing in ("34", "24"))
    return (
        len(digits) in LENGTHS
        and 1 <= halvings <= MOST_HALVINGS
        and 1 <= doublings <= MOST_DOUBLINGS
    )


def neighbours(configuration: Configuration) -> list[Configuration]:
    """Skeletons one change away: another kind of one module, or one module more or less at the end.

    All of them are legal, none is double, and the relation is symmetric.
    """
    digits = to_arch(configuration).split("-")[1]
    other = [
        digits[:place] + digit + digits[place + 1 :]
        for place in range(len(digits))
        for digit in "1234"
        if digit != digits[place]
    ]
    other += [digits + digit for digit in "1234"] + [digits[:-1]]
    legal = (from_arch(f"64-{found}-basic") for found in other if is_legal(found))
    return [configs.adopt(configuration.config_space, one) for one in legal]


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

    return read("macro", to_arch, task, path=path, mode=mode)
