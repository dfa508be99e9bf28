"""The one loop: propose, write the trial, evaluate or answer a duplicate, complete the trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from automl_nas.executors import Died, Executor
from automl_nas.session import Session
from automl_nas.types import Record

if TYPE_CHECKING:
    from automl_nas.study import Study

Callback = Callable[["Study", Record], None]

_POLL = 0.5
"""Seconds between two looks at what other writers of a shared study have done."""

_WAITING = 8
"""Duplicates of trials under way that are kept waiting at most."""


class Run:
    """A session and an executor at work."""

    def __init__(self, session: Session, executor: Executor, callbacks: Sequence[Callback]) -> None:
        """Nothing is under way; each callback is called with study and record after each record."""
        self._session, self._executor, self._callbacks = session, executor, callbacks
        self._waiting: list[Record] = []

    def to_the_end(self) -> None:
        """Until the study has stopped.

        Raises:
            TooManyFailures: too many evaluations failed in a row.
            MeasurementError: the objective returned other metrics than it declares.
        """
        self._session.stop_failing()
        while True:
            self._fill()
            if self._executor.busy():
                self._collect()
            elif self._session.stopped is not None:
                return
            else:
                time.sleep(_POLL)

    def _fill(self) -> None:
        """Gives the executor as much as it can take."""
        waiting, self._waiting = self._waiting, []
        for record in waiting:
            self._dispatch(record)
        while self._executor.free() and len(self._waiting) < _WAITING:
            opened = self._session.next()
            if opened is None:
                return
            self._dispatch(opened)

    def _dispatch(self, record: Record) -> None:
        if record.status != "running":
            self._note(record)
        elif (answered := self._session.answered(record)) is not None:
            self._note(answered)
        elif self._session.ledger.twin(record) is not None:
            self._waiting.append(record)
        else:
            self._executor.submit(record, self._session.trial(record))

    def _collect(self) -> None:
        patience = _POLL if self._session.ledger.shared else None
        for record, outcome in self._executor.wait(patience):
            if not isinstance(outcome, Died):
                self._note(self._session.close(record, outcome))
            else:
                self._dispatch(self._session.revived(record) if outcome.started else record)

    def _note(self, record: Record) -> None:
        for callback in self._callbacks:
            callback(self._session.study, record)
        self._session.stop_failing()
