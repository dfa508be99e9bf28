"""All that a storage says of a study and that must not depend on kills, as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from automl_nas import configs, report, results, signing, storages
from automl_nas.types import Record

_OWN = ("ask_seconds", "setup_seconds", "evaluate_seconds", "interrupted")
"""What is of one run alone: measured seconds, and how often it was interrupted."""


def shown(url: str, name: str) -> dict[str, Any]:
    """Records in order, Optuna's view of the trials, and the report's tables, without seconds."""
    storage = storages.open_storage(url, create=False)
    study_id = storage.get_study_id_from_name(name)
    read = results.read(storage, study_id, name)
    trials = storage.get_all_trials(study_id, deepcopy=False)
    plain = {
        "records": [_record(record) for record in read.records],
        "trials": [
            [t.number, t.state.name, t.values, t.params, t.intermediate_values] for t in trials
        ],
        "tables": report.as_plain(report.summary([read]), seconds=False),
    }
    storage.remove_session()
    told: dict[str, Any] = json.loads(json.dumps(plain))
    return told


def _record(record: Record) -> dict[str, Any]:
    fields = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    plain = {name: value for name, value in fields.items() if name not in _OWN}
    cost = dataclasses.asdict(record.cost)
    del cost["seconds"]
    return {
        **plain,
        "configuration": configs.to_dict(record.configuration),
        "attrs": dict(record.attrs),
        "values": dict(record.values),
        "cost": cost,
    }


def first_difference(expected: dict[str, Any], found: dict[str, Any]) -> str | None:
    """Where the second is not the first; None: nowhere."""
    for path, (old, new) in signing.differences(expected, found).items():
        return f"{path}: uninterrupted {_short(old)}, resumed {_short(new)}"
    return None


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
