"""`automl-nas selftest resume`: kill studies of every searcher and compare what they come to."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from automl_nas.commands.options import WORKERS
from automl_nas.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from automl_nas.selftest import Outcome, Row
    from automl_nas.selftest.plan import Progress

_FORMATS = (".md", ".json")


@click.group()
def selftest() -> None:
    """Check on this machine what the library promises."""


@selftest.command()
@click.option("--kills", type=click.IntRange(1), default=20, show_default=True, help="A searcher.")
@click.option(
    "--searcher",
    "searchers",
    multiple=True,
    metavar="NAME",
    help="Only this one; may be repeated. [default: all]",
)
@click.option("--storage", default="sqlite", show_default=True, help="sqlite, journal or an URL.")
@click.option("--seed", default=0, show_default=True, help="Of the studies and of the kills.")
@click.option("--out", help="Also write the table here: FILE.md or FILE.json.")
@WORKERS
def resume(
    kills: int,
    searchers: tuple[str, ...],
    storage: str,
    seed: int,
    out: str | None,
    workers: int | None,
) -> None:
    """Kill studies of every searcher, resume them, compare with uninterrupted ones.

    Exit code 1: a resumed study differs.
    """
    from automl_nas.selftest import resume as test
    from automl_nas.terminal import console

    if out and Path(out).suffix not in _FORMATS:
        raise SettingError(f"--out {out}: expected a file that ends with .md or .json.")
    with _progress() as progress:
        outcome = test(
            kills=kills,
            searchers=searchers,
            storage=storage,
            seed=seed,
            workers=workers,
            progress=progress,
        )
    screen = console()
    screen.print(_table(outcome))
    for line in _below(outcome):
        click.echo(line)
    if out:
        _write(outcome, Path(out))
    sys.exit(0 if outcome.passed else 1)


@contextmanager
def _progress() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bars:
        tasks = {what: bars.add_task(what, total=None) for what in ("uninterrupted", "killed")}
        yield lambda what, done, total: bars.update(tasks[what], completed=done, total=total)


def _table(outcome: Outcome) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False, padding=0)
    table.add_column("searcher", overflow="fold")
    for kind in _kinds(outcome):
        table.add_column(kind, justify="right")
    table.add_column("s", justify="right", no_wrap=True)
    for row in outcome.rows:
        cells = [_cell(row, kind) for kind in _kinds(outcome)]
        styles = ["red" if "DIFF" in cell else "green" for cell in cells]
        shown = [Text(cell, style=style) for cell, style in zip(cells, styles, strict=True)]
        table.add_row(Text(row.searcher), *shown, f"{row.seconds:.0f}")
    return table


def _kinds(outcome: Outcome) -> list[str]:
    """Kinds of kill that happened to any searcher, in the order of a trial's life."""
    from automl_nas.selftest.events import KINDS

    return [kind for kind in KINDS if any(row.kills.get(kind) for row in outcome.rows)]


def _cell(row: Row, kind: str) -> str:
    """Kills that happened, and whether they changed anything."""
    if kind in row.differences:
        return f"{row.kills[kind]} DIFF"
    return str(row.kills[kind]) if row.kills.get(kind) else "-"


def _below(outcome: Outcome) -> list[str]:
    """What the table does not say."""
    from automl_nas.selftest.events import KINDS

    lines = [f"{kind}: {KINDS[kind]}." for kind in _kinds(outcome)]
    lines += [f"refused: {row.searcher}: {row.refused}" for row in outcome.rows if row.refused]
    for row in outcome.rows:
        lines += [f"DIFF: {row.searcher}, {k}: {text}" for k, text in row.differences.items()]
    return [*lines, _verdict(outcome)]


def _verdict(outcome: Outcome) -> str:
    tested = [row for row in outcome.rows if row.kills]
    same = sum(not row.differences for row in tested)
    return (
        f"{outcome.kills} kills in {outcome.seconds:.0f} s ({outcome.storage}, seed "
        f"{outcome.seed}): {same} of {len(tested)} searchers resumed exactly."
    )


def _write(outcome: Outcome, path: Path) -> None:
    if path.suffix == ".json":
        path.write_text(json.dumps({**asdict(outcome), "passed": outcome.passed}, indent=1) + "\n")
    else:
        path.write_text(markdown(outcome))
    click.echo(f"wrote {path}")


def markdown(outcome: Outcome) -> str:
    """The table as Markdown, one row a searcher."""
    kinds = _kinds(outcome)
    rows = [["searcher", "space", "metrics", *kinds, "resumed"]]
    rows.append(["---"] * len(rows[0]))
    for row in outcome.rows:
        metrics = " and ".join(map(str, row.metrics)) or "-"
        verdict = "different" if row.differences else "identical" if row.kills else "refused"
        cells = [_cell(row, kind) for kind in kinds]
        rows.append([row.searcher, row.space or "-", metrics, *cells, verdict])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return "\n".join([table, "", *(f"- {line}" for line in _below(outcome)), ""])
