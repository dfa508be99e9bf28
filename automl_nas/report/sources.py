"""Where a report's numbers come from: studies, their runs, and what failed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_nas.report.groups import Group
from automl_nas.results import Results

_SHOWN = 5
"""Trials named for each reason of failure."""
_LONGEST = 400
"""Characters shown of a reason."""


@dataclass(frozen=True)
class Failure:
    """Evaluations that failed for one reason."""

    reason: str
    count: int
    where: str
    """The first of them: study and trial."""


@dataclass(frozen=True)
class Origin:
    """One study, where its numbers come from."""

    study: str
    searcher: str
    seed: int
    trials: int
    """Finished trials."""
    sessions: int
    """Runs of the program that wrote to it; more than one: it was resumed."""


@dataclass(frozen=True)
class Fact:
    """Something about the sessions, such as the Python version."""

    name: str
    values: tuple[str, ...]
    """Different values, each with its number of sessions where there are several."""


def failures(groups: Sequence[Group]) -> list[Failure]:
    """Reasons of failure, the most frequent first."""
    found: dict[str, list[str]] = {}
    for run in _runs(groups):
        for record in run.records:
            if record.status == "failed":
                reason = masked(record.failure)[:_LONGEST] or "no reason given"
                found.setdefault(reason, []).append(f"{run.name} trial {record.number}")
    listed = [Failure(reason, len(where), _first(where)) for reason, where in found.items()]
    return sorted(listed, key=lambda failure: (-failure.count, failure.reason))


def _first(where: Sequence[str]) -> str:
    more = len(where) - _SHOWN
    return ", ".join(where[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def origins(groups: Sequence[Group]) -> list[Origin]:
    """Every study, in the order of the page."""
    return [
        Origin(run.name, series.label, run.seed, len(run.records), len(run.sessions))
        for group in groups
        for series in group.series
        for run in series.runs
    ]


def facts(groups: Sequence[Group]) -> list[Fact]:
    """What the sessions say of themselves."""
    sessions = [session for run in _runs(groups) for session in run.sessions]
    storages = Counter(masked(run.storage) for run in _runs(groups) if run.storage)
    named = {
        "Storage": storages,
        "Command": Counter(masked(" ".join(map(str, s.get("command", ())))) for s in sessions),
        "Git": Counter(_text(s.get("git")) for s in sessions),
        "Python": Counter(_text(s.get("python")) for s in sessions),
        "Platform": Counter(_text(s.get("platform")) for s in sessions),
        "Versions": Counter(_versions(s.get("versions", {})) for s in sessions),
        "Sessions": Counter({_span(sessions): 1}) if sessions else Counter(),
    }
    return [
        Fact(name, _values(counted, "studies" if name == "Storage" else "sessions"))
        for name, counted in named.items()
        if counted
    ]


def _values(counted: Counter[str], what: str) -> tuple[str, ...]:
    if len(counted) == 1:
        return tuple(counted)
    return tuple(f"{value} ({n} {what})" for value, n in counted.items())


def _text(value: Any) -> str:
    return "not in a repository" if value is None else str(value)


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in sorted(versions.items()))


def _span(sessions: Sequence[Mapping[str, Any]]) -> str:
    starts = sorted(str(session.get("started", "")) for session in sessions)
    if starts[0] == starts[-1]:
        return f"{len(sessions)}, started {starts[0]}"
    return f"{len(sessions)}, started {starts[0]} to {starts[-1]}"


def masked(text: str) -> str:
    """The text without the passwords of URLs in it."""
    return re.sub(r"(://[^\s:/@]*):[^\s/@]*@", r"\1:***@", text)


def _runs(groups: Sequence[Group]) -> list[Results]:
    return [run for group in groups for run in group.runs]
