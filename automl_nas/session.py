"""A study while it is open: what is proposed next, and how trials are opened and closed.

Serial studies decide on everything that is known. With a `window` (deterministic parallel runs)
proposal n sees the trials 0 ... n - window and takes the later ones as under way, whether they are
or not, so that nothing depends on who finishes first. Where that leaves nothing to propose, the
trials under way are waited for and it is decided again on everything.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_nas import evaluation, lineage, provenance, seeds
from automl_nas.errors import MeasurementError, StudyError, TooManyFailures
from automl_nas.ledger import Ledger, View
from automl_nas.proposing import Proposer
from automl_nas.types import Cache, Cost, History, Record, Trial

if TYPE_CHECKING:
    from automl_nas.study import Study

_RETRIES = 1
"""How often a trial whose worker died is tried again."""


@dataclass(frozen=True)
class Stop:
    """Why there is nothing to propose."""

    reason: str
    said: bool = False
    """Whether it was the searcher that said so."""


class Session:
    """One opening of a study."""

    def __init__(
        self, study: Study, ledger: Ledger, folder: Path | None, window: int | None
    ) -> None:
        self.study, self.ledger, self.folder, self._window = study, ledger, folder, window
        self.cache = Cache(folder)
        self.stopped: str | None = None
        self._orphans = [] if ledger.shared else ledger.orphans()
        self._proposer = Proposer(study.searcher, study.objective, study.initial)
        self._flops = study.objective.full_training_flops

    def next(self) -> Record | None:
        """Opens the next trial; None: the study has `stopped`, or waits for trials under way.

        In a shared study it may be one that has been closed: its workers died twice.
        """
        with self.ledger.turn():
            return self._orphan() or self._proposed()

    def _orphan(self) -> Record | None:
        orphans = self.ledger.orphans() if self.ledger.shared else self._orphans
        if not orphans:
            return None
        self._begin()
        orphan = orphans.pop(0)
        return self.revived(orphan) if self.ledger.shared else self.ledger.reopen(orphan)

    def revived(self, record: Record) -> Record:
        """A trial whose worker died, to be tried once more; closed as failed at the second time."""
        record, deaths = self.ledger.bury(record)
        if deaths <= _RETRIES:
            return record
        died = "WorkerDied: it was killed or ran out of memory, and so it was when tried again"
        return self.close(record, evaluation.Outcome(evaluation.NOTHING, died))

    def _proposed(self) -> Record | None:
        stop = None
        for view in self._views():
            decided = self._decide(view)
            if isinstance(decided, Record):
                self._begin()
                return self.ledger.open(decided, self.evaluation_seed, len(view.records))
            stop = decided
        if stop is not None and not self.ledger.pending:
            self.stopped = stop.reason
            if stop.said:
                self.ledger.end(stop.reason)
        return None

    def _views(self) -> Iterator[View]:
        """What to decide on, one after another while nothing comes of it."""
        if self._window is None:
            yield self.ledger.everything()
            return
        seen = self.ledger.below(self.ledger.next_number() - self._window + 1)
        if seen is not None:
            yield seen
            if not self.ledger.pending:
                yield self.ledger.everything()

    def _decide(self, view: View) -> Record | Stop:
        count = len(view.records) + len(view.pending)
        limit = self.study.budget.reached(
            count - self._imported(view), _expected(view), self._flops
        )
        if limit is not None:
            return Stop(f"budget: {limit}")
        number = self.ledger.next_number()
        own = number - self.ledger.imported
        proposed = self._proposer.propose(
            lambda configuration, fidelity: self.ledger.known(configuration, fidelity, view.below),
            self.history(view),
            number,
            own,
        )
        return Stop(proposed, said=True) if isinstance(proposed, str) else proposed

    def _imported(self, view: View) -> int:
        imported = self.ledger.imported
        return sum(record.number < imported for record in view.records) if imported else 0

    def _begin(self) -> None:
        self.ledger.begin_session(self._provenance)

    def _provenance(self) -> dict[str, Any]:
        packages = (*self.study.searcher.packages, *self.study.objective.packages)
        notes = {"budget": asdict(self.study.budget), "definition": self.study.definition}
        return provenance.session(packages, **notes)

    def history(self, view: View) -> History:
        """What the searcher may know."""
        return History(
            space=self.study.space,
            metrics=self.study.optimize,
            seed=self.study.seed,
            records=view.records,
            pending=view.pending,
            cache=self.cache,
            fidelity=self.study.objective.fidelity,
            constraints=self.study.constraints,
        )

    def answered(self, record: Record) -> Record | None:
        """A trial closed with what is known of it already, where that is so."""
        known = self.ledger.answer(record)
        if known is None:
            return None
        return self._closed(evaluation.answered(record, known), {})

    def close(self, record: Record, outcome: evaluation.Outcome) -> Record:
        """Completes a trial.

        Raises:
            MeasurementError: the objective returned other metrics than it declares; the failed
                record is kept.
        """
        finished = evaluation.conclude(record, outcome, self.study.optimize)
        return self._closed(finished, outcome.curve)

    def _closed(self, record: Record, curve: Mapping[int, Mapping[str, float]]) -> Record:
        with self.ledger.turn():
            if (taken := self.ledger.taken(record)) is not None:
                return taken
            finished = self.ledger.close(record, curve)
        if finished.failure.startswith(evaluation.WRONG):
            raise MeasurementError(finished.failure.removeprefix(evaluation.WRONG))
        if finished.status == "complete" and finished.cost.evaluations:
            self._check_charge(finished)
        return finished

    def _check_charge(self, record: Record) -> None:
        if not self.study.budget.can_end(record.cost):
            name = self.study.objective.name
            raise StudyError(
                f"study {self.study.name!r} would never end: objective {name!r} reports no cost in "
                "the units of the budget. Return a Measurement with training_flops or "
                "simulated_seconds, or budget evaluations."
            )

    def stop_failing(self) -> None:
        """Gives up where too many evaluations have failed one after another.

        Raises:
            TooManyFailures: with what they failed of.
        """
        failing = self.ledger.failing()
        if len(failing) < self.study.max_failures:
            return
        self.ledger.give_up()
        reasons = Counter(record.failure for record in failing).most_common()
        lines = [f"  {count} x {reason}" for reason, count in reasons]
        raise TooManyFailures(
            f"study {self.study.name!r}: {len(failing)} evaluations in a row failed:\n"
            + "\n".join(lines)
            + "\nThe records are kept; mend the objective and run again."
        )

    def trial(self, record: Record) -> Trial:
        """What the objective is told besides configuration and fidelity."""
        known = self.ledger.records
        return Trial(
            number=record.number,
            seed=self.evaluation_seed,
            folder=self._trial_folder(record.number),
            parent_folder=self._trial_folder(lineage.measured_by(known, record.parent)),
            continued=lineage.continued(record, known, self.study.objective),
        )

    def _trial_folder(self, number: int | None) -> Path | None:
        return self.folder / f"trial-{number}" if self.folder and number is not None else None

    @functools.cached_property
    def evaluation_seed(self) -> int:
        """The same for every configuration of the study."""
        return seeds.derive("evaluation", self.study.seed)


def _expected(view: View) -> Cost:
    """Charged so far, and what the trials under way will probably be.

    That is what charged records of the same fidelity cost on average; one evaluation at least.
    """
    if not view.pending:
        return view.total
    total = view.total
    charged = [record for record in view.records if record.cost.evaluations]
    for trial in view.pending:
        costs = [record.cost for record in charged if record.fidelity == trial.fidelity]
        share = sum(costs, Cost()).divided(len(costs)) if costs else Cost()
        total = total + replace(share, evaluations=0 if trial.audit else 1)
    return total
