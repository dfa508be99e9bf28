"""Where tables come from: official files in a folder of the user's, never fetched.

    table = open("nasbench201", task="cifar100", path="~/benchmarks")

A benchmark is a module with `SOURCES`, registered in the entry-point group `automl_nas.tables`. A
`Source` is one published layout: which files it has and how they become a `Table`. The first source
whose files are all there is read, unless `layout` names another; one that is only a part of its
benchmark (a folder with three of 15,625 files) waits until no whole one is found.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_nas import registry
from automl_nas.errors import MissingTable, UnknownName
from automl_nas.tables.table import Table

VARIABLE = "AUTOML_NAS_DATA"
"""Environment variable with the folder of tables, where no path is given."""
_DEPTH = ("", "*", "*/*")
"""A file lies in the folder itself or at most two levels below."""


@dataclass(frozen=True)
class File:
    """One official file of a source."""

    name: str
    """File name, or `folder/name`; `{task}` stands for the task."""
    size: int | None = None
    """Bytes, where known."""
    sha256: str = ""
    """Checksum, where known; compared by `automl-nas data --check`."""
    origin: str = ""
    """Who publishes it and under which name, in words."""


@dataclass(frozen=True)
class Source:
    """One published layout of a benchmark."""

    name: str
    """What the layout is called, such as `NATS-Bench simple folder`."""
    tasks: tuple[str, ...]
    """Tasks that can be read from it."""
    files: tuple[File, ...]
    """All of them are needed."""
    read: Callable[..., Table]
    """`read(paths, task, **options)`: the found paths in the order of `files`, then of `extras`."""
    licence: str = ""
    """Of the data, in words."""
    extras: tuple[File, ...] = ()
    """Files that add columns where they are found; their paths are None where they are not."""
    whole: Callable[[Sequence[Path]], bool] = lambda _paths: True
    """Whether the found files are all of the benchmark or a part of it, without reading them."""

    def find(self, folder: Path, task: str) -> tuple[Path | None, ...]:
        """The path of each needed file under the folder; None: not there."""
        return tuple(find(folder, file.name.format(task=task)) for file in self.files)

    def find_extras(self, folder: Path, task: str) -> tuple[Path | None, ...]:
        """The path of each extra file under the folder; None: not there."""
        return tuple(find(folder, file.name.format(task=task)) for file in self.extras)


def open(
    benchmark: str,
    task: str | None = None,
    *,
    path: str | Path | None = None,
    layout: str | None = None,
    **options: Any,
) -> Table:
    """Reads a table into memory.

    Args:
        benchmark: a registered name, such as `nasbench201`.
        task: one of the benchmark's tasks; None: its first.
        path: folder (searched two levels deep) or one file; None: the folder `AUTOML_NAS_DATA`.
        layout: name of the source to read, such as `NASLib pickle`; None: the first that is there.
        options: what the benchmark's reader takes besides, see its module.

    Raises:
        UnknownName: there is no such benchmark, task or layout.
        MissingTable: the files are not there; the message lists what is expected.
        TableError: a file is malformed, truncated or hostile.
    """
    sources: tuple[Source, ...] = registry.load("table", benchmark).SOURCES
    known = list(dict.fromkeys(name for source in sources for name in source.tasks))
    chosen = known[0] if task is None else task
    if chosen not in known:
        raise UnknownName(f"task of {benchmark}", chosen, known)
    able = [source for source in sources if chosen in source.tasks]
    if layout is not None:
        able = [source for source in able if source.name == layout]
        if not able:
            names = [source.name for source in sources if chosen in source.tasks]
            raise UnknownName(f"layout of {benchmark}/{chosen}", layout, names)
    folder = data_folder(path)
    found = _first(able, folder, chosen) if folder else None
    if found is None or folder is None:
        raise MissingTable(f"{benchmark}/{chosen}", _expected(able, chosen), folder)
    source, paths = found
    return source.read((*paths, *source.find_extras(folder, chosen)), chosen, **options)


def _first(
    sources: Sequence[Source], folder: Path, task: str
) -> tuple[Source, tuple[Path, ...]] | None:
    """The first source that is all there and whole, else the first that is there."""
    partial = None
    for source in sources:
        paths = tuple(path for path in source.find(folder, task) if path is not None)
        if len(paths) < len(source.files):
            continue
        if source.whole(paths):
            return source, paths
        partial = partial or (source, paths)
    return partial


def data_folder(path: str | Path | None) -> Path | None:
    """The folder to search: the given one, else that of the environment variable."""
    given = os.environ.get(VARIABLE) if path is None else path
    return None if given is None else Path(given).expanduser()


def find(folder: Path, name: str) -> Path | None:
    """The file (or `folder/name`) in the folder or at most two levels below; None: not there."""
    if folder.is_file():
        return folder if folder.match(name) else None
    return next((p for depth in _DEPTH for p in sorted(folder.glob(f"{depth}/{name}".lstrip("/")))),
                None)  # fmt: skip


def _expected(sources: list[Source], task: str) -> Iterator[tuple[str, list[str]]]:
    for source in sources:
        yield source.name, [file.name.format(task=task) for file in source.files]
