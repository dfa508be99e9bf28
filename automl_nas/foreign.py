"""Trials that somebody wrote with Optuna alone, as records: charged nothing, proposed by "optuna".

Complete trials are records at full fidelity in order of completion; failed ones with a whole
configuration are failed records. Pruned, running and waiting ones are left aside.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ConfigSpace import Configuration, ConfigurationSpace
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from automl_nas import configs
from automl_nas.distributions import value_of
from automl_nas.errors import SpaceError, StudyError
from automl_nas.types import Metric, Record
from automl_nas.urls import JOURNAL

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

SEARCHER = "optuna"
"""Who proposed these records."""


def among(found: Sequence[FrozenTrial], adopted: int) -> list[FrozenTrial]:
    """The trials that were there when a study of `adopted` trials was taken over."""
    return [trial for trial in found if trial.number < adopted]


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
    try:
        theirs = {name: value_of(space[name], value) for name, value in trial.params.items()}
        active = configs.define_by_run(space, {**single, **theirs}.__getitem__)
        return configs.from_dict(space, active) if set(theirs) <= set(active) else None
    except (KeyError, ValueError, SpaceError):
        return None


def distributions(found: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """From what the trials' parameters were drawn: new trials beside them say the same."""
    return {name: d for trial in found for name, d in trial.distributions.items()}


def metrics(study: optuna.Study) -> tuple[Metric, ...]:
    """What the study optimises; "value", or "value0", "value1" ..., where it has no names."""
    count = len(study.directions)
    unnamed = ["value"] if count == 1 else [f"value{i}" for i in range(count)]
    maximise = [direction == StudyDirection.MAXIMIZE for direction in study.directions]
    return tuple(
        Metric(name, "max" if up else "min")
        for name, up in zip(study.metric_names or unnamed, maximise, strict=True)
    )


def home(study: optuna.Study) -> str | BaseStorage:
    """The URL of the study's storage; the storage itself where it has none."""
    storage: Any = getattr(study._storage, "_backend", study._storage)
    if isinstance(storage, RDBStorage):
        return storage.url
    path = getattr(storage, "_file_path", None)
    return f"{JOURNAL}{path}" if path else study._storage
