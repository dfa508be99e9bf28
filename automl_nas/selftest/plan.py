"""Which studies are killed where: references first, then chains of kills, in parallel.

A chain is one study whose process is killed, started again, killed again, and at last left to end.
All kills of a chain are of one kind (`events.KINDS`), so that a difference names its cause; each
process of a chain has another hash seed than the one before. A kill that came too late does not
count and is made up for.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_nas import registry, seeds, spelling
from automl_nas.errors import AutoMLNASError, SettingError, UnknownName
from automl_nas.selftest.places import Places, places
from automl_nas.selftest.pool import Servers, servers

_CHAIN = 4
"""Kills of one chain at most."""
_EXTRA = 5
"""Chains more than planned that make up for kills that came too late."""
_SLOW = 4.0
"""Seconds of a study after which its searcher gets fewer proposals to make by its model."""
_REFUSALS = (
    "MissingPackage",
    "SettingError",
    "SpaceError",
    "UnsupportedConstraints",
    "UnsupportedObjectives",
    "UnsupportedSpace",
)
"""Errors by which a searcher says that it cannot do a study."""

Progress = Callable[[str, int, int], None]
"""Called with what is done now, how many of these are done, and of how many."""


@dataclass(frozen=True)
class Row:
    """One searcher."""

    searcher: str
    space: str = ""
    """The space it was tested on; empty: none."""
    metrics: tuple[int, ...] = ()
    """Numbers of metrics that it was tested with."""
    refused: str = ""
    """Why it was not tested."""
    kills: Mapping[str, int] = field(default_factory=dict)
    """Kind -> kills that really happened."""
    differences: Mapping[str, str] = field(default_factory=dict)
    """Kind -> the first difference to the uninterrupted run."""
    seconds: float = 0.0
    """Of all its processes."""


@dataclass(frozen=True)
class Outcome:
    """What the self-test found."""

    rows: tuple[Row, ...]
    storage: str
    seed: int
    seconds: float
    """Wall time."""

    @property
    def kills(self) -> int:
        """That really happened."""
        return sum(sum(row.kills.values()) for row in self.rows)

    @property
    def passed(self) -> bool:
        """Whether nothing differs and something was tested."""
        return self.kills > 0 and not any(row.differences for row in self.rows)


@dataclass(frozen=True)
class _Reference:
    """A case with what its uninterrupted run showed."""

    case: dict[str, Any]
    shown: dict[str, Any]
    counts: Mapping[str, int]
    seconds: float


def resume(
    *,
    kills: int = 20,
    searchers: Sequence[str] = (),
    storage: str = "sqlite",
    seed: int = 0,
    workers: int | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> Outcome:
    """Kills `kills` processes of every searcher and compares what their studies come to.

    Args:
        kills: for each searcher, spread over the kinds of kill.
        searchers: names; default: all registered ones, with all variants.
        storage: "sqlite" or "journal" (files of its own), or an URL.
        seed: of the studies and of the kills.
        workers: studies at a time; default: one per core.
        progress: is told how far it is.

    Raises:
        UnknownName: a searcher is not registered.
        SettingError: the platform cannot fork processes.
    """
    if not hasattr(os, "fork"):
        raise SettingError("the self-test forks processes: run it on Linux or macOS.")
    started, chosen = time.monotonic(), _chosen(searchers)
    with _running(storage, chosen, workers or os.cpu_count() or 1) as (tester, pool):
        tester = dataclasses.replace(tester, seed=seed, kills=kills)
        found = _each(pool, tester.references, chosen, "uninterrupted", progress)
        tester.servers.preload(sorted(tester.modules))
        tasks = [task for references, _ in found for task in tester.tasks(references)]
        done = _each(pool, tester.killed, tasks, "killed", progress)
    rows = [_row(name, one[0], one[1], done) for name, one in zip(chosen, found, strict=True)]
    return Outcome(tuple(rows), storage, seed, time.monotonic() - started)


def _chosen(searchers: Sequence[str]) -> list[str]:
    known = spelling.names()
    for name in searchers:
        head = name.partition(":")[0]
        around = head in known and registry.variant(registry.load("searcher", head)) == "inner"
        if name not in known and not around:
            raise UnknownName("searcher", name, known)
    return list(dict.fromkeys(searchers)) or known


@contextmanager
def _running(
    storage: str, chosen: Sequence[str], workers: int
) -> Iterator[tuple[_Tester, ThreadPoolExecutor]]:
    folder = Path(tempfile.mkdtemp(prefix="nas-"))
    packages = {name for one in chosen for name in _packages(one)}
    try:
        with servers(folder, sorted(packages)) as started, places(storage, folder) as where:
            pool = ThreadPoolExecutor(workers)
            try:
                yield _Tester(started, where), pool
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _packages(searcher: str) -> list[str]:
    """Modules of a searcher's packages, and of the searcher, to be imported once."""
    loaded = registry.load("searcher", searcher.partition(":")[0])
    packages = getattr(loaded, "packages", ())
    return [loaded.__module__, *(name.replace("-", "_") for name in packages)]


def _each(
    pool: ThreadPoolExecutor,
    work: Callable[[Any], Any],
    items: Sequence[Any],
    what: str,
    progress: Progress,
) -> list[Any]:
    results = []
    progress(what, 0, len(items))
    for number, result in enumerate(pool.map(work, items), 1):
        results.append(result)
        progress(what, number, len(items))
    return results


@dataclass(frozen=True)
class _Task:
    """Kills of one kind for one searcher."""

    references: tuple[_Reference, ...]
    kind: str
    kills: int


