"""Scale M of HW-GPT-Bench; see `spaces.hw_gpt`."""

from __future__ import annotations

from pathlib import Path

from ConfigSpace import ConfigurationSpace

from automl_nas import tables
from automl_nas.objectives.table import TableObjective

from .pool import pool as make_pool
from .space import SCALES
from .space import search_space as make_space
from .surrogate import Surrogate

SCALE = SCALES["m"]


def search_space() -> ConfigurationSpace:
    """Width, depth, bias, and heads and MLP ratio of every layer."""
    return make_space(SCALE)


def pool(*columns: str, path: str | Path | None = None) -> TableObjective:
    """Perplexity, parameters and the given columns of the nearest measured row."""
    return make_pool(tables.open("hw_gpt_bench", "m", path=path), SCALE, columns)


def surrogate(*columns: str, path: str | Path | None = None) -> Surrogate:
    """Predicted perplexity and given columns, exact parameters, over the whole space."""
    return Surrogate(tables.open("hw_gpt_bench", "m", path=path), SCALE, columns)
