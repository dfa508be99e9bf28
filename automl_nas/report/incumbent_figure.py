"""The figure of incumbent curves: one panel for each unit of cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from automl_nas.report import canvas
from automl_nas.report.canvas import Drawing, Style, Styles
from automl_nas.report.curves import FEW, Curve, Unit, audited, incumbents
from automl_nas.report.groups import Group, Series
from automl_nas.report.naming import better, words
from automl_nas.types import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AXES: dict[Unit, tuple[str, str]] = {
    "evaluations": ("charged evaluations", "Against evaluations"),
    "equivalents": ("training cost (full trainings)", "Against training cost"),
    "seconds": ("real time (s)", "Against real time"),
}


_BANDS = 4
"""Most curves of a panel that are drawn with bands; the table has every interval."""


def curve_figures(group: Group, styles: Styles, *, prefix: str) -> list[Drawing]:
    """One panel for each unit of cost that was recorded; the first explains them all."""
    found = [
        drawing
        for unit in _AXES
        if (drawing := incumbent_curves(group, unit, styles, prefix=f"{prefix}-{unit}"))
    ]
    captions = [f"The same answers {drawing.title.lower()}." for drawing in found[1:]]
    later = [
        replace(drawing, caption=caption)
        for drawing, caption in zip(found[1:], captions, strict=True)
    ]
    return [*found[:1], *later]


def incumbent_curves(group: Group, unit: Unit, styles: Styles, *, prefix: str) -> Drawing | None:
    """Mean incumbent of every searcher against one unit of cost (one optimised metric)."""
    metric = group.reported
    flat = [one for one in group.series if unit == "evaluations" and audited(one)]
    curves = [c for one in group.series if one not in flat and (c := incumbents(one, unit))]
    curves = [curve for curve in curves if curve.x[-1] > 0]
    if metric is None or not curves:
        return None
    lines = [(one.label, level) for one in flat if (level := _final(group, one)) is not None]
    labels = [curve.label for curve in curves] + [label for label, _ in lines]
    with canvas.rules():
        fig, ax = canvas.panel(labels=labels)
        for curve in curves:
            if _banded(curves):
                _draw_band(ax, curve, styles[curve.label])
            _draw_curve(ax, curve, styles[curve.label])
        for label, level in lines:
            ax.axhline(level, color=styles[label].colour, lw=1.6, ls=(0, (5, 3)))
        _curve_axes(ax, curves, unit, metric, [level for _, level in lines])
        ends = [(c.label, float(c.x[-1]), float(c.mean[-1])) for c in curves]
        flat_ends = [(label, np.inf, level) for label, level in lines]
        canvas.end_labels(ax, [*ends, *flat_ends], styles)
        svg = canvas.to_svg(fig, prefix)
    return Drawing(
        title=_AXES[unit][1],
        svg=svg,
        alt=_curves_alt(unit, metric, [(label, level) for label, _, level in [*ends, *flat_ends]]),
        caption=_curves_caption(curves, metric, flat=[label for label, _ in lines]),
        measured=unit == "seconds",
    )


def _final(group: Group, series: Series) -> float | None:
    row = next(row for row in group.rows if row.searcher == series.label)
    return row.reported.mean if row.reported else None


def _banded(curves: Sequence[Curve]) -> bool:
    """Whether there are few enough curves for their bands to be told apart."""
    return len(curves) <= _BANDS


def _draw_band(ax: Axes, curve: Curve, style: Style) -> None:
    if curve.runs > 1:
        band = (curve.x, curve.low, curve.high)
        ax.fill_between(*band, step="post", color=style.colour, alpha=0.13, lw=0)


def _draw_curve(ax: Axes, curve: Curve, style: Style) -> None:
    shared = np.searchsorted(curve.x, curve.held, side="right")
    x, mean = curve.x, curve.mean
    ax.step(x[:shared], mean[:shared], where="post", color=style.colour, ls=style.dash, lw=1.8)
    ax.step(x[shared - 1 :], mean[shared - 1 :], where="post", color=style.colour, ls=":", lw=1.4)
    ax.plot(x[-1:], mean[-1:], marker="o", ms=3.5, color=style.colour, clip_on=False)


def _curve_axes(
    ax: Axes, curves: Sequence[Curve], unit: Unit, metric: Metric, levels: Sequence[float]
) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    starts, ends = [c.x[0] for c in curves], [c.x[-1] for c in curves]
    logarithmic = unit != "evaluations" and min(starts) > 0 and max(ends) > 10 * min(ends)
    if logarithmic:
        canvas.log_x(ax)
    else:
        ax.set_xlim(0, max(ends))
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=unit == "evaluations"))
        ax.xaxis.set_major_formatter(FuncFormatter(canvas.amount))
        _crop(ax, curves, levels)
    ax.yaxis.set_major_formatter(FuncFormatter(canvas.amount))
    ax.set_xlabel(_AXES[unit][0])
    ax.set_ylabel(words(metric))


def _crop(ax: Axes, curves: Sequence[Curve], levels: Sequence[float]) -> None:
    """Leaves the first steps outside: they are poor for everyone and would flatten the rest."""
    early = 0.04 * max(float(c.x[-1]) for c in curves)
    shown = list(levels)
    for c in curves:
        at = max(0, int(np.searchsorted(c.x, max(early, c.x[0]), side="right")) - 1)
        shown += [float(v) for v in (*c.mean[at:], *c.low[-1:], *c.high[-1:])]
    low, high = min(shown), max(shown)
    pad = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    ax.set_ylim(low - pad, high + pad)


def _curves_alt(unit: Unit, metric: Metric, ends: Sequence[tuple[str, float]]) -> str:
    finals = "; ".join(f"{label} {level:.4g}" for label, level in ends)
    name = words(metric)
    return f"Step curves of {name} against {_AXES[unit][0]}. Where they end: {finals}."


def _curves_caption(curves: Sequence[Curve], metric: Metric, *, flat: Sequence[str]) -> str:
    several = any(curve.runs > 1 for curve in curves)
    text = f"{'Mean over seeds of the' if several else 'The'} {words(metric)} of the answer that "
    text += f"each searcher would give if stopped there; {better(metric)}."
    text += _bands_caption({curve.runs for curve in curves}) if _banded(curves) else ""
    if any(curve.held < curve.x[-1] for curve in curves):
        text += " Dotted: some seeds have stopped and keep their last answer."
    if flat:
        text += f" Dashed: final answer of {', '.join(flat)}, which trains while it searches and "
        text += "has no evaluations to count on the way."
    return text


def _bands_caption(runs: set[int]) -> str:
    text = ""
    if any(n >= FEW for n in runs):
        text += " Bands: 95 % bootstrap interval of the mean"
        text += f" ({FEW} seeds or more)." if any(1 < n < FEW for n in runs) else "."
    if any(1 < n < FEW for n in runs):
        text += f" {'Other bands' if any(n >= FEW for n in runs) else 'Bands'}: smallest to "
        text += "largest seed."
    return text
