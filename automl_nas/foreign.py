"""Trials that somebody wrote with Optuna alone, as records: charged nothing, proposed by "optuna".

Complete trials are records at full fidelity in order of completion; failed ones with a whole
configuration are failed records. Pruned, running and waiting ones are left aside.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import replace

from ConfigSpace import Configuration, ConfigurationSpace
from optuna.trial import FrozenTrial, TrialState

from automl_nas import configs
from automl_nas.errors import StudyError
from automl_nas.types import Metric, Record

SEARCHER = "optuna"
"""Who proposed these records."""


def records(
    found: Sequence[FrozenTrial],
    space: ConfigurationSpace,
    metrics: tuple[Metric, ...],
    optimize: tuple[Metric, ...],
) -> list[Record]:
    """Records of finished trials, numbered as they are and in order of completion.

    Raises:
        StudyError: a complete trial is no configuration of the space.
    """
    epoch = datetime.datetime.min
    ended = sorted(found, key=lambda trial: (trial.datetime_complete or epoch, trial.number))
    made = [_record(trial, space, metrics, optimize) for trial in ended]
    whole = [record for record in made if record is not None]
    return [replace(record, order=order) for order, record in enumerate(whole)]


def _record(
    trial: FrozenTrial,
    space: ConfigurationSpace,
    metrics: tuple[Metric, ...],
    optimize: tuple[Metric, ...],
) -> Record | None:
    if trial.state not in (TrialState.COMPLETE, TrialState.FAIL):
        return None
    complete = trial.state == TrialState.COMPLETE
    configuration = _configuration(trial, space)
    if configuration is None:
        if complete:
            raise StudyError(
                f"trial {trial.number} of the Optuna study, {trial.params}, is no configuration of "
                "the given space: give a ConfigurationSpace that holds all its trials."
            )
        return None
    known = zip(optimize, trial.values if complete else (), strict=False)
    unknown = {metric.name: math.nan for metric in metrics} if complete else {}
    return Record(
        number=trial.number,
        configuration=configuration,
        searcher=SEARCHER,
        status="complete" if complete else "failed",
        values={**unknown, **{metric.name: value for metric, value in known}},
        failure="" if complete else "failed before it was gone on with",
    )


def _configuration(trial: FrozenTrial, space: ConfigurationSpace) -> Configuration | None:
    """The trial's parameters in the space, which may have constants besides."""
    single = {name: h.default_value for name, h in space.items() if h.size == 1}
    values = {**single, **trial.params}
    try:
        active = configs.define_by_run(space, values.__getitem__)
        same = all(active.get(name) == value for name, value in trial.params.items())
        return configs.from_dict(space, active) if same else None
    except (KeyError, ValueError):
        return None
