"""One self-contained HTML page: inline SVG, no scripts, nothing loaded from anywhere.

Equal records give equal bytes, apart from measured seconds (elements of class `measured`) and the
section `provenance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl_nas.report import canvas, sources
from automl_nas.report.cells import Column, columns, explanation
from automl_nas.report.figures import figures
from automl_nas.report.groups import Group, summary
from automl_nas.report.naming import words
from automl_nas.results import Results

if TYPE_CHECKING:
    from automl_nas.study import Study

_TEMPLATE = Path(__file__).with_name("page.html.jinja")


@dataclass(frozen=True)
class Section:
    """A group as the page shows it."""

    objective: str
    optimised: str
    scale: str
    """How much was run, in words."""
    explanation: str
    measured: bool
    """Whether there is any answer."""
    columns: tuple[Column, ...]
    colours: tuple[str, ...]
    """One a row, the same as in the figures."""
    drawings: tuple[canvas.Drawing, ...]


def write(
    studies: Sequence[Study | Results],
    path: str | Path,
    *,
    title: str = "Search report",
    notes: Sequence[str] = (),
    ranking: bool = True,
) -> Path:
    """Writes the report of the studies to `path` and returns it.

    Args:
        studies: studies that have run, or their results.
        path: of the HTML file; missing folders are made.
        title: heading of the page.
        notes: sentences for the reader, such as what the data are.
        ranking: False for runs too small to compare searchers: sorted by name, and labelled so.

    Raises:
        StudyError: there is no study, or one has not run yet.
    """
    groups = summary(studies, ranking=ranking)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_render(groups, title, notes, ranking=ranking), encoding="utf-8")
    return target


def _render(groups: Sequence[Group], title: str, notes: Sequence[str], *, ranking: bool) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    styles = canvas.styles([series.label for group in groups for series in group.series])
    return template.render(
        title=title,
        notes=notes,
        ranking=ranking,
        sections=[
            _section(group, styles, f"g{number}", ranking=ranking)
            for number, group in enumerate(groups, start=1)
        ],
        failures=sources.failures(groups),
        origins=sources.origins(groups),
        facts=sources.facts(groups),
    )


def _section(group: Group, styles: canvas.Styles, prefix: str, *, ranking: bool) -> Section:
    return Section(
        objective=group.objective,
        optimised=" and ".join(words(metric) for metric in group.optimize),
        scale=_scale(group),
        explanation=explanation(group, ranking=ranking),
        measured=group.measured,
        columns=tuple(columns(group)),
        colours=tuple(styles[row.searcher].colour for row in group.rows),
        drawings=tuple(figures(group, styles, prefix=prefix)),
    )


def _scale(group: Group) -> str:
    runs = group.runs
    trials = sum(len(run.records) for run in runs)
    return ", ".join(
        f"{number:,} {word if number == 1 else plural}"
        for number, word, plural in (
            (len(group.series), "searcher", "searchers"),
            (len(runs), "study", "studies"),
            (trials, "trial", "trials"),
        )
    )
