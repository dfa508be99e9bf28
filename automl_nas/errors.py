"""The exception tree. Every error says what was expected, what came, and the likely next step.

AutoMLNASError
├── UnknownName            a searcher, space, study or sampler that is not registered
├── SettingError           a setting out of its range (also a ValueError)
├── SpaceError             a search space that cannot be used
│   ├── UnsupportedSpace   a feature of the space that a searcher cannot express
│   └── SpaceExhausted     every configuration of a finite space has been measured
├── UnsupportedObjectives  a searcher cannot optimise this number of metrics
├── UnsupportedConstraints a searcher would ignore the study's constraints
├── MissingFidelity        a multi-fidelity searcher, but an objective without a fidelity
├── StudyError             a study that cannot go on
│   ├── StudyMismatch      reopened with another space, objective, searcher, seed or version
│   ├── StudyBusy          another live process is running it
│   └── TooManyFailures    the objective failed again and again
├── MeasurementError       an objective returned something that is not a measurement
├── StorageError           a storage that cannot be opened, read or written
├── TableError             a benchmark's file or row that cannot be used
│   └── MissingTable       its official files are not in the folder
└── MissingPackage         an optional dependency is not installed
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

_SHOWN = 80
"""Characters of a value that a message shows."""


class AutoMLNASError(Exception):
    """Root of every error this library raises on purpose; it travels between processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(
    kind: type[AutoMLNASError], args: tuple[Any, ...], attributes: Mapping[str, Any]
) -> AutoMLNASError:
    """An error from its parts: subclasses make their message from other arguments."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class UnknownName(AutoMLNASError):
    """A name that is not registered; the message lists the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = difflib.get_close_matches(name, self.known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(self.known)}."
        super().__init__(f"unknown {kind} {name!r}: {hint}")


class SettingError(AutoMLNASError, ValueError):
    """A setting out of its range."""


class SpaceError(AutoMLNASError):
    """A search space that cannot be used."""


class UnsupportedSpace(SpaceError):
    """A searcher cannot express a feature of the space."""


class SpaceExhausted(SpaceError):
    """Every configuration of a finite space has been measured."""


class UnsupportedObjectives(AutoMLNASError):
    """A searcher cannot optimise this number of metrics."""

    def __init__(self, searcher: str, expected: str, given: int, advice: str) -> None:
        self.searcher, self.given = searcher, given
        super().__init__(f"{searcher} optimises {expected}, got {given}: {advice}")


class UnsupportedConstraints(AutoMLNASError):
    """A searcher would ignore the study's constraints."""

    def __init__(self, searcher: str, metrics: Iterable[str]) -> None:
        self.searcher = searcher
        super().__init__(
            f"{searcher} cannot be told of constraints (on {', '.join(metrics)}): use "
            "optuna:tpe, optuna:gp, optuna:nsga2, optuna:nsga3, regularized-evolution, "
            "local-search or random."
        )


class MissingFidelity(AutoMLNASError):
    """A searcher needs cheaper measurements, which the objective does not have."""

    def __init__(self, searcher: str) -> None:
        self.searcher = searcher
        super().__init__(
            f"{searcher} measures at several fidelities, but the objective has none: give it a "
            'fidelity such as Fidelity("epochs", 27), or use the inner searcher alone.'
        )


class StudyError(AutoMLNASError):
    """A study that cannot go on."""


class StudyMismatch(StudyError):
    """A stored study was reopened with another identity.

    Attributes:
        differences: part of the identity -> (stored, given).
    """

    def __init__(self, name: str, differences: Mapping[str, tuple[object, object]]) -> None:
        self.name, self.differences = name, dict(differences)
        lines = [f"  {part}: {_change(old, new)}" for part, (old, new) in differences.items()]
        parts = list(dict.fromkeys(part.split(".")[0] for part in differences))
        accept = "" if "optimize" in parts else f", or run it with accept={parts}"
        super().__init__(
            f"study {name!r} is stored with another identity:\n"
            + "\n".join(lines)
            + f"\nGive the new study another name{accept}."
        )


def _change(old: object, new: object) -> str:
    if old is None or new is None:
        return f"only given: {_shown(new)}" if old is None else f"only stored: {_shown(old)}"
    return f"stored {_shown(old)}, given {_shown(new)}"


def _shown(value: object) -> str:
    """One legible line: what a named thing is, and no more of a long value than its beginning."""
    if isinstance(value, Mapping):
        inner = {k: v for k, v in value.items() if k not in ("name", "meta") and v is not None}
        text = ", ".join(
            f"{k} {v if isinstance(v, str) else json.dumps(v)}" for k, v in inner.items()
        )
    else:
        text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


class StudyBusy(StudyError):
    """Another live process is running this study."""


class TooManyFailures(StudyError):
    """The objective failed several times in a row; the failed records are kept."""


class MeasurementError(AutoMLNASError):
    """An objective returned something that is not a measurement of the study's metrics."""


class StorageError(AutoMLNASError):
    """A storage that cannot be opened, read or written."""


class TableError(AutoMLNASError):
    """A benchmark's table that is malformed, truncated or hostile, or lacks the row."""


class MissingTable(TableError):
    """The official files of a benchmark are not in the folder that was searched."""

    def __init__(
        self, table: str, expected: Iterable[tuple[str, list[str]]], folder: object
    ) -> None:
        self.table = table
        layouts = "\n".join(f"  {layout}: {', '.join(files)}" for layout, files in expected)
        nowhere = "anywhere: neither `path` nor AUTOML_NAS_DATA is given"
        where = f"in {folder}" if folder else nowhere
        super().__init__(
            f"the files of {table} were not found {where}. One of these layouts is expected "
            f"there or at most two folders below (`automl-nas data` says more):\n{layouts}"
        )


class MissingPackage(AutoMLNASError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, purpose: str) -> None:
        self.package = package
        super().__init__(f"{purpose} needs {package}: run `pip install {package}`.")
