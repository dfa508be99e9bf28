"""`automl-nas run STUDY` and `automl-nas resume STORAGE`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from automl_nas.commands.options import ACCEPT, SEARCHER, WORKERS, url
from automl_nas.errors import SettingError

if TYPE_CHECKING:
    from automl_nas.results import Results


@click.command()
@click.argument("study")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--storage", default="sqlite:///study.db", show_default=True, help="Where to record.")
@SEARCHER
@WORKERS
@ACCEPT
def run(
    study: str,
    settings: tuple[str, ...],
    storage: str,
    searchers: tuple[str, ...],
    workers: int | None,
    accept: tuple[str, ...],
) -> None:
    """Run (or resume) the registered STUDY with keyword settings such as seeds=5."""
    from automl_nas.definitions import define
    from automl_nas.terminal import run_with_progress, show, stored

    given = dict(map(_setting, settings))
    chosen = {"searchers": list(searchers)} if searchers else {}
    studies = define(study, {**given, **chosen})
    storage = url(storage)
    run_with_progress(studies, storage, workers or os.cpu_count() or 1, accept=accept)
    show(stored(storage, [one.name for one in studies]))


def _setting(text: str) -> tuple[str, Any]:
    from automl_nas.spelling import setting

    try:
        return setting(text)
    except SettingError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("storage")
@WORKERS
@ACCEPT
def resume(storage: str, workers: int | None, accept: tuple[str, ...]) -> None:
    """Go on with whatever is unfinished of the studies in STORAGE.

    Studies that `automl-nas` started are made again from their stored definitions, those of them
    that had not begun included. For studies of a script it shows the command to run again.
    """
    from automl_nas.commands.states import states
    from automl_nas.definitions import defined, definition
    from automl_nas.results import load
    from automl_nas.terminal import run_with_progress, show, stored

    storage = url(storage)
    before = load(storage)
    studies = defined(before)
    names = [study.name for study in studies]
    if studies:
        run_with_progress(studies, storage, workers or os.cpu_count() or 1, accept=accept)
        show(stored(storage, names))
    after = states(storage)
    if finished := [name for name in names if after[name] == "finished"]:
        click.echo(f"finished: {len(finished)} of {len(names)} studies.")
    for one in before:
        if one.name not in names:
            _tell(one, after[one.name], by_name=definition(one) is not None)


def _tell(results: Results, state: str, *, by_name: bool) -> None:
    """A study that only its own script can go on with."""
    if state == "finished" or by_name:
        click.echo(f"{results.name}: {state}")
        return
    click.echo(f"{results.name}: {state}; to go on:\n  {_command(results.sessions)}")


def _command(sessions: Sequence[Mapping[str, Any]]) -> str:
    """What was typed when the study was run last."""
    session = sessions[-1] if sessions else {}
    words = [str(word) for word in session.get("command") or ()]
    if not words or words[0] in ("", "-c"):
        return "run its program again (it was started without a file)"
    program = ["python"] if words[0].endswith(".py") else []
    folder = session.get("folder")
    where = f"cd {shlex.quote(folder)} && " if folder else ""
    return where + shlex.join([*program, *words])
