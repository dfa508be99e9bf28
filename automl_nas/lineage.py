"""Whom a trial continues: the parent that was evaluated, and what has been paid of the training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_nas.types import Record

if TYPE_CHECKING:
    from automl_nas.objectives.base import Objective


def measured_by(records: Sequence[Record], number: int | None) -> int | None:
    """The trial whose evaluation answered trial `number`: only that one has a checkpoint."""
    for record in records if number is not None else ():
        if record.number == number and record.duplicate_of is not None:
            return record.duplicate_of
    return number


def continued(record: Record, records: Sequence[Record], objective: Objective) -> int:
    """Amount of the fidelity that the record's parent has paid of the same training; else 0.

    Nothing was paid where the objective does not continue trials, or the parent has another
    configuration, failed, was an audit, or is not shorter.
    """
    fidelity = objective.fidelity
    if record.parent is None or fidelity is None or not getattr(objective, "continues", False):
        return 0
    for parent in records:
        if parent.number == record.parent:
            paid = parent.status == "complete" and not parent.audit
            amount = (parent.fidelity or fidelity.full) if paid else 0
            shorter = amount < (record.fidelity or fidelity.full)
            return amount if shorter and parent.digest == record.digest else 0
    return 0
