"""The figures of a group, in the order of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from automl_nas.report import canvas, fronts
from automl_nas.report.canvas import Styles
from automl_nas.report.groups import Group, Row
from automl_nas.report.incumbent_figure import curve_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPLIT = (
    ("ask_seconds", "ask", "#2f5d8a"),
    ("setup_seconds", "set up", "#a9bccf"),
    ("evaluate_seconds", "evaluate", "#e3b778"),
)


def figures(group: Group, styles: Styles, *, prefix: str) -> list[canvas.Drawing]:
    """Everything that can be drawn of a group; ids in the SVG begin with `prefix`."""
    if len(group.optimize) == 1:
        found: list[canvas.Drawing | None] = [*curve_figures(group, styles, prefix=prefix)]
        found.append(fronts.parameter_front(group, styles, prefix=f"{prefix}-size"))
    else:
        found = [fronts.pareto_front(group, styles, prefix=f"{prefix}-front")]
    found.append(seconds_split(group, prefix=f"{prefix}-split"))
    return [drawing for drawing in found if drawing is not None]


def seconds_split(group: Group, *, prefix: str) -> canvas.Drawing | None:
    """Stacked bars: where the real seconds of each searcher went."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    rows = [row for row in group.rows if _seconds(row) > 0][::-1]
    if not rows:
        return None
    names = [canvas.short(row.searcher) for row in rows]
    with canvas.rules():
        fig, ax = canvas.panel(labels=[], height=0.3 * len(rows) + 1.05)
        tall = fig.get_figheight()
        left = 0.25 + 0.078 * max(map(len, names))
        ax.set_position(
            (left / canvas.WIDTH, 0.5 / tall, 1 - (left + 0.62) / canvas.WIDTH, 1 - 0.9 / tall)
        )
        _bars(ax, rows, names)
        ax.set_xlabel("real time of one run (s)")
        ax.xaxis.set_major_formatter(FuncFormatter(canvas.amount))
        ax.xaxis.set_major_locator(MaxNLocator(4))
        svg = canvas.to_svg(fig, prefix)
    return canvas.Drawing(
        title="Where the time went",
        svg=svg,
        alt="Stacked bars of mean seconds a run. " + "; ".join(map(_split_text, rows[::-1])) + ".",
        caption="Mean seconds of one run: asking the searcher for proposals, setting up weights "
        "or data for it, and evaluating.",
        measured=True,
    )


def _seconds(row: Row) -> float:
    return row.ask_seconds + row.setup_seconds + row.evaluate_seconds


def _split_text(row: Row) -> str:
    parts = ", ".join(f"{name} {getattr(row, field):.3g}" for field, name, _ in _SPLIT)
    return f"{row.searcher}: {parts}"


def _bars(ax: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    left = np.zeros(len(rows))
    for field, name, colour in _SPLIT:
        widths = np.array([getattr(row, field) for row in rows])
        ax.barh(range(len(rows)), widths, left=left, height=0.62, color=colour, label=name)
        left += widths
    for y, total in enumerate(left):
        ax.annotate(
            f"{total:.3g} s" if total < 1000 else f"{total:,.0f} s",
            (total, y), (4, 0), textcoords="offset points", va="center_baseline", size=8.5,
        )  # fmt: skip
    ax.set_yticks(range(len(rows)), names, color=canvas.INK, size=9)
    ax.grid(visible=False, axis="y")
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, handlelength=1,
        handleheight=1, borderaxespad=0.2, columnspacing=1.4, fontsize=9,
    )  # fmt: skip
