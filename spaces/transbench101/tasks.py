"""Objectives over the tables of TransNAS-Bench-101, shared by both of its spaces.

Source: Duan et al., CVPR 2021; see `automl_nas.tables.transnas` for what a score is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ConfigSpace import Configuration

from automl_nas import tables
from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.tables.suite_tasks import TASKONOMY
from automl_nas.tables.transnas import SCORES, Mode

TASKS = TASKONOMY
"""The seven tasks of Taskonomy."""


def table(
    space: Literal["micro", "macro"],
    key: Callable[[Configuration], str],
    task: str,
    *,
    path: str | Path | None,
    mode: Mode | None,
) -> TableObjective:
    """Looks the validation score up; with the official file also the test score, as a check.

    With the official file, epochs are the fidelity and training seconds are charged.
    """
    options: dict[str, Any] = {} if mode is None else {"mode": mode}
    found = tables.open(f"transbench101_{space}", task, path=path, **options)
    readings = [Reading("validation_score")]
    if "test_score" in found.columns:
        readings.append(Reading("test_score", fidelity="full"))
    seconds = "training_seconds" if "training_seconds" in found.columns else None
    return TableObjective(
        found, key=key, readings=tuple(readings), seconds=seconds, continues=seconds is not None
    )


__all__ = ["SCORES", "TASKS", "table"]
