"""Where evaluations run: here, one at a time, or on Dask workers (`automl_nas.dask_executor`).

A job is plain data; what comes back is an `Outcome`, or `Died` where its worker did. The study's
process alone writes the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from automl_nas.evaluation import Outcome, attempt
from automl_nas.objectives.base import Objective
from automl_nas.types import Record, Trial


@dataclass(frozen=True)
class Died:
    """The worker is gone and with it what it was evaluating."""

    started: bool
    """Whether it had begun to evaluate."""


Returns = list[tuple[Record, Outcome | Died]]


class Executor(Protocol):
    """Evaluates trials."""

    def free(self) -> bool:
        """Whether another trial can be submitted."""

    def busy(self) -> bool:
        """Whether a trial is being evaluated."""

    def submit(self, record: Record, trial: Trial) -> None:
        """Begins to evaluate a trial."""

    def wait(self, seconds: float | None) -> Returns:
        """What has come back, at least one trial unless `seconds` have passed."""

    def close(self) -> None:
        """Gives up what is still being evaluated."""


class Here:
    """Evaluates in this process, one trial at a time."""

    def __init__(self, objective: Objective) -> None:
        """Nothing is under way."""
        self._objective = objective
        self._job: tuple[Record, Trial] | None = None

    def free(self) -> bool:
        """Whether no trial waits to be evaluated."""
        return self._job is None

    def busy(self) -> bool:
        """Whether one does."""
        return self._job is not None

    def submit(self, record: Record, trial: Trial) -> None:
        """Keeps the trial until it is waited for."""
        self._job = record, trial

    def wait(self, seconds: float | None) -> Returns:  # noqa: ARG002
        """Evaluates the trial."""
        if self._job is None:
            return []
        (record, trial), self._job = self._job, None
        outcome = attempt(self._objective, record.configuration, record.fidelity, trial)
        return [(record, outcome)]

    def close(self) -> None:
        """Nothing is left behind."""
