"""The table of a group as text, the same for the page and the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from automl_nas.report.groups import CORNER, Group, Row
from automl_nas.report.naming import better, words
from automl_nas.statistics import Interval

NOTHING = "–"
"""A cell without a value."""


@dataclass(frozen=True)
class Column:
    """One column of a group's table."""

    title: str
    cells: tuple[str, ...]
    """One a row, in the order of the group's rows."""
    text: bool = False
    """Words rather than numbers: aligned to the left."""
    measured: bool = False
    """Holds measured seconds, which differ between equal runs."""


def columns(group: Group) -> list[Column]:
    """What is known of each searcher; amounts are means over its seeds."""
    rows = group.rows
    found = [
        Column("searcher", tuple(row.searcher for row in rows), text=True),
        Column("seeds", tuple(_seeds(row) for row in rows)),
        *_quality(group),
        Column("evaluations", _cells(rows, lambda row: row.evaluations, count)),
    ]
    if any(row.equivalents for row in rows):
        title = "training cost"
        found.append(Column(title, _cells(rows, lambda row: row.equivalents, significant)))
    found += [
        Column("duplicates", _cells(rows, lambda row: row.duplicates, count)),
        Column("failures", _cells(rows, lambda row: row.failures, count)),
    ]
    for title, field in (("ask", "ask"), ("set up", "setup"), ("evaluate", "evaluate")):
        seconds = tuple(significant(getattr(row, f"{field}_seconds")) for row in rows)
        found.append(Column(f"{title} (s)", seconds, measured=True))
    return found


def explanation(group: Group, *, ranking: bool) -> str:
    """How to read the table, in a few sentences."""
    text = "Amounts are means over seeds; in brackets the 95 % bootstrap interval of the mean. "
    if len(group.optimize) > 1:
        names = ", ".join(f"{words(metric)}: {better(metric)}" for metric in group.optimize)
        text += (
            f"{names[:1].upper()}{names[1:]}. Hypervolume: higher is better; every metric is "
            "scaled so that the best value any searcher here measured is 0 and the worst is 1, "
            f"reference point {CORNER} in each. "
        )
    else:
        text += f"{words(group.optimize[0]).capitalize()} was optimised; "
        text += f"{better(group.optimize[0])}. "
    text += "Sorted by it." if ranking and len(group.optimize) == 1 else ""
    text += "Sorted by hypervolume." if ranking and len(group.optimize) > 1 else ""
    return text + ("" if ranking else "Sorted by name.")


def _quality(group: Group) -> list[Column]:
    qualities = [row.quality for row in group.rows]
    if group.reported is None:
        fronts = _cells(group.rows, lambda row: row.front, count)
        return [Column("hypervolume", intervals(qualities)), Column("on the front", fronts)]
    found = [Column(words(group.optimize[0]), intervals(qualities))]
    if group.reported != group.optimize[0]:
        reported = intervals([row.reported for row in group.rows])
        found.append(Column(words(group.reported), reported))
    return found


def _seeds(row: Row) -> str:
    if row.answered == len(row.seeds):
        return str(row.answered)
    return f"{row.answered} of {len(row.seeds)}"


def _cells(
    rows: Sequence[Row], value: Callable[[Row], float | None], shown: Callable[[float], str]
) -> tuple[str, ...]:
    return tuple(NOTHING if (v := value(row)) is None else shown(v) for row in rows)


def intervals(values: Sequence[Interval | None]) -> tuple[str, ...]:
    """Means with their intervals, all with as many decimals as their differences deserve."""
    known = [value for value in values if value is not None]
    digits = _decimals([x for v in known for x in (v.mean, v.low, v.high) if x is not None])
    return tuple(NOTHING if value is None else _interval(value, digits) for value in values)


def _interval(value: Interval, digits: int) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:,.{digits}f}"
    return f"{value.mean:,.{digits}f} [{value.low:,.{digits}f}, {value.high:,.{digits}f}]"


def _decimals(values: Sequence[float]) -> int:
    """Decimals that show four digits of the largest value, and two of the spread if that is more.

    Three more than the four digits at most: smaller differences are not worth reading.
    """
    finite = [value for value in values if math.isfinite(value)]
    largest = max((abs(value) for value in finite), default=0.0)
    if largest == 0.0:
        return 0
    by_value = 3 - math.floor(math.log10(largest))
    spread = max(finite) - min(finite)
    by_spread = 1 - math.floor(math.log10(spread)) if spread > 0 else by_value
    return max(0, by_value, min(by_spread, by_value + 3))


def count(value: float) -> str:
    """A mean count: 150, 12.5, 1,024."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def significant(value: float) -> str:
    """Three significant digits without exponents where possible: 0.0123, 4.5, 1,234."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.1e}" if "e" in text else text
