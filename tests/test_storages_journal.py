"""Group commit: a file that always holds a prefix, and nothing lost that cannot be made again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from automl_nas import Budget, Metric, Study, configs, load, storages
from automl_nas.errors import SettingError, StorageError
from automl_nas.searchers import RandomSearcher
from automl_nas.testing import cell_space

ROOT = Path(__file__).parents[1]
MINIMIZE = [StudyDirection.MINIMIZE]
SCRIPT = """
import os, signal, sys, time
from tests.test_storages_journal import study
url, how = sys.argv[1:]
def react(_study, record):
    if how == "kill" and record.number == 300:
        time.sleep(0.5)  # on a busy machine too, what waits is written meanwhile
    if how == "kill" and record.number == 400:
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "sleep" and record.number == 20:
        sys.stdout.write("running\\n")
        sys.stdout.flush()
        time.sleep(60)
study().run(url, group_commit=0.05 if how == "kill" else 0.5, callbacks=[react])
"""


def loss(configuration):
    return float(sum(int(operation.removeprefix("op")) for operation in configuration.values()))


def study(trials=500):
    space = cell_space()
    return Study(
        space, loss, RandomSearcher(space), budget=Budget(trials=trials), name="s",
        optimize=[Metric("error")],
    )  # fmt: skip


def shown(records):
    return [
        (r.number, r.order, configs.to_dict(r.configuration), dict(r.values), r.duplicate_of)
        for r in records
    ]


def start(*arguments):
    command = [sys.executable, "-c", SCRIPT, *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.fixture
def url(tmp_path):
    return f"journal:{tmp_path}/s.log"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s.log"


def lines(path):
    return path.read_bytes().count(b"\n")


def test_killed_and_run_again_it_is_the_uninterrupted_run(url):
    with start(url, "kill") as process:
        assert process.wait(120) == -9
    (prefix,) = load(url)
    whole = study().run()
    assert 0 < len(prefix.records) <= 401
    assert shown(prefix.records) == shown(whole.records)[: len(prefix.records)]
    again = study().run(url, group_commit=0.05)
    assert shown(again.records) == shown(whole.records)
    assert shown(load(url)[0].records) == shown(whole.records)


def test_another_process_is_refused(url):
    with start(url, "sleep") as first:
        assert first.stdout.readline() == "running\n"
        with start(url, "run") as second:
            assert "StudyBusy" in second.communicate(timeout=60)[1]
        first.kill()
    assert len(study().run(url, group_commit=0.05).records) == 500


def test_a_reader_sees_a_prefix(url):
    seen = []

    def react(s, record):
        if record.number in (5, 30):
            (read,) = load(url)
            seen.append(len(read.records))
            assert shown(read.records) == shown(s.records)[: len(read.records)]
            if record.number == 5:
                s._session.ledger._storage.remove_session()

    assert len(study(40).run(url, group_commit=60, callbacks=[react]).records) == 40
    assert seen == [0, 6]
    assert len(load(url)[0].records) == 40


def test_lines_about_a_study_are_written_at_once_and_after_what_waited(url, path):
    storage = storages.open_storage(url, group_commit=60)
    study_id = storage.create_new_study(MINIMIZE, "s")
    assert lines(path) == 1
    trial = storage.create_new_trial(study_id)
    storage.set_trial_user_attr(trial, "note", (1, 2))
    assert lines(path) == 1
    assert storage.get_trial(trial).user_attrs == {"note": [1, 2]}
    storage.set_study_user_attr(study_id, "lease", None)
    assert lines(path) == 4


def test_lines_wait_no_longer_than_asked(url, path):
    storage = storages.open_storage(url, group_commit=0.05)
    trial = storage.create_new_trial(storage.create_new_study(MINIMIZE, "s"))
    deadline = time.monotonic() + 10
    while lines(path) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lines(path) == 2
    assert storage.set_trial_state_values(trial, TrialState.COMPLETE, [1.0])
    storage.remove_session()
    assert lines(path) == 3


def test_lines_of_another_process_are_noticed(url, path):
    ours = storages.open_storage(url, group_commit=60)
    study_id = ours.create_new_study(MINIMIZE, "s")
    theirs = JournalStorage(JournalFileBackend(str(path)))
    theirs.set_study_user_attr(study_id, "lease", "theirs")
    assert ours.get_study_user_attrs(study_id) == {"lease": "theirs"}
    ours.create_new_trial(study_id)
    theirs.create_new_trial(study_id)
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"1 lines that were not written yet are dropped"):
        ours.remove_session()
    for operation in (lambda: ours.create_new_trial(study_id), lambda: ours.get_all_studies()):
        with pytest.raises(StorageError, match="another process has written"):
            operation()
    assert path.read_bytes() == before
    assert len(storages.open_storage(url).get_all_trials(study_id)) == 1


def test_lines_of_another_process_are_noticed_by_the_clock(url, path):
    ours = storages.open_storage(url, group_commit=0.2)
    study_id = ours.create_new_study(MINIMIZE, "s")
    ours.create_new_trial(study_id)
    JournalStorage(JournalFileBackend(str(path))).set_study_user_attr(study_id, "lease", "theirs")
    ours._grouped._timer.join()
    with pytest.raises(StorageError, match="another process has written"):
        ours.get_study_user_attrs(study_id)


def test_a_full_disk_leaves_whole_lines(url, path, monkeypatch):
    storage = storages.open_storage(url, group_commit=60)
    study_id = storage.create_new_study(MINIMIZE, "s")
    storage.create_new_trial(study_id)

    def full(_number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        storage.remove_session()
    assert lines(path) == 1
    assert path.read_bytes().endswith(b"\n")


def test_the_end_of_the_interpreter_writes_what_waits(url, path):
    script = (
        "import sys; from automl_nas import storages; "
        "s = storages.open_storage(sys.argv[1], group_commit=60); "
        "s.create_new_trial(s.create_new_study([1], 's'))"
    )
    subprocess.run([sys.executable, "-c", script, url], check=True, timeout=60)
    assert lines(path) == 2


def test_two_readers_of_one_buffer_see_the_same(url):
    one = storages.open_storage(url, group_commit=60)
    study_id = one.create_new_study(MINIMIZE, "s")
    one.create_new_trial(study_id)
    other = JournalStorage(one._grouped)
    assert len(other.get_all_trials(study_id)) == len(one.get_all_trials(study_id)) == 1


def test_optuna_reads_what_was_written_in_groups(url, path):
    study(20).run(url, group_commit=0.05)
    storage = JournalStorage(JournalFileBackend(str(path)))
    assert len(optuna.load_study(study_name="s", storage=storage).trials) == 20


@pytest.mark.parametrize("url", [None, "sqlite:///s.db", "postgresql://host/db"])
def test_group_commit_is_for_journals(url):
    with pytest.raises(SettingError, match="use journal:PATH"):
        storages.open_storage(url, group_commit=0.5)


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_group_commit_takes_a_positive_time(url, seconds):
    with pytest.raises(SettingError, match="positive number of seconds"):
        storages.open_storage(url, group_commit=seconds)
