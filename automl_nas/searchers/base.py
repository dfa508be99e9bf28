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
a frozen recipe: whatever it keeps between calls lives in `history.cache` and may vanish at any time.
`automl_nas.testing.SearcherContract` checks all of it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

from ConfigSpace import ConfigurationSpace

from automl_nas import configs, pareto
from automl_nas.errors import SpaceExhausted
from automl_nas.types import History, Proposal, Record


@runtime_checkable
class Searcher(Protocol):
    """Proposes configurations from what is known so far."""

    space: ConfigurationSpace
    packages: ClassVar[tuple[str, ...]]
    """Distributions whose versions are part of the study's identity."""

    @property
    def name(self) -> str:
        """What the record and the report call it, such as `optuna:tpe`."""

    def propose(self, history: History, number: int) -> Proposal | None:
        """The proposal for trial `number`; None: finished.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
        """


@functools.lru_cache(maxsize=64)
def _count(space_json: str) -> int | None:
    return configs.count(configs.space_from_json(space_json))


def space_size(space: ConfigurationSpace) -> int | None:
    """Number of legal configurations; None where infinite or beyond counting. Cached."""
    return _count(configs.space_to_json(space))


def require_unmeasured(space: ConfigurationSpace, history: History) -> None:
    """Raises SpaceExhausted when nothing is left to measure at full fidelity."""
    answered = [r for r in history.records if r.fidelity is None and not r.audit]
    if not answered or (size := space_size(space)) is None or len(answered) < size:
        return
    if len({configs.digest(record.configuration) for record in answered}) >= size:
        raise SpaceExhausted(
            f"all {size} configurations of the space have been measured: the search is complete."
        )


def best_first(history: History, records: Sequence[Record]) -> list[Record]:
    """Records from best to worst: by loss, or by non-domination rank and then crowding distance."""
    losses = [history.losses(record) for record in records]
    return [records[index] for index in pareto.order(losses)]
