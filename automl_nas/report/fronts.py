"""Scatter figures with the non-dominated front of each searcher, pooled over its seeds.

Two metrics at a time; x is the second metric (usually a size), y the first. With more than two
optimised metrics the front is the one of the two that are drawn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from automl_nas.report import canvas
from automl_nas.report.canvas import Drawing, Style, Styles
from automl_nas.report.groups import Group, Series
from automl_nas.report.naming import better, words
from automl_nas.types import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


_MANY = 1_500
"""Points from which a scatter becomes one image."""


def pareto_front(group: Group, styles: Styles, *, prefix: str) -> Drawing | None:
    """The first two optimised metrics, all searchers."""
    first, second, *others = group.optimize
    more = f" The front of these two metrics alone; {len(others)} more optimised." if others else ""
    drawing = _scatter(group, second, first, styles, prefix)
    return drawing and replace(
        drawing, title="Pareto fronts", caption=_caption(second, first) + more
    )


def parameter_front(group: Group, styles: Styles, *, prefix: str) -> Drawing | None:
    """One optimised metric against `parameters`, where that is recorded."""
    metric = group.optimize[0]
    recorded = {m.name: m for run in group.runs for m in run.metrics}
    parameters = recorded.get("parameters")
    if parameters is None or metric.name == "parameters":
        return None
    caption = "What these searches saw on the way: size was recorded, not optimised. "
    drawing = _scatter(group, parameters, metric, styles, prefix)
    return drawing and replace(
        drawing,
        title=f"{words(replace(metric, unit='')).capitalize()} and size",
        caption=caption + _caption(parameters, metric),
    )


def staircase(x: Floats, y: Floats) -> NDArray[np.int_]:
    """Indices of the points no other point dominates, by growing x; both are minimised."""
    order = np.lexsort((y, x))
    best = np.minimum.accumulate(y[order])
    improves = np.append(True, y[order][1:] < best[:-1]) if len(order) else np.zeros(0, bool)
    kept: NDArray[np.int_] = order[improves]
    return kept


def _caption(x: Metric, y: Metric) -> str:
    return (
        "Every configuration measured at full fidelity as a light point; the steps are the front "
        f"of each searcher over all its seeds. {words(x).capitalize()}: {better(x)}; "
        f"{words(y)}: {better(y)}."
    )


def _points(series: Series, x: Metric, y: Metric) -> Floats:
    """(points, 2): the pairs measured at full fidelity, each once."""
    records = [record for run in series.runs for record in run.records if record.selectable]
    values = [[r.values.get(metric.name, np.nan) for metric in (x, y)] for r in records]
    pairs = np.asarray(values, dtype=float).reshape(-1, 2)
    return np.unique(pairs[np.isfinite(pairs).all(axis=1)], axis=0)


def _scatter(group: Group, x: Metric, y: Metric, styles: Styles, prefix: str) -> Drawing | None:
    clouds = [(one.label, _points(one, x, y)) for one in group.series]
    clouds = [(label, points) for label, points in clouds if len(points)]
    if not clouds:
        return None
    fronts = [(label, _front(points, x, y)) for label, points in clouds]
    with canvas.rules():
        fig, ax = canvas.panel(labels=[label for label, _ in clouds], height=3.3)
        image = sum(len(points) for _, points in clouds) > _MANY
        for label, points in clouds:
            colour = styles[label].colour
            ax.plot(*points.T, "o", ms=3, mew=0, color=colour, alpha=0.2, rasterized=image)
        _axes(ax, np.concatenate([points for _, points in clouds]), x, y)
        for label, front in fronts:
            _draw_front(ax, front, x, styles[label])
        _labels(ax, fronts, x, styles)
        svg = canvas.to_svg(fig, prefix)
    found = "; ".join(f"{label} {len(front)}" for label, front in fronts)
    alt = f"Scatter of {words(y)} against {words(x)} with fronts. Points on the front: {found}."
    return Drawing("", svg, alt, "")


def _front(points: Floats, x: Metric, y: Metric) -> Floats:
    """The points on the front, from the best x to the best y."""
    losses = [np.array([m.loss(v) for v in c]) for m, c in zip((x, y), points.T, strict=True)]
    return points[staircase(losses[0], losses[1])]


def _draw_front(ax: Axes, front: Floats, x: Metric, style: Style) -> None:
    """Steps through the front, thin from its last point on: all beyond is dominated."""
    worst_x = ax.get_xlim()[1 if x.goal == "min" else 0]
    line: Any = {"color": style.colour, "zorder": 3}
    ax.plot([front[-1, 0], worst_x], [front[-1, 1]] * 2, lw=0.8, **line)
    ax.step(*front.T, where="post", ls=style.dash, lw=1.7, **line)
    ax.plot(*front.T, "o", ms=3.6, mec="white", mew=0.5, color=style.colour, zorder=4)


def _labels(ax: Axes, fronts: list[tuple[str, Floats]], x: Metric, styles: Styles) -> None:
    """Names beside the level on which each front leaves the figure."""
    last, left = (-1 if x.goal == "min" else 0), ax.get_xlim()[0]
    ends = [(label, left, float(front[last, 1])) for label, front in fronts]
    canvas.end_labels(ax, ends, styles)


def _axes(ax: Axes, points: Floats, x: Metric, y: Metric) -> None:
    from matplotlib.ticker import FuncFormatter

    low, high = points[:, 0].min(), points[:, 0].max()
    if low > 0 and high > 10 * low:
        canvas.log_x(ax)
    else:
        ax.xaxis.set_major_formatter(FuncFormatter(canvas.amount))
    ax.yaxis.set_major_formatter(FuncFormatter(canvas.amount))
    ax.set_xlim(*ax.get_xlim())
    ax.set_ylim(*ax.get_ylim())
    ax.set_xlabel(words(x))
    ax.set_ylabel(words(y))
