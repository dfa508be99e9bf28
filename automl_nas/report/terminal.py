"""The same tables for a terminal.

for table in tables(summary(studies)):
rich.print(table)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from automl_nas.report.cells import Column, columns
from automl_nas.report.groups import Group
from automl_nas.report.naming import words

if TYPE_CHECKING:
    from rich.table import Table


def tables(groups: Sequence[Group]) -> list[Table]:
    """Two rich tables for each group: what was found, and what it cost."""
    return [table for group in groups for table in _tables(group)]


def _tables(group: Group) -> list[Table]:
    searcher, seeds, *others = columns(group)
    first = next(i for i, column in enumerate(others) if column.title == "evaluations")
    goals = ", ".join(words(metric) for metric in group.optimize)
    title = f"{group.objective}: {goals}"
    found = _table(title, [searcher, seeds, *others[:first]], gap=1)
    found.caption = None if group.measured else "nothing measured yet"
    costs = [replace(column, title=column.title.removesuffix(" (s)")) for column in others[first:]]
    return [found, _table(f"{group.objective}: cost of one run, times in s", [searcher, *costs])]


def _table(title: str, shown: Sequence[Column], *, gap: int = 0) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE,
        pad_edge=False,
        padding=(0, gap),
        collapse_padding=True,
    )
    for column in shown:
        table.add_column(
            Text(column.title),
            justify="left" if column.text else "right",
            min_width=None if column.text else _width(column),
            no_wrap=column.text,
            overflow="fold",
        )
    for row in range(len(shown[0].cells)):
        table.add_row(*(Text(_unbroken(column.cells[row])) for column in shown))
    return table


def _unbroken(cell: str) -> str:
    """An interval breaks before its bracket, not inside."""
    return cell.replace(", ", ",\u00a0")


def _width(column: Column) -> int:
    """Characters of the longest word."""
    return max(len(word) for text in (column.title, *column.cells) for word in text.split())
