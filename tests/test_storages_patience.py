"""A server that goes away is waited for, and nothing is written twice."""

from __future__ import annotations

import datetime
import sqlite3
import threading
import time
import uuid
from collections import Counter

import optuna
import pytest
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from automl_nas import patience, storages
from automl_nas.errors import StorageError
from tests.postgres import postgres  # noqa: F401

MINIMIZE = [StudyDirection.MINIMIZE]


def template(token):
    return FrozenTrial(
        number=-1, trial_id=-1, state=TrialState.RUNNING, value=None, values=None,
        datetime_start=datetime.datetime.now(), datetime_complete=None,
        params={"x": 0.5}, distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
        user_attrs={"proposal": {"token": token} if token else {}}, system_attrs={},
        intermediate_values={},
    )  # fmt: skip


class Outages:
    """Loses the connection at the next commits, after or before what was to be committed is."""

    def __init__(self, storage, monkeypatch):
        self.left, self.committed, self.says = 0, True, "server closed the connection unexpectedly"
        dialect = storage.engine.dialect
        commit = dialect.do_commit

        def commit_and_fail(connection):
            if self.left and not self.committed:
                self._fail()
            commit(connection)
            if self.left:
                self._fail()

        monkeypatch.setattr(dialect, "do_commit", commit_and_fail)

    def _fail(self):
        self.left -= 1
        raise sqlite3.OperationalError(self.says)


@pytest.fixture
def stored(tmp_path):
    storage = storages.open_storage(f"sqlite:///{tmp_path}/s.db")
    yield storage
    storage.remove_session()


@pytest.fixture
def outages(stored, monkeypatch):
    monkeypatch.setattr(patience, "_PAUSES", (0.001, 0.01))
    return Outages(stored, monkeypatch)


@pytest.fixture
def patient(stored):
    return patience.PatientStorage(stored, 5)


def test_files_and_memory_need_no_patience(stored):
    for storage in (stored, storages.open_storage(None)):
        assert storages.patient(storage) is storage


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("times", [1, 3])
def test_a_trial_is_made_once(stored, patient, outages, committed, times):
    study = patient.create_new_study(MINIMIZE, "s")
    outages.left, outages.committed = times, committed
    first = patient.create_new_trial(study, template("a"))
    second = patient.create_new_trial(study, template("b"))
    found = {t._trial_id: t.user_attrs["proposal"]["token"] for t in stored.get_all_trials(study)}
    assert outages.left == 0
    assert found == {first: "a", second: "b"}


@pytest.mark.parametrize("committed", [True, False])
def test_everything_else_is_done_once(stored, patient, outages, committed):
    outages.committed = committed
    outages.left = 1
    study = patient.create_new_study(MINIMIZE, "s")
    assert [s.study_name for s in stored.get_all_studies()] == ["s"]
    trial = patient.create_new_trial(study, template("a"))
    outages.left = 1
    patient.set_trial_user_attr(trial, "note", 1)
    outages.left = 1
    patient.set_trial_intermediate_value(trial, 1, 0.25)
    outages.left = 1
    assert patient.set_trial_state_values(trial, TrialState.COMPLETE, [0.5]) is True
    assert outages.left == 0
    kept = stored.get_trial(trial)
    assert (kept.user_attrs["note"], kept.intermediate_values) == (1, {1: 0.25})
    assert (kept.state, kept.values) == (TrialState.COMPLETE, [0.5])
    outages.left = 1
    patient.delete_study(study)
    assert stored.get_all_studies() == []


def test_without_an_outage_errors_pass(patient, outages):
    study = patient.create_new_study(MINIMIZE, "s")
    with pytest.raises(DuplicatedStudyError):
        patient.create_new_study(MINIMIZE, "s")
    trial = patient.create_new_trial(study, template(None))
    patient.set_trial_state_values(trial, TrialState.COMPLETE, [0.5])
    with pytest.raises(UpdateFinishedTrialError):
        patient.set_trial_state_values(trial, TrialState.COMPLETE, [0.5])
    with pytest.raises(KeyError):
        patient.delete_study(99)
    outages.left, outages.says = 1, "no such column: x"
    with pytest.raises(StorageInternalError):
        patient.set_study_user_attr(study, "note", 1)
    assert outages.left == 0


def test_an_outage_does_not_hide_that_another_one_finished_the_trial(patient, outages):
    study = patient.create_new_study(MINIMIZE, "s")
    trial = patient.create_new_trial(study, template("a"))
    outages.left = 1
    assert patient.set_trial_state_values(trial, TrialState.FAIL)
    outages.left = 0
    with pytest.raises(UpdateFinishedTrialError):
        patient.set_trial_state_values(trial, TrialState.COMPLETE, [0.5])


def test_a_trial_without_a_token_is_not_repeated(patient, outages):
    study = patient.create_new_study(MINIMIZE, "s")
    outages.left = 1
    with pytest.raises(StorageError, match="no token"):
        patient.create_new_trial(study, template(None))


def test_patience_ends_with_a_next_step(stored, outages):
    patient = patience.PatientStorage(stored, 0.1)
    outages.left = 10**6
    started = time.monotonic()
    with pytest.raises(StorageError, match=r"away for 0\.1 seconds .*: start it"):
        patient.create_new_study(MINIMIZE, "s")
    assert time.monotonic() - started < 5


def test_what_only_databases_can_is_passed_on(stored, patient):
    assert patient.engine is stored.engine
    with pytest.raises(AttributeError):
        patient.nothing_of_the_kind  # noqa: B018


def write(storage, study, tokens, written):
    for token in tokens:
        trial = storage.create_new_trial(study, template(token))
        storage.set_trial_user_attr(trial, "measurement", {"token": token})
        storage.set_trial_state_values(trial, TrialState.COMPLETE, [0.5])
        written.append(token)
    storage.remove_session()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_restarts_while_two_threads_write(postgres, mode):  # noqa: F811
    storage = storages.patient(storages.open_storage(postgres.url), 60)
    study = storage.create_new_study(MINIMIZE, "s")
    tokens, written = [uuid.uuid4().hex for _ in range(200)], []
    halves = [tokens[:100], tokens[100:]]
    threads = [threading.Thread(target=write, args=(storage, study, h, written)) for h in halves]
    for thread in threads:
        thread.start()
    for restarts in (1, 2, 3):
        while len(written) < 50 * restarts and any(thread.is_alive() for thread in threads):
            time.sleep(0.005)
        assert len(written) < 200
        postgres.restart(mode)
    for thread in threads:
        thread.join()
    trials = storage.get_all_trials(study)
    storage.remove_session()
    storage.engine.dispose()
    assert sorted(t.number for t in trials) == list(range(200))
    assert Counter(t.user_attrs["proposal"]["token"] for t in trials) == Counter(tokens)
    assert {(t.state, *t.values) for t in trials} == {(TrialState.COMPLETE, 0.5)}


@pytest.mark.slow
def test_a_server_that_stays_away(postgres):  # noqa: F811
    storage = storages.patient(storages.open_storage(postgres.url), 1)
    storage.create_new_study(MINIMIZE, "s")
    postgres.stop()
    with pytest.raises(StorageError, match="away for 1 seconds"):
        storage.get_all_studies()
    storage.engine.dispose()
