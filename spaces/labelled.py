"""Search over the architectures that a table lists, where the space is far larger than the table.

    space, objective = labelled(objective)

NAS-Bench-301's files have some thousand of 1e18 networks: a searcher over the whole space would
never meet one. Here the space is one integer, `architecture`, the number of a row. Readers sort
rows by key, so that near numbers have alike beginnings; more than that a number does not say. It is
a name, not a quantity: random search is exact on it, a model learns little from it, and a local
search jumps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from ConfigSpace import Configuration, ConfigurationSpace, Integer

from automl_nas.errors import TableError
from automl_nas.objectives.table import TableObjective
from automl_nas.tables import Table

NAME = "architecture"


class Labelled(NamedTuple):
    """What to search, and the objective that answers for all of it."""

    space: ConfigurationSpace
    objective: TableObjective


def labelled(objective: TableObjective) -> Labelled:
    """The same objective over the rows of its table.

    Raises:
        TableError: the table has fewer than two rows.
    """
    table = objective.table
    return Labelled(row_space(table), replace(objective, key=row_key(table)))


def row_space(table: Table) -> ConfigurationSpace:
    """One integer: the number of a row.

    Raises:
        TableError: the table has fewer than two rows.
    """
    if len(table) < 2:
        raise TableError(f"table {table.name} has {len(table)} rows: there is nothing to search.")
    space = ConfigurationSpace(name=f"{table.name} rows")
    space.add(Integer(NAME, (0, len(table) - 1)))
    return space


def row_key(table: Table) -> Callable[[Configuration], Any]:
    """From a configuration of the table's `row_space` to the row's native key."""
    return functools.partial(_key, table.keys)


def _key(keys: Any, configuration: Configuration) -> Any:
    return keys[int(configuration[NAME])].item()
