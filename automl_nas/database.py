"""Optuna's database storage with trials written in a few statements instead of a hundred.

Optuna 5 writes a trial from a template with a SELECT and an INSERT for each parameter and each
attribute: the SELECTs look for a row of the trial that was inserted a moment before, and check that
the parameter has the distribution that it had in the study's other trials. Here a template in the
state RUNNING, as the ledger opens it, is inserted table by table; what it leaves out is that check,
since a study of ours has one space for all its trials. Everything else is Optuna's.
"""

from __future__ import annotations

import json
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import insert
from sqlalchemy.orm import Session


class Database(RDBStorage):
    """Optuna's database storage, quicker to open a trial."""

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> models.TrialModel:
        """The row of a new trial; the caller has locked the study's row and commits."""
        if template_trial is None or not _plain(template_trial):
            return super()._get_prepared_new_trial(study_id, template_trial, session)
        trial = models.TrialModel(
            study_id=study_id,
            number=None,
            state=template_trial.state,
            datetime_start=template_trial.datetime_start,
        )
        session.add(trial)
        session.flush()
        for table, rows in _rows(template_trial).items():
            if rows:
                session.execute(insert(table), [{"trial_id": trial.trial_id, **r} for r in rows])
        trial.number = trial.count_past_trials(session)
        return trial


def _plain(template: FrozenTrial) -> bool:
    """Whether it has parameters and attributes only."""
    return (
        template.state == TrialState.RUNNING
        and template.values is None
        and not template.intermediate_values
        and template.datetime_complete is None
    )


def _rows(template: FrozenTrial) -> dict[type[Any], list[dict[str, Any]]]:
    """What follows the trial's own row, by table."""
    params = [
        {
            "param_name": name,
            "param_value": template.distributions[name].to_internal_repr(value),
            "distribution_json": distribution_to_json(template.distributions[name]),
        }
        for name, value in template.params.items()
    ]
    return {
        models.TrialParamModel: params,
        models.TrialUserAttributeModel: _attributes(template.user_attrs),
        models.TrialSystemAttributeModel: _attributes(template.system_attrs),
    }


def _attributes(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]
