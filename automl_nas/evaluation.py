"""From an objective's answer to a finished record: failures, wrong metrics, duplicates, charges."""

from __future__ import annotations

import functools
import math
import operator
import reprlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ConfigSpace import Configuration

from automl_nas.errors import MeasurementError
from automl_nas.types import Cost, Measurement, Metric, Record, Trial

if TYPE_CHECKING:
    from automl_nas.objectives.base import Objective, Returned

NOTHING = Measurement({})
WRONG = "MeasurementError: "
"""Starts the failure of a record whose objective broke its contract: the program is wrong."""


def as_measurement(returned: Returned, objective: Objective) -> Measurement:
    """What the objective returned, as a measurement of exactly its metrics.

    Raises:
        MeasurementError: metrics are missing, unknown or not numbers.
    """
    if isinstance(returned, Measurement):
        measurement = returned
    elif isinstance(returned, Mapping):
        measurement = Measurement(returned)
    else:
        measurement = Measurement({metric.name: returned for metric in objective.metrics[:1]})
    expected = [metric.name for metric in objective.metrics]
    if set(measurement.values) != set(expected):
        raise MeasurementError(
            f"objective {objective.name!r} returned {_shown(returned)}: expected the metrics "
            f"{', '.join(expected)}, a Measurement or a dict with exactly these names."
        )
    where = f"objective {objective.name!r} returned"
    values = {name: number(measurement.values[name], f"{where} {name} =") for name in expected}
    costs = {
        name: _positive(getattr(measurement, name), f"{where} {name} =")
        for name in ("training_flops", "simulated_seconds")
    }
    return replace(measurement, values=values, **costs)


def number(value: Any, where: str) -> float:
    """Any scalar (of Python, numpy or torch) as a float; `where` begins the message.

    Raises:
        MeasurementError: it is not one number.
    """
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    raise MeasurementError(f"{where} {reprlib.repr(value)}: expected a number.")


def _positive(value: Any, where: str) -> float:
    amount = number(value, where)
    if not 0 <= amount < math.inf:
        raise MeasurementError(f"{where} {amount}: expected a finite number, zero or more.")
    return amount


def _shown(returned: Any) -> str:
    if isinstance(returned, Mapping | Measurement):
        values = returned.values if isinstance(returned, Measurement) else returned
        return f"the metrics {', '.join(map(str, values)) or '(none)'}"
    return reprlib.repr(returned)


@dataclass(frozen=True)
class Outcome:
    """What an evaluation brings back, from this process or another."""

    measurement: Measurement
    """Empty where it failed before there was any."""
    failure: str = ""
    """Why it failed; empty: it did not."""
    seconds: float = 0.0
    curve: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """What the objective reported on the way: step -> metric name -> value."""


def attempt(
    objective: Objective, configuration: Configuration, fidelity: int | None, trial: Trial
) -> Outcome:
    """Calls the objective; an exception makes a failed outcome."""
    curve: dict[int, Mapping[str, float]] = {}
    started = time.perf_counter()
    try:
        returned = objective(
            configuration, fidelity, replace(trial, report=functools.partial(_report, curve))
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any failure is a record
        failure = f"{type(error).__name__}: {error}"
        return Outcome(Measurement({}), failure, time.perf_counter() - started, curve)
    return replace(judge(returned, objective, time.perf_counter() - started), curve=curve)


def judge(returned: Returned, objective: Objective, seconds: float) -> Outcome:
    """What the objective returned, as an outcome; wrong metrics make a failed one."""
    try:
        return Outcome(as_measurement(returned, objective), seconds=seconds)
    except MeasurementError as error:
        return Outcome(Measurement({}), f"{WRONG}{error}", seconds)


def _report(curve: dict[int, Mapping[str, float]], step: int, values: Mapping[str, float]) -> None:
    """Keeps a point of the learning curve as plain numbers."""
    where = f"trial.report({step}, ...) got"
    point = {name: number(value, f"{where} {name} =") for name, value in values.items()}
    curve[operator.index(step)] = point


def conclude(record: Record, outcome: Outcome, optimize: tuple[Metric, ...]) -> Record:
    """The finished record; a value to be optimised that is not finite makes a failed one."""
    measurement, failure = outcome.measurement, outcome.failure
    if not failure:
        bad = [m.name for m in optimize if not math.isfinite(measurement.values[m.name])]
        shown = ", ".join(f"{name} = {measurement.values[name]}" for name in bad)
        failure = f"{shown} is not finite" if bad else ""
    return finish(record, measurement, failure, outcome.seconds)


def finish(record: Record, measurement: Measurement, failure: str, seconds: float) -> Record:
    """The record with its measurement or failure, charged.

    A storage keeps no infinities: what is not finite is NaN here as it will be after a resume.
    """
    values = {k: v if math.isfinite(v) else math.nan for k, v in measurement.values.items()}
    finished = record.but(
        status="failed" if failure else "complete",
        values=values,
        training_flops=measurement.training_flops,
        simulated_seconds=measurement.simulated_seconds,
        evaluate_seconds=seconds,
        failure=failure,
    )
    return charged(finished, charge=not record.audit)


def answered(record: Record, known: Record) -> Record:
    """A duplicate with the known measurement; charged only if the known one was not."""
    copy = record.but(
        status=known.status,
        values=known.values,
        training_flops=known.training_flops,
        simulated_seconds=known.simulated_seconds,
        failure=known.failure,
        duplicate_of=known.number,
    )
    return charged(copy, charge=not record.audit and known.cost.evaluations == 0)


def charged(record: Record, *, charge: bool) -> Record:
    """The record with its cost: search always, the measurement when `charge`d."""
    seconds = record.ask_seconds + record.setup_seconds + record.evaluate_seconds
    cost = Cost(
        evaluations=int(charge),
        training_flops=record.search_flops + (record.training_flops if charge else 0.0),
        simulated_seconds=record.simulated_seconds if charge else 0.0,
        seconds=seconds,
    )
    return record.but(cost=cost)
