"""Which configuration is measured next, and how dearly: successive halving on a record.

A `Ladder` sorts a history into rungs and brackets; the schedules read it and answer a `Job`.

Asynchronous (Li et al. 2020, "A system for massively parallel hyperparameter tuning", MLSys,
algorithm 2, promotion type): from the top rung down, the best configuration among the first
floor(n / eta) of the n measured ones of a rung is promoted if it has not been; where there is none,
a new one enters at the bottom. Brackets of asynchronous Hyperband start at different rungs; a new
configuration enters the one that has spent least of what Hyperband gives it. A record of others is
a member of its rung, in Hyperband of the bracket that starts there.

Synchronous (Li et al. 2018, JMLR 18(185), algorithm 1): a bracket fills a rung, waits until all of
it is measured, and promotes the best; while it waits the next bracket begins. Records of others are
members of no bracket.

A configuration is a member of a rung once, however often it was recorded there, and is promoted
from it at most once: one that is found on a higher rung, measured, failed or under way, has been.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from automl_nas.searchers import rungs
from automl_nas.searchers.base import best_first
from automl_nas.types import History, Record

BRACKET, RUNG = "bracket", "rung"
"""Keys of a record's attrs: the number of its bracket, and of its rung from 0 at the bottom."""


class Job(NamedTuple):
    """What to do next."""

    bracket: int
    rung: int
    promoted: Record | None = None
    """Whose configuration moves up; None: a new one."""


class Member(NamedTuple):
    """A record on a rung."""

    record: Record
    bracket: int
    rung: int


@dataclass(frozen=True)
class Ladder:
    """A history sorted by rungs; audits and amounts between rungs are left out."""

    history: History
    searcher: str
    """Whose records know their brackets."""
    amounts: tuple[int, ...]
    """Of the fidelity, from the bottom to full."""
    eta: int
    home: Callable[[int], int]
    """From the rung of a record of others to its bracket."""

    @functools.cached_property
    def members(self) -> list[Member]:
        """Finished records in order of completion, then pending ones."""
        rung: dict[int | None, int] = {amount: i for i, amount in enumerate(self.amounts)}
        rung[None] = self.top
        return [
            Member(record, self._bracket(record, rung[record.fidelity]), rung[record.fidelity])
            for record in [*self.history.records, *self.history.pending]
            if not record.audit and record.fidelity in rung
        ]

    def _bracket(self, record: Record, rung: int) -> int:
        if record.searcher == self.searcher and BRACKET in record.attrs:
            return int(record.attrs[BRACKET])
        return self.home(rung)

    @property
    def top(self) -> int:
        """Number of the full fidelity's rung."""
        return len(self.amounts) - 1

    @functools.cached_property
    def seen(self) -> set[str]:
        """Digests of all configurations on any rung."""
        return {member.record.digest for member in self.members}

    @functools.cached_property
    def _places(self) -> dict[tuple[int, int | None], list[Record]]:
        """(rung, bracket; None: all brackets) -> records."""
        found: dict[tuple[int, int | None], list[Record]] = {}
        for record, bracket, rung in self.members:
            for place in ((rung, bracket), (rung, None)):
                found.setdefault(place, []).append(record)
        return found

    def on(self, rung: int, bracket: int | None = None) -> list[Record]:
        """Records on a rung, of one bracket or of all."""
        return self._places.get((rung, bracket), [])

    def above(self, rung: int) -> list[Record]:
        """Records on all higher rungs of all brackets."""
        return [member.record for member in self.members if member.rung > rung]

    def ranked(self, records: Sequence[Record]) -> list[Record]:
        """Configurations measured in these records, each once, from best to worst."""
        first = {r.digest: r for r in reversed(records) if r.status == "complete"}
        return best_first(self.history, [r for r in records if first.get(r.digest) is r])


def promotion(ladder: Ladder, *, least: int = 0) -> Job | None:
    """The asynchronous promotion nearest to the top; None: there is none.

    Args:
        ladder: the record.
        least: how many configurations of a rung may be promoted however few there are. A place is
            free again where the promoted configuration failed higher up.
    """
    brackets = sorted({member.bracket for member in ladder.members})
    for rung in reversed(range(ladder.top)):
        higher = ladder.above(rung)
        moved = {record.digest for record in higher}
        failed = {record.digest for record in higher if record.status == "failed"}
        for bracket in brackets:
            ranked = ladder.ranked(ladder.on(rung, bracket))
            places = max(least, len(ranked) // ladder.eta)
            holders = [record for record in ranked if record.digest not in failed][:places]
            for record in holders:
                if record.digest not in moved:
                    return Job(bracket, rung + 1, record)
    return None


def asha(ladder: Ladder) -> Job:
    """The next job of asynchronous successive halving."""
    return promotion(ladder) or Job(0, 0)


def hyperband(ladder: Ladder) -> Job:
    """The next job of asynchronous Hyperband: one bracket per rung, numbered by its lowest one."""
    found = promotion(ladder)
    if found is not None:
        return found
    spent = [0] * len(ladder.amounts)
    for record, bracket, rung in ladder.members:
        spent[bracket] += 0 if record.duplicate_of is not None else ladder.amounts[rung]

    def share(bracket: int) -> Fraction:
        """What it will have spent of its due."""
        due = rungs.cost(bracket, ladder.amounts, ladder.eta)
        return Fraction(spent[bracket] + ladder.amounts[bracket], due)

    bracket = min(range(len(ladder.amounts)), key=share)
    return Job(bracket, bracket)


def synchronous_halving(ladder: Ladder) -> Job:
    """The next job of successive halving, one whole bracket after the other."""
    return _synchronous(ladder, [0])


def synchronous_hyperband(ladder: Ladder) -> Job:
    """The next job of Hyperband: brackets from the lowest rung to the top, again and again."""
    return _synchronous(ladder, range(len(ladder.amounts)))


def _synchronous(ladder: Ladder, starts: Sequence[int]) -> Job:
    for bracket in itertools.count():
        job = _turn(ladder, bracket, starts[bracket % len(starts)])
        if job is not None:
            return job
    raise AssertionError("there is always another bracket")


def _turn(ladder: Ladder, bracket: int, lowest: int) -> Job | None:
    """The next job of a bracket; None: it is complete, or waits for pending trials."""
    counts = rungs.sizes(lowest, len(ladder.amounts), ladder.eta)
    below: list[Record] = []
    for rung, count in enumerate(counts, start=lowest):
        here = ladder.on(rung, bracket)
        if rung == lowest and len(here) < count:
            return Job(bracket, rung)
        present = {record.digest for record in here}
        for record in ladder.ranked(below)[:count]:
            if record.digest not in present:
                return Job(bracket, rung, record)
        if any(record.status == "running" for record in here):
            return None
        below = here
    return None


class Scheme(NamedTuple):
    """A schedule, and where it puts records of others."""

    schedule: Callable[[Ladder], Job]
    home: Callable[[int], int]


SCHEMES = {
    "asha": Scheme(asha, lambda _rung: 0),
    "hyperband": Scheme(hyperband, lambda rung: rung),
    "synchronous-halving": Scheme(synchronous_halving, lambda _rung: -1),
    "synchronous-hyperband": Scheme(synchronous_hyperband, lambda _rung: -1),
}
