"""The one interface of search: a searcher is a function of the record.

    @dataclass(frozen=True)
    class Mine:
        space: ConfigurationSpace
        name: ClassVar[str] = "mine"
        packages: ClassVar[tuple[str, ...]] = ()

        def propose(self, history, number):
            require_unmeasured(self.space, history)
            return Proposal(configs.sample(self.space, seeds.rng(self.name, history.seed, number)))

`propose` is deterministic in (history without measured seconds, number, study seed). A searcher is
a frozen recipe: what it keeps between calls lives in `history.cache` and may vanish at any time.
`automl_nas.testing.SearcherContract` checks all of it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from ConfigSpace import ConfigurationSpace

from automl_nas import configs, pareto
from automl_nas.errors import SpaceExhausted, UnsupportedConstraints, UnsupportedSpace
from automl_nas.types import History, Proposal, Record


@runtime_checkable
class Searcher(Protocol):
    """Proposes configurations from what is known so far."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions whose versions are part of the study's identity."""

    @property
    def space(self) -> ConfigurationSpace:
        """The space that it was made for."""

    @property
    def name(self) -> str:
        """What the record and the report call it, such as `optuna:tpe`."""

    def propose(self, history: History, number: int) -> Proposal | None:
        """The proposal for trial `number`; None: finished.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
        """


class Fold(Protocol):
    """What is kept of the records, one after another."""

    def add(self, record: Record) -> None:
        """Takes the next finished record, in order of completion."""


F = TypeVar("F", bound=Fold)


@dataclass
class _Kept:
    recipe: tuple[object, ...]
    fold: Any
    records: tuple[Record, ...] = ()


def folded(history: History, key: str, make: Callable[[], F], recipe: tuple[object, ...] = ()) -> F:
    """What `make()` has become by adding all finished records; the next call adds the new ones.

    It is kept in the cache under `key` and made anew where the record is not the earlier one with
    more at its end, or where `recipe`, all it depends on besides, is another one.
    """
    memory, records = history.cache.memory, tuple(history.records)
    kept: _Kept | None = memory.pop(key, None)
    if kept is None or kept.recipe != recipe or not _continues(records, kept.records):
        kept = _Kept(recipe, make())
    for record in records[len(kept.records) :]:
        kept.fold.add(record)
    kept.records = records
    memory[key] = kept
    fold: F = kept.fold
    return fold


def _continues(records: tuple[Record, ...], known: tuple[Record, ...]) -> bool:
    """Whether it begins with the known ones: microseconds, as the objects are the same ones."""
    return records is known or records[: len(known)] == known


class _Selectable:
    """Records that may be learned from and chosen."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, record: Record) -> None:
        if record.selectable:
            self.records.append(record)


def selectable(history: History) -> Sequence[Record]:
    """Records that may be learned from and chosen, in order of completion.

    The list is kept and grows with the record: not to be changed.
    """
    return folded(history, "selectable", _Selectable).records


class _Measured:
    """Records that were measured, or failed, at full fidelity, and their digests where asked."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._digests: set[str] = set()
        self._digested = 0

    def add(self, record: Record) -> None:
        if record.fidelity is None and not record.audit:
            self.records.append(record)

    @property
    def digests(self) -> set[str]:
        self._digests.update(record.digest for record in self.records[self._digested :])
        self._digested = len(self.records)
        return self._digests


def _count(space: ConfigurationSpace, limit: int, history: History) -> int | None:
    """How many configurations there are, at most `limit`; kept, as it takes its time."""
    known = history.cache.memory.get("count")
    if known is None or known[0] is not space or known[1] != limit:
        known = history.cache.memory["count"] = (space, limit, _counted(space, limit))
    size: int | None = known[2]
    return size


def _counted(space: ConfigurationSpace, limit: int) -> int | None:
    if not space.conditions and not space.forbidden_clauses:
        return configs.count(space)
    return _enumerated(configs.space_to_json(space), limit)


@functools.lru_cache(maxsize=256)
def _enumerated(space_json: str, limit: int) -> int | None:
    return configs.count(configs.space_from_json(space_json), limit)


