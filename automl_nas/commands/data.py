"""`automl-nas data`: which published tables are in the user's folder, and what the others need.

Nothing is downloaded. `--check` compares sizes and SHA-256 sums where the publishers give them, and
ends with code 1 if one differs.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from automl_nas import registry
from automl_nas.errors import AutoMLNASError, TableError
from automl_nas.tables.sources import VARIABLE, File, Source, data_folder

_BLOCK = 1 << 20


@click.command()
@click.option("--data", "folder", metavar="PATH", help=f"Folder of tables. [default: {VARIABLE}]")
@click.option("--check", is_flag=True, help="Compare sizes and checksums; reads whole files.")
def data(folder: str | None, check: bool) -> None:  # noqa: FBT001 - click calls it by name
    """Show which published tables are found, and the files of those that are not."""
    where = data_folder(folder)
    if where is None or not where.is_dir():
        raise TableError(
            f"expected a folder of tables, got {where}: say --data PATH or set {VARIABLE}."
        )
    wrong = 0
    for benchmark in registry.names("table"):
        click.echo(benchmark)
        try:
            sources: tuple[Source, ...] = registry.load("table", benchmark).SOURCES
        except (AutoMLNASError, AttributeError) as error:
            click.echo(f"  cannot be read: {error}")
            continue
        for source in sources:
            wrong += _show(source, where, check=check)
    sys.exit(1 if wrong else 0)


def _show(source: Source, folder: Path, *, check: bool) -> int:
    """One source with its tasks; how many of its files differ from the published ones."""
    found = {task: source.find(folder, task) for task in source.tasks}
    there = [task for task, paths in found.items() if all(paths)]
    click.echo(f"  {source.name}: {_state(source, found, there)}")
    wrong = 0
    for task, file, path in _files(source, folder, source.extras if there else ()):
        if path is None:
            word = "optional" if file in source.extras else "missing "
            click.echo(f"    {word} {_described(file, task)}")
            continue
        verdict = _verdict(file, path) if check else ""
        wrong += verdict.startswith(" DIFFERS")
        click.echo(f"    found    {path} ({path.stat().st_size:,} bytes){verdict}")
    return wrong


def _state(source: Source, found: dict[str, tuple[Path | None, ...]], there: list[str]) -> str:
    if not there:
        return f"not here ({', '.join(source.tasks)})"
    whole = source.whole([path for path in found[there[0]] if path is not None])
    return ", ".join(there) + ("" if whole else " (a part of the architectures)")


def _files(
    source: Source, folder: Path, extras: tuple[File, ...]
) -> Iterator[tuple[str, File, Path | None]]:
    """(task, file, path) of each needed and extra file, those that tasks share once."""
    seen: set[str] = set()
    for task in source.tasks:
        needed = zip(source.files, source.find(folder, task), strict=True)
        extra = zip(extras, source.find_extras(folder, task), strict=bool(extras))
        for file, path in (*needed, *extra):
            if file.name.format(task=task) not in seen:
                seen.add(file.name.format(task=task))
                yield task, file, path


def _described(file: File, task: str) -> str:
    size = "" if file.size is None else f", {file.size:,} bytes"
    sum_ = f", sha256 {file.sha256}" if file.sha256 else ""
    origin = f" - {file.origin}" if file.origin else ""
    return f"{file.name.format(task=task)}{size}{sum_}{origin}"


def _verdict(file: File, path: Path) -> str:
    if file.size is not None and path.stat().st_size != file.size:
        return f" DIFFERS: {file.size:,} bytes were published"
    if not file.sha256:
        return " (no checksum was published)" if file.size is None else " as published"
    if _sha256(path) != file.sha256:
        return f" DIFFERS: sha256 {file.sha256} was published"
    return " as published"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
