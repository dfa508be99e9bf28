"""A storage with one study that exists for one proposal: trials given, and trials asked for.

The given trials are only read, so they may be shared between proposals; what the sampler writes,
trials and attributes of the study, is gone when the next proposal begins. A trial's id is its
number.
The contract is that of `optuna.storages.BaseStorage`.
"""

# ruff: noqa: ARG002 - Optuna's signatures name the study, and here there is one
from __future__ import annotations

import bisect
import copy
import datetime
import operator
from collections.abc import Container, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

NAME = "shadow"
_STUDY = 0


class ShadowStorage(BaseStorage):
    """One study that minimises everything; it is for one thread."""

    def __init__(self, metrics: int) -> None:
        """An empty study with so many values for each complete trial."""
        self._directions = [StudyDirection.MINIMIZE] * metrics
        self.begin([], 0)

    def begin(self, given: list[FrozenTrial], number: int) -> None:
        """Forgets everything that was written.

        Args:
            given: trials in the order of their numbers; never changed.
            number: of the next trial, above those of the given ones.
        """
        self._given, self._first = given, number
        self._asked: list[FrozenTrial] = []
        self._user_attrs: dict[str, Any] = {}
        self._system_attrs: dict[str, Any] = {}

    @property
    def latest(self) -> FrozenTrial:
        """The trial that was asked for last."""
        return self._asked[-1]

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """A running trial without parameters, or a copy of the template."""
        trial = copy.deepcopy(template_trial) if template_trial is not None else _running()
        trial.number = trial._trial_id = self._first + len(self._asked)
        self._asked.append(trial)
        return trial._trial_id

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The trial of this number."""
        if trial_id >= self._first:
            return self._asked[trial_id - self._first]
        place = bisect.bisect_left(self._given, trial_id, key=operator.attrgetter("number"))
        if place == len(self._given) or self._given[place].number != trial_id:
            raise KeyError(f"no trial {trial_id}")
        return self._given[place]

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """The number itself."""
        return self.get_trial(trial_number)._trial_id

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,  # noqa: FBT001, FBT002 - Optuna's signature
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Given and asked trials in the order of their numbers."""
        if states == (TrialState.WAITING,):
            return []
        trials = self._given + self._asked
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Adds a parameter to a running trial."""
        trial = self._changed(trial_id)
        value = distribution.to_external_repr(param_value_internal)
        trial.params = {**trial.params, param_name: value}
        trial.distributions = {**trial.distributions, param_name: distribution}

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Ends a running trial."""
        trial = self._changed(trial_id)
        if state == TrialState.RUNNING:
            return False
        trial.state = state
        if values is not None:
            trial.values = list(values)
        trial.datetime_complete = _now()
        return True

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Adds a point of the learning curve to a running trial."""
        trial = self._changed(trial_id)
        trial.intermediate_values = {**trial.intermediate_values, step: intermediate_value}

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Sets a user's attribute of a running trial."""
        trial = self._changed(trial_id)
        trial.user_attrs = {**trial.user_attrs, key: value}

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Sets a sampler's attribute of a running trial."""
        trial = self._changed(trial_id)
        trial.system_attrs = {**trial.system_attrs, key: value}

    def _changed(self, trial_id: int) -> FrozenTrial:
        """A copy in place of the trial, as what was read before must not change."""
        trial = self.get_trial(trial_id)
        self.check_trial_is_updatable(trial_id, trial.state)
        changed = copy.copy(trial)
        self._asked[trial_id - self._first] = changed
        return changed

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Never: a shadow is one study."""
        raise NotImplementedError("a shadow is one study")

    def delete_study(self, study_id: int) -> None:
        """Never: a shadow is one study."""
        raise NotImplementedError("a shadow is one study")

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Sets a user's attribute of the study."""
        self._user_attrs = {**self._user_attrs, key: value}

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Sets a sampler's attribute of the study."""
        self._system_attrs = {**self._system_attrs, key: value}

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of the one study."""
        return _STUDY

    def get_study_name_from_id(self, study_id: int) -> str:
        """The name of the one study."""
        return NAME

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Minimise, once for each metric."""
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Attributes that a user's sampler has set."""
        return self._user_attrs

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Attributes that the sampler has set."""
        return self._system_attrs

    def get_all_studies(self) -> list[FrozenStudy]:
        """The one study."""
        return [
            FrozenStudy(
                study_name=NAME,
                direction=None,
                directions=self._directions,
                user_attrs=self._user_attrs,
                system_attrs=self._system_attrs,
                study_id=_STUDY,
            )
        ]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _running() -> FrozenTrial:
    return FrozenTrial(
        trial_id=-1,
        number=-1,
        state=TrialState.RUNNING,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        value=None,
        intermediate_values={},
        datetime_start=_now(),
        datetime_complete=None,
    )
