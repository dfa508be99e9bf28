"""What a storage keeps of a study, read without opening the study."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ConfigSpace import ConfigurationSpace
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from automl_nas import foreign, trials
from automl_nas.types import Metric, Record

ENDED = "ended"
"""Attribute of a study: with how many trials its searcher had nothing to propose, and why."""


def records(
    found: Sequence[FrozenTrial],
    adopted: int,
    space: ConfigurationSpace,
    metrics: tuple[Metric, ...],
    optimize: tuple[Metric, ...],
) -> list[Record]:
    """What trials keep, in order; the first `adopted` of the study may be another program's.

    Raises:
        ValueError: a trial is no configuration of the space.
    """
    theirs = foreign.records(foreign.among(found, adopted), space, metrics, optimize)
    ours = [trials.to_record(t, space) for t in found if trials.PROPOSAL in t.user_attrs]
    return sorted([*theirs, *ours], key=operator.attrgetter("order"))


def end(storage: BaseStorage, study_id: int, number: int) -> str | None:
    """Why the searcher had nothing to propose after so many trials, if it said so."""
    note = storage.get_study_user_attrs(study_id).get(ENDED) or {}
    return note["reason"] if note.get("trials") == number else None


def sessions(storage: BaseStorage, study_id: int) -> list[dict[str, Any]]:
    """Provenance of each run of a study, in order."""
    attrs = storage.get_study_user_attrs(study_id)
    keys = [key for key in attrs if key.startswith("session:")]
    return [attrs[key] for key in sorted(keys, key=lambda key: int(key.split(":")[1]))]


def metrics_to_json(metrics: tuple[Metric, ...]) -> list[dict[str, Any]]:
    """Metrics as an identity keeps them."""
    return [asdict(metric) for metric in metrics]
