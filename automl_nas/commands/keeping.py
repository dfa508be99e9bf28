"""`automl-nas studies`, `rename` and `delete`: what a storage holds, and putting it in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from automl_nas.commands.options import url
from automl_nas.errors import AutoMLNASError, StudyError, UnknownName

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from automl_nas.results import Results


@click.command()
@click.argument("storage")
def studies(storage: str) -> None:
    """List the studies in STORAGE (an URL or the path of an SQLite file)."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from automl_nas.commands.states import states
    from automl_nas.results import load
    from automl_nas.terminal import console

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("study", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("trials", justify="right", no_wrap=True)
    table.add_column("best", overflow="fold")
    storage = url(storage)
    known = states(storage)
    for one in load(storage):
        row = (one.name, known[one.name], str(len(one.records)), _best(one))
        table.add_row(*map(Text, row))
    console().print(table)


def _best(results: Results) -> str:
    """The value of the answer; with several metrics the size of the front."""
    if not any(record.selectable for record in results.records):
        return "nothing measured yet"
    try:
        if len(results.optimize) > 1:
            return f"{len(results.front())} on the front"
        metric = results.optimize[0]
        return f"{metric.name} {results.best.values[metric.name]:.4g} {metric.unit}".rstrip()
    except StudyError:
        return "nothing feasible yet"


@click.command()
@click.argument("storage")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Really do it.")
def delete(storage: str, name: str, *, yes: bool) -> None:
    """Delete study NAME, its records and its files, from STORAGE."""
    import shutil

    from automl_nas import storages
    from automl_nas.parts import folder as study_folder

    storage = url(storage)
    with storages.translated(storage):
        opened, study_id = _found(storage, name)
        count = opened.get_n_trials(study_id)
        if not yes:
            raise AutoMLNASError(
                f"this would delete study {name!r} with {count} trials for good: "
                "repeat it with --yes."
            )
        opened.delete_study(study_id)
        storages.close(opened)
    folder = study_folder(storage, name)
    if folder is not None and folder.exists():
        shutil.rmtree(folder)
    click.echo(f"deleted {name} with {count} trials")


@click.command()
@click.argument("storage")
@click.argument("name")
@click.argument("new")
def rename(storage: str, name: str, new: str) -> None:
    """Give study NAME in STORAGE the name NEW; a script has to use the new name, too."""
    from automl_nas import storages
    from automl_nas.parts import folder as study_folder

    storage = url(storage)
    with storages.translated(storage):
        opened, study_id = _found(storage, name)
        if new in {study.study_name for study in opened.get_all_studies()}:
            raise StudyError(f"{storage} holds a study {new!r} already: choose another name.")
        _rename(opened, study_id, new)
        storages.close(opened)
    old_folder, new_folder = study_folder(storage, name), study_folder(storage, new)
    if old_folder is not None and new_folder is not None and old_folder.exists():
        old_folder.rename(new_folder)
    click.echo(f"renamed {name} to {new}")


def _rename(opened: BaseStorage, study_id: int, new: str) -> None:
    """At once in a database. A journal cannot be changed: the study is copied, then deleted."""
    from optuna import copy_study
    from optuna.storages import RDBStorage
    from sqlalchemy import text

    from automl_nas.storages import quiet_optuna

    if isinstance(opened, RDBStorage):
        with opened.engine.begin() as connection:
            statement = text("UPDATE studies SET study_name = :new WHERE study_id = :id")
            connection.execute(statement, {"new": new, "id": study_id})
        return
    name = opened.get_study_name_from_id(study_id)
    with quiet_optuna():
        copy_study(from_study_name=name, from_storage=opened, to_storage=opened, to_study_name=new)
    opened.delete_study(study_id)


def _found(storage: str, name: str) -> tuple[BaseStorage, int]:
    """The open storage with the id of a study that nobody runs.

    Raises:
        UnknownName: there is no such study.
        StudyError: it is running.
    """
    from automl_nas import storages
    from automl_nas.commands.states import states

    known = states(storage)
    if name not in known:
        raise UnknownName("study of this storage", name, known)
    if known[name] == "running":
        raise StudyError(f"study {name!r} is running: wait for its end, or stop it.")
    opened = storages.open_storage(storage, create=False)
    return opened, opened.get_study_id_from_name(name)
