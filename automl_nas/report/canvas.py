"""Drawing without global state: matplotlib figures as small SVG text for inline HTML.

    fig, ax = panel(height=3.1, labels=["random", "tpe"])
    ...
    svg = to_svg(fig, prefix="g1-curve")

Text stays text (the page's font), ids are prefixed so that many figures live in one page, and equal
drawings give equal bytes. Colours: Okabe and Ito 2008, without the yellow, which fades on white.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")
DASHES: Final = ("solid", (0, (6, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 0.8)))
"""Line styles; the next one begins when the colours have been used up."""

WIDTH: Final = 4.7
"""Inches of a panel: two fit on a page, and one stays legible on a phone."""
INK: Final = "#1f2328"
FAINT: Final = "#6b7280"

_RULES: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "svg.hashsalt": "automl_nas",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.edgecolor": "#9aa1ab",
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8eaee",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": "#9aa1ab",
    "ytick.color": "#9aa1ab",
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "savefig.dpi": 200,
}


@dataclass(frozen=True)
class Style:
    """How a searcher is drawn, everywhere on a page."""

    colour: str
    dash: Any


Styles = Mapping[str, Style]


@dataclass(frozen=True)
class Drawing:
    """A figure for the page."""

    title: str
    svg: str
    alt: str
    """What the figure shows, for those who cannot see it."""
    caption: str
    measured: bool = False
    """Whether it shows measured seconds, which differ between equal runs."""


def styles(labels: Sequence[str]) -> dict[str, Style]:
    """One style for each label: by name, so that ranks do not change colours."""
    return {
        label: Style(COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)])
        for i, label in enumerate(sorted(set(labels)))
    }


@contextmanager
def rules() -> Iterator[None]:
    """The look of our figures; matplotlib's own settings come back afterwards."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RULES)
        yield


def panel(*, labels: Sequence[str], height: float = 3.1) -> tuple[Figure, Axes]:
    """An empty figure with room for `labels` at its right; call it inside `rules()`."""
    from matplotlib.figure import Figure

    tall = max(height, 0.19 * len(labels) + 0.8)
    fig = Figure(figsize=(WIDTH, tall))
    longest = max((len(short(label)) for label in labels), default=0)
    room = 0.34 + 0.074 * longest if labels else 0.15
    ax = fig.add_axes((0.64 / WIDTH, 0.52 / tall, 1 - (0.64 + room) / WIDTH, 1 - 0.66 / tall))
    return fig, ax


def log_x(ax: Axes) -> None:
    """A logarithmic x axis with short labels."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    subs = (1.0,) if high / low > 100 else (1.0, 3.0) if high / low > 20 else (1.0, 2.0, 5.0)
    ax.xaxis.set_major_locator(LogLocator(subs=subs))
    ax.xaxis.set_major_formatter(FuncFormatter(amount))
    ax.xaxis.set_minor_formatter(NullFormatter())


def end_labels(ax: Axes, ends: Sequence[tuple[str, float, float]], styles: Styles) -> None:
    """Names at the right, in the order of the final values, joined to curves that end there.

    Args:
        ax: the axes, with final limits.
        ends: label and last point of each curve; x infinite for a dashed line all across.
        styles: by label.
    """
    box, inches = ax.get_position(), ax.figure.get_size_inches()  # type: ignore[union-attr]
    across, gap = 1 / (72 * box.width * inches[0]), 0.165 / (box.height * inches[1])
    to_axes = ax.transAxes.inverted()
    levels = [float(to_axes.transform(ax.transData.transform((1, y)))[1]) for *_, y in ends]
    right = ax.get_xlim()[1]
    places = spread(levels, gap, 0.0, 1.0)
    for (label, x, _), level, place in zip(ends, levels, places, strict=True):
        style = styles[label]
        dash: Any = (0, (1.5, 0.7)) if math.isinf(x) else style.dash
        line: Any = {"color": style.colour, "transform": ax.transAxes, "clip_on": False}
        ax.plot([1 + 9 * across, 1 + 18 * across], [place, place], lw=2.2, ls=dash, **line)
        if x >= 0.97 * right:
            ax.plot([1 + 3 * across, 1 + 9 * across], [level, place], lw=0.8, **line)
        ax.text(
            1 + 22 * across, place, short(label), transform=ax.transAxes, va="center_baseline",
            size=9,
        )  # fmt: skip


def short(label: str, longest: int = 22) -> str:
    """The label with its middle left out where it is long."""
    return label if len(label) <= longest else f"{label[: longest - 9]}…{label[-8:]}"


def to_svg(fig: Figure, prefix: str) -> str:
    """The figure as an `<svg>` element with ids that begin with `prefix`."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    fig.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(?<=[ "(-])(\d+\.\d\d)\d+', r"\1", svg)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    return re.sub(r"<svg [^>]*>", _root(svg), svg, count=1)


def _root(svg: str) -> str:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    width, height = (found[1], found[2]) if found else ("1", "1")
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {namespaces} viewBox="0 0 {width} {height}" aria-hidden="true">'


def spread(targets: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least `gap` apart inside low .. high, as near to `targets` as possible.

    Least squares: isotonic regression of targets minus their offsets (pool adjacent violators).
    """
    order = sorted(range(len(targets)), key=lambda i: (targets[i], i))
    gap = min(gap, (high - low) / max(1, len(order) - 1))
    blocks: list[list[float]] = []
    for rank, index in enumerate(order):
        blocks.append([targets[index] - rank * gap])
        while len(blocks) > 1 and _centre(blocks[-2]) >= _centre(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    flat = [_centre(block) for block in blocks for _ in block]
    top = high - (len(order) - 1) * gap
    places = [0.0] * len(order)
    for rank, index in enumerate(order):
        places[index] = min(max(flat[rank], low), top) + rank * gap
    return places


def _centre(block: Sequence[float]) -> float:
    return sum(block) / len(block)


def amount(value: float, _position: int | None = None) -> str:
    """A short tick label: 0.05, 20, 1.5k, 3M."""
    size = abs(value)
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= limit:
            return f"{value / limit:.4g}{letter}"
    return f"{value:.4g}" if size >= 1e-4 or size == 0 else f"{value:.0e}"