def require_unmeasured(space: ConfigurationSpace, history: History) -> None:
    """Raises SpaceExhausted when nothing is left to measure at full fidelity.

    Failed configurations count as measured: nothing is gained by trying them again. A space is
    only counted as far as there are records, so large ones cost nothing.
    """
    if any(hyperparameter.size == math.inf for hyperparameter in space.values()):
        return
    answers = len(folded(history, "measured", _Measured).records)
    if not answers:
        return
    size = _count(space, 1 << answers.bit_length(), history)
    if size is not None and answers >= size and len(measured(history)) >= size:
        raise _exhausted(size)


def require_unseen(space: ConfigurationSpace, history: History, seen: Collection[str]) -> None:
    """Raises SpaceExhausted when the digests `seen` are those of all configurations."""
    if not seen or any(hyperparameter.size == math.inf for hyperparameter in space.values()):
        return
    size = _count(space, 1 << len(seen).bit_length(), history)
    if size is not None and len(seen) >= size:
        raise _exhausted(size)


def _exhausted(size: int) -> SpaceExhausted:
    return SpaceExhausted(
        f"all {size} configurations of the space have been measured: the search is complete."
    )


def measured(history: History) -> set[str]:
    """Digests of the configurations that have been measured, or failed, at full fidelity.

    The set is kept and grows with the record: not to be changed.
    """
    return folded(history, "measured", _Measured).digests


def startup(searcher: Searcher) -> int:
    """How many learnable records a searcher needs before it learns at all; 0 where it is silent.

    A searcher says so in a property `startup`, which is optional.
    """
    return int(getattr(searcher, "startup", 0))


def require_choice(space: ConfigurationSpace, engine: str) -> None:
    """Raises UnsupportedSpace where every hyperparameter has one value only."""
    if all(hyperparameter.size == 1 for hyperparameter in space.values()):
        raise UnsupportedSpace(
            f"{engine} needs a hyperparameter with two values or more: {list(space)} have one each."
        )


def refuse_priors(space: ConfigurationSpace, engine: str) -> None:
    """Raises UnsupportedSpace where `engine` would ignore weights or a prior of the space."""
    for name, hyperparameter in space.items():
        if (prior := configs.prior(hyperparameter)) is not None:
            raise UnsupportedSpace(
                f"hyperparameter {name!r} has {prior}, which {engine} cannot express: make it "
                "uniform, or use a searcher that samples from the space (random, "
                "regularized-evolution, local-search, smac:rf, smac:gp)."
            )


def refuse_constraints(history: History, engine: str) -> None:
    """Raises UnsupportedConstraints where the study has constraints that `engine` would ignore."""
    if history.constraints:
        raise UnsupportedConstraints(engine, [c.metric for c in history.constraints])


def best_first(history: History, records: Sequence[Record]) -> list[Record]:
    """Records from best to worst: by loss, or by non-domination rank and then crowding distance.

    Infeasible records come last, the smallest violations first, each violation in units of the
    largest of its constraint (constrained domination, Deb et al. 2002, section VI).
    """
    if len(history.metrics) == 1 and not history.constraints:
        return sorted(records, key=history.losses)
    feasible = [record for record in records if history.feasible(record)]
    ranked = [feasible[i] for i in pareto.order([history.losses(record) for record in feasible])]
    return ranked + _least_violating_first(history, [r for r in records if not history.feasible(r)])


def _least_violating_first(history: History, records: list[Record]) -> list[Record]:
    violations = [history.violations(record) for record in records]
    excess = [[math.inf if math.isnan(v) else max(0.0, v) for v in row] for row in violations]
    columns = zip(*excess, strict=True)
    largest = [max((v for v in column if v < math.inf), default=0.0) or 1.0 for column in columns]
    total = [sum(v / most for v, most in zip(row, largest, strict=True)) for row in excess]
    return [records[i] for i in sorted(range(len(records)), key=total.__getitem__)]


def centres(history: History, records: Sequence[Record]) -> list[Record]:
    """The feasible records that no other dominates, best first; else the least violating one."""
    feasible = [record for record in records if history.feasible(record)]
    if not feasible:
        return best_first(history, records)[:1]
    front = [feasible[i] for i in pareto.front([history.losses(record) for record in feasible])]
    return best_first(history, front)
