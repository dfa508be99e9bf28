"""What the commands show: the catalogue, live progress, the final tables."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any, get_args

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from automl_nas import registry
from automl_nas.errors import AutoMLNASError, StorageError
from automl_nas.parallel import Event, run_studies
from automl_nas.results import Results, load
from automl_nas.study import Study
from automl_nas.types import Cost

_FILE_WIDTH = 110
"""Columns of the tables where the output is not a terminal."""


def catalogue() -> None:
    """Prints what is registered, with the first line of each documentation."""
    console = Console()
    for kind in get_args(registry.Kind):
        table = Table("name", "", title=kind, title_justify="left", show_header=False, box=None)
        for name in registry.names(kind):
            table.add_row(*_entry(kind, name))
        console.print(table)


def _entry(kind: registry.Kind, name: str) -> tuple[str, str]:
    try:
        loaded = registry.load(kind, name)
    except AutoMLNASError:
        return name, "(cannot be imported: see `automl-nas doctor`)"
    summary = (loaded.__doc__ or "").strip().split("\n\n")[0]
    shown = [" ".join(summary.split()), ", ".join(getattr(loaded, "variants", ()))]
    return _spelt(kind, name, loaded), "\n".join(filter(None, shown))


def _spelt(kind: registry.Kind, name: str, loaded: Any) -> str:
    variant = registry.variant(loaded) if kind == "searcher" else None
    return f"{name}:{variant.upper()}" if variant else name


class _Progress:
    """One line a searcher: how much of its budget its studies have spent."""

    def __init__(self, studies: Sequence[Study], progress: Progress) -> None:
        self._studies = {study.name: study for study in studies}
        self._progress = progress
        self._spent: dict[str, tuple[int, Cost]] = {}
        self._done: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        for study in studies:
            name = study.searcher.name
            if name not in self._tasks:
                total = sum(s.searcher.name == name for s in studies)
                self._tasks[name] = progress.add_task(name, total=total)

    def begin(self, results: Sequence[Results]) -> None:
        """Counts what earlier runs have spent."""
        for one in results:
            if one.name in self._studies:
                self._spent[one.name] = (len(one.records), one.total)
                self._update(one.name)

    def on_event(self, event: Event) -> None:
        """Moves the bar of the event's searcher."""
        if event.record is not None:
            trials, cost = self._spent.get(event.study, (0, Cost()))
            self._spent[event.study] = (trials + 1, cost + event.record.cost)
        self._update(event.study, finished=event.record is None)

    def _update(self, name: str, *, finished: bool = False) -> None:
        study = self._studies[name]
        trials, cost = self._spent.get(name, (0, Cost()))
        share = study.budget.share(trials, cost, study.objective.full_training_flops)
        self._done[name] = 1.0 if finished else min(share, 0.99)
        searcher = study.searcher.name
        mine = [n for n, s in self._studies.items() if s.searcher.name == searcher]
        done = sum(self._done.get(n, 0.0) for n in mine)
        self._progress.update(self._tasks[searcher], completed=done)


def run_with_progress(
    studies: Sequence[Study], storage: str, workers: int, *, accept: Collection[str] = ()
) -> None:
    """Runs or resumes the studies in worker processes with live bars on standard error."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>24}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.0f} runs"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        shown = _Progress(studies, progress)
        shown.begin(stored(storage, [study.name for study in studies]))
        run_studies(studies, storage, workers=workers, accept=accept, on_event=shown.on_event)


def stored(storage: str, names: Sequence[str]) -> list[Results]:
    """Those of the named studies that the storage holds, in the order of `names`."""
    try:
        found = {results.name: results for results in load(storage)}
    except StorageError:
        return []
    return [found[name] for name in names if name in found]


def show(results: Sequence[Results], *, ranking: bool = True) -> None:
    """Prints the summary tables, best searcher first when `ranking`."""
    from automl_nas.report import summary
    from automl_nas.report.terminal import tables

    screen = console()
    for table in tables(summary(results, ranking=ranking)):
        screen.print(table)


def console() -> Console:
    """Where tables are printed: as wide as the terminal, or as a file should be."""
    screen = Console()
    if not screen.is_terminal and "COLUMNS" not in os.environ:
        screen.width = _FILE_WIDTH
    return screen