@dataclass(frozen=True)
class _Done:
    searcher: str
    kind: str
    kills: int
    difference: str | None
    seconds: float


@dataclass(frozen=True)
class _Tester:
    """What all tasks share."""

    servers: Servers
    places: Places
    seed: int = 0
    kills: int = 0
    modules: set[str] = field(default_factory=set)
    """That children imported."""

    def references(self, name: str) -> tuple[tuple[_Reference, ...], str]:
        """Uninterrupted runs on the first space that the searcher can express; else the reason."""
        from automl_nas.selftest.subjects import METRICS, SPACES

        reason = ""
        for space in SPACES:
            cases = [
                {"searcher": name, "space": space, "metrics": count}
                for count in range(1, len(METRICS) + 1)
            ]
            answers = [self._affordable(case) for case in cases]
            found = tuple(one for one in answers if isinstance(one, _Reference))
            if found:
                return found, ""
            reason = str(answers[0])
        return (), reason

    def _affordable(self, case: dict[str, Any]) -> _Reference | str:
        found = self._reference(case)
        if isinstance(found, str) or found.seconds < _SLOW:
            return found
        return self._reference({**case, "late": True})

    def _reference(self, case: dict[str, Any]) -> _Reference | str:
        url, study = self.places.fresh()
        answer = self.servers.ask(0, self._job(case, url, study))
        self.places.drop(url, study)
        if "reason" in answer and answer["error"] in _REFUSALS:
            return str(answer["reason"])
        _check(case, answer)
        self.modules.update(answer["modules"])
        return _Reference(case, answer["shown"], answer["counts"], answer["seconds"])

    def _job(self, case: dict[str, Any], url: str, study: str, **more: Any) -> dict[str, Any]:
        return {"case": case, "seed": self.seed, "url": url, "study": study, **more}

    def tasks(self, references: Sequence[_Reference]) -> list[_Task]:
        """The kills of a searcher, spread over the kinds that it has events of."""
        from automl_nas.selftest.events import KINDS

        able = {
            kind: tuple(r for r in references if kind == "clock" or r.counts.get(kind))
            for kind in KINDS
        }
        kinds = [kind for kind, usable in able.items() if usable]
        shares = Counter(kinds[i % len(kinds)] for i in range(self.kills if kinds else 0))
        return [_Task(able[kind], kind, kills) for kind, kills in shares.items()]

    def killed(self, task: _Task) -> _Done:
        """Chains until the kills of a task have happened."""
        kills, seconds, difference = 0, 0.0, None
        allowed = -(-task.kills // _CHAIN) + _EXTRA
        fastest = min(reference.seconds for reference in task.references)
        for turn in range(allowed):
            if kills >= task.kills or difference:
                break
            reference = task.references[turn % len(task.references)]
            wanted = min(_CHAIN, task.kills - kills)
            reference = dataclasses.replace(reference, seconds=fastest)
            happened, spent, difference = self._chain(reference, task.kind, wanted, turn)
            kills, seconds = kills + happened, seconds + spent
            if happened < wanted:  # the machine is faster now than when the reference was run
                fastest /= 2
        name = task.references[0].case["searcher"]
        return _Done(name, task.kind, kills, difference, seconds)

    def _chain(
        self, reference: _Reference, kind: str, wanted: int, turn: int
    ) -> tuple[int, float, str | None]:
        """Kills that happened, seconds, and the first difference."""
        from automl_nas.selftest.shown import first_difference

        url, study = self.places.fresh()
        happened, seconds = 0, 0.0
        for step, kill in enumerate([*self._kills(reference, kind, wanted, turn), {}], 1):
            answer = self.servers.ask(step, self._job(reference.case, url, study, **kill))
            seconds += answer["seconds"]
            if not answer["killed"]:
                break
            happened += 1
        self.places.drop(url, study)
        broken = _broken(answer)
        return happened, seconds, broken or first_difference(reference.shown, answer["shown"])

    def _kills(
        self, reference: _Reference, kind: str, wanted: int, turn: int
    ) -> list[dict[str, Any]]:
        """Where the processes of a chain are killed, one after another."""
        case = reference.case
        rng = seeds.rng("kills", self.seed, case["searcher"], case["metrics"], kind, turn)
        if kind == "clock":
            return [{"after": float(rng.uniform(0, reference.seconds))} for _ in range(wanted)]
        events = reference.counts[kind]
        size = min(wanted, events)
        places = sorted(int(i) + 1 for i in rng.choice(events, size=size, replace=False))
        gaps = [b - a for a, b in zip([0, *places], places, strict=False)]
        return [{"kill": [kind, gap]} for gap in gaps]


def _broken(answer: Mapping[str, Any]) -> str | None:
    """Why the last process of a chain did not end well."""
    if answer["killed"]:
        return "the process was killed by somebody else: is there enough memory?"
    text = answer.get("broken") or answer.get("reason")
    return f"does not end: {str(text).strip().splitlines()[-1]}" if text else None


def _check(case: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    if reason := _broken(answer):
        raise AutoMLNASError(f"uninterrupted study of {case['searcher']} {reason}")


def _row(name: str, references: Sequence[_Reference], refused: str, done: Sequence[_Done]) -> Row:
    mine = [one for one in done if one.searcher == name]
    return Row(
        searcher=name,
        space=references[0].case["space"] if references else "",
        metrics=tuple(reference.case["metrics"] for reference in references),
        refused=refused,
        kills={one.kind: one.kills for one in mine},
        differences={one.kind: one.difference for one in mine if one.difference},
        seconds=sum(one.seconds for one in mine) + sum(r.seconds for r in references),
    )
