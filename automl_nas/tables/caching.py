"""What took minutes to read, kept in one file, only where the user asks for it.

    table = kept(cache, "nasbench201-cifar100-200", stamp, read)

`cache` is a folder of the user's; None reads and keeps nothing. The stamp describes the official
files (names, sizes, times): if they change, the table is read again.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from automl_nas.errors import TableError
from automl_nas.tables.safe import reading
from automl_nas.tables.table import Column, Table
from automl_nas.types import Fidelity, Metric

_VERSION = 1


def stamp(paths: Iterable[Path]) -> str:
    """Names, sizes and times of the files, in short."""
    found = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(paths)]
    size, newest = sum(f[1] for f in found), max((f[2] for f in found), default=0)
    return f"{_VERSION}: {len(found)} files, {size} bytes, newest {newest}"


def kept(cache: str | Path | None, name: str, described: str, read: Callable[[], Table]) -> Table:
    """The table from the cache if it describes the same files, else read and then kept.

    Raises:
        TableError: the table cannot be read, or the cache's folder cannot be written.
    """
    if cache is None:
        return read()
    path = Path(cache).expanduser() / f"{name}.table.npz"
    if path.exists():
        with contextlib.suppress(TableError):  # a damaged cache is read again
            table = load(path, described)
            if table is not None:
                return table
    table = read()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(table, path, described)
    except OSError as error:
        raise TableError(f"the cache {path.parent} cannot be written: {error}.") from error
    return table


def save(table: Table, path: Path, described: str) -> None:
    """Writes the table; whoever reads meanwhile sees the old file or the new one."""
    about = {
        "stamp": described,
        "name": table.name,
        "fidelity": None if table.fidelity is None else asdict(table.fidelity),
        "fidelities": table.fidelities,
        "seeds": table.seeds,
        "continues": table.continues,
        "source": table.source,
        "columns": [_about(column) for column in table.columns.values()],
    }
    values: dict[str, Any] = {
        f"column{i}": column.values for i, column in enumerate(table.columns.values())
    }
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), keys=table.keys, **values)
    Path(temporary).replace(path)


def load(path: Path, described: str | None = None) -> Table | None:
    """The table of a file of `save`; None: it describes other official files.

    Raises:
        TableError: the file is damaged.
    """
    with reading(path, "a table kept by automl_nas"), path.open("rb") as raw, np.load(raw) as file:
        about = json.loads(str(file["about"]))
        if described is not None and about["stamp"] != described:
            return None
        columns = [
            Column(values=file[f"column{i}"], **_column(one))
            for i, one in enumerate(about["columns"])
        ]
        return Table(
            about["name"],
            file["keys"],
            {column.metric.name: column for column in columns},
            Fidelity(**about["fidelity"]) if about["fidelity"] else None,
            tuple(about["fidelities"]),
            tuple(about["seeds"]),
            about["continues"],
            about["source"],
        )


def _about(column: Column) -> dict[str, Any]:
    return {
        "metric": asdict(column.metric),
        "axes": column.axes,
        "part": column.part,
        "note": column.note,
        "scale": column.scale,
    }


def _column(about: dict[str, Any]) -> dict[str, Any]:
    return {**about, "metric": Metric(**about["metric"]), "axes": tuple(about["axes"])}
