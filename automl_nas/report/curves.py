"""Incumbent curves: what a searcher would answer, against what it has been charged.

The mean over seeds starts where every seed has an answer. A seed that stopped keeps its answer;
from there to the longest seed the curve is `held`. Records at lower fidelities and failures change
no answer but are charged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from automl_nas.report.groups import Series
from automl_nas.results import Results
from automl_nas.statistics import bootstrap_band

Floats = NDArray[np.float64]
Unit = Literal["evaluations", "equivalents", "seconds"]

FEW = 5
"""Fewer runs than this have the band smallest .. largest instead of a bootstrap interval."""

_RESAMPLES = 1_999


@dataclass(frozen=True)
class Curve:
    """A step function of charged cost: the value holds from its x to the next."""

    label: str
    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    """The band: bootstrap 95 % with `FEW` runs or more, else smallest .. largest."""
    held: float
    """From here on, some seed has stopped and keeps its last answer."""
    runs: int
    """Runs with an answer; others are left out."""


def incumbents(series: Series, unit: Unit) -> Curve | None:
    """The curve of a searcher's reported metric; None where no run has an answer.

    Also None for equivalents where the objective does not say what a full training costs.
    """
    if unit == "equivalents" and not series.runs[0].full_training_flops:
        return None
    paths = [path for run in series.runs if len((path := _path(run, unit))[0])]
    if not paths:
        return None
    x = _grid(paths)
    values = np.stack([_at(path, x) for path in paths])
    if len(paths) < FEW:
        low, high = values.min(axis=0), values.max(axis=0)
    else:
        low, high = bootstrap_band(values, resamples=_RESAMPLES)
    mean = values.mean(axis=0)
    return Curve(
        label=series.label,
        x=x,
        mean=mean,
        low=np.where(np.isnan(low), mean, low),
        high=np.where(np.isnan(high), mean, high),
        held=max(float(x[0]), min(float(path[0][-1]) for path in paths)),
        runs=len(paths),
    )


def audited(series: Series) -> bool:
    """Whether the runs were followed by audits: few charged evaluations, so no curve over them."""
    return any(record.audit for run in series.runs for record in run.records)


def _path(run: Results, unit: Unit) -> tuple[Floats, Floats]:
    """Cumulative cost and reported value of the answer, from the first answer on."""
    spent = np.cumsum(_costs(run, unit))
    pairs = [
        (x, answer.values.get(run.reported.name, math.nan))
        for x, answer in zip(spent, run.answers(), strict=True)
        if answer is not None
    ]
    both = np.asarray(pairs, dtype=float).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _costs(run: Results, unit: Unit) -> Sequence[float]:
    if unit == "evaluations":
        return [record.cost.evaluations for record in run.records]
    if unit == "seconds":
        return [record.cost.seconds for record in run.records]
    full = run.full_training_flops or math.nan
    return [record.cost.training_flops / full for record in run.records]


def _at(path: tuple[Floats, Floats], x: Floats) -> Floats:
    """The step function at `x`, none of which is before its start."""
    spent, values = path
    return values[np.searchsorted(spent, x, side="right") - 1]


def _grid(paths: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Where a value changes, with the ends of the runs."""
    start = max(float(spent[0]) for spent, _ in paths)
    ends = {float(spent[-1]) for spent, _ in paths}
    changes = [spent[1:][np.diff(values) != 0] for spent, values in paths]
    grid = np.unique(np.concatenate([*changes, [start, *ends]]))
    return grid[grid >= start]
