"""From a searcher's proposal to a trial: initial configurations, nudges, checks, asking time."""

from __future__ import annotations

import itertools
import json
import operator
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ConfigSpace import Configuration

from automl_nas import configs, seeds
from automl_nas.errors import SpaceExhausted, StudyError
from automl_nas.types import History, Proposal, Record

if TYPE_CHECKING:
    from automl_nas.objectives.base import Objective
    from automl_nas.searchers.base import Searcher

Known = Callable[[Configuration, int | None], Record | None]

INITIAL = "initial"
"""Proposes a study's initial configurations: they do not count as the searcher's own."""
_NUDGE_AFTER = 10
"""Duplicates in a row after which a proposal is moved to an unmeasured neighbour."""
_DRAWS = 10_000
"""Draws in search of an unmeasured configuration where no neighbour is one."""


@dataclass(frozen=True)
class Proposer:
    """Asks the searcher of a study, after its initial configurations."""

    searcher: Searcher
    objective: Objective
    initial: tuple[Configuration, ...]

    def propose(self, known: Known, history: History, number: int, own: int) -> Record | str:
        """The next trial, timed and not written yet; or why there is none.

        Args:
            known: finds the record that measured a configuration at a fidelity.
            history: what the proposal may depend on.
            number: of the trial.
            own: how many trials the study has written itself; an adopted one began with others.
        """
        started = time.perf_counter()
        try:
            proposal = self._ask(known, history, number, own)
        except SpaceExhausted as reason:
            return str(reason)
        if proposal is None:
            return f"{self.searcher.name} is finished"
        return Record(
            number=number,
            configuration=configs.adopt(history.space, proposal.configuration),
            searcher=self.searcher.name if own >= len(self.initial) else INITIAL,
            fidelity=self._fidelity(proposal),
            parent=proposal.parent,
            attrs=self._notes(proposal),
            audit=proposal.audit,
            search_flops=float(proposal.training_flops),
            ask_seconds=time.perf_counter() - started - proposal.setup_seconds,
            setup_seconds=proposal.setup_seconds,
        )

    def _ask(self, known: Known, history: History, number: int, own: int) -> Proposal | None:
        if own < len(self.initial):
            return Proposal(self.initial[own], attrs={"initial": True})
        proposal = self.searcher.propose(history, number)
        if proposal is None or not self._stuck(known, history, proposal):
            return proposal
        nudged = self._unmeasured_neighbour(known, history, proposal, number)
        attrs = {**proposal.attrs, "nudged": True}
        return replace(proposal, configuration=nudged, parent=None, attrs=attrs)

    def _stuck(self, known: Known, history: History, proposal: Proposal) -> bool:
        """Whether this would be one duplicate too many; audits repeat by right."""
        if proposal.audit or known(proposal.configuration, self._fidelity(proposal)) is None:
            return False
        recent = [record for record in history.records[-_NUDGE_AFTER:] if not record.audit]
        return len(recent) == _NUDGE_AFTER and all(r.duplicate_of is not None for r in recent)

    def _fidelity(self, proposal: Proposal) -> int | None:
        """None for full fidelity, however the searcher spelt it."""
        if proposal.fidelity is None:
            return None
        full = self.objective.fidelity.full if self.objective.fidelity else None
        if full is None or not 1 <= proposal.fidelity <= full:
            raise StudyError(
                f"searcher {self.searcher.name!r} proposed fidelity {proposal.fidelity}, but "
                f"objective {self.objective.name!r} has "
                + ("none: propose None." if full is None else f"1 to {full}.")
            )
        return None if proposal.fidelity == full else operator.index(proposal.fidelity)

    def _notes(self, proposal: Proposal) -> dict[str, Any]:
        """The searcher's notes as every storage gives them back."""
        if not proposal.attrs:
            return {}
        try:
            notes: dict[str, Any] = json.loads(json.dumps(dict(proposal.attrs)))
        except (TypeError, ValueError) as error:
            raise StudyError(
                f"searcher {self.searcher.name!r} proposed attrs that are not JSON ({error}): "
                "use plain Python values in Proposal.attrs."
            ) from error
        return notes

    def _unmeasured_neighbour(
        self, known: Known, history: History, proposal: Proposal, number: int
    ) -> Configuration:
        """A neighbour that has not been measured, else any such configuration.

        Raises:
            SpaceExhausted: 10,000 draws found none.
        """
        rng = seeds.rng("nudge", history.seed, number)
        near = list(configs.neighbours(configs.adopt(history.space, proposal.configuration), rng))
        shuffled = (near[int(index)] for index in rng.permutation(len(near)))
        drawn = (configs.sample(history.space, rng) for _ in range(_DRAWS))
        fidelity = self._fidelity(proposal)
        for configuration in itertools.chain(shuffled, drawn):
            if known(configuration, fidelity) is None:
                return configuration
        raise SpaceExhausted(f"{_DRAWS} draws found no configuration that is not measured yet.")
