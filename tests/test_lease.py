"""One writer at a time: what is left behind, taken over, or started twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection

from automl_nas import Budget, Metric, Study, lease
from automl_nas.errors import StudyBusy
from automl_nas.searchers import RandomSearcher


@pytest.fixture
def stored(monkeypatch):
    monkeypatch.setattr(lease, "_PATIENCE", 0.0)
    storage = InMemoryStorage()
    return storage, storage.create_new_study([StudyDirection.MINIMIZE], "s")


def leave(stored, **changes):
    storage, study_id = stored
    storage.set_study_user_attr(study_id, "lease", lease._mine() | changes)


def test_a_live_process_keeps_its_lease(stored):
    parent = psutil.Process(os.getppid())
    leave(stored, pid=parent.pid, since=parent.create_time())
    with pytest.raises(StudyBusy, match=f"process {parent.pid} on"):
        lease.acquire(*stored, "s")


def test_a_reused_pid_is_another_process(stored):
    leave(stored, pid=os.getppid(), since=1.0)
    assert lease.acquire(*stored, "s")["pid"] == os.getpid()


def test_a_process_of_another_host_is_alive_as_long_as_it_beats(stored, monkeypatch):
    monkeypatch.setattr(lease, "_BEAT", 0.05)
    other = lease._mine() | {"host": "elsewhere", "pid": 1}
    leave(stored, **other)
    heart = lease.Heartbeat(*stored, other)
    with pytest.raises(StudyBusy, match=r"accept=\['lease'\]"):
        lease.acquire(*stored, "s")
    lease.acquire(*stored, "s", force=True)
    leave(stored, **other)
    heart.stop()
    monkeypatch.setattr(lease, "_SILENCE", 0.5)
    began = time.monotonic()
    assert lease.acquire(*stored, "s")["pid"] == os.getpid()
    assert time.monotonic() - began >= 0.5


def test_shared_leases_go_together_and_keep_exclusive_ones_out(stored):
    parent = psutil.Process(os.getppid())
    process = {"pid": parent.pid, "since": parent.create_time()}
    other = lease._mine(shared=True) | process
    stored[0].set_study_user_attr(stored[1], f"lease:{other['token']}", other)
    mine = lease.acquire(*stored, "s", shared=True)
    lease.check(*stored, "s", mine)
    with pytest.raises(StudyBusy, match="is shared by"):
        lease.acquire(*stored, "s")
    lease.release(*stored, mine)
    leave(stored, **process)
    with pytest.raises(StudyBusy, match="shared=True"):
        lease.acquire(*stored, "s", shared=True)


def test_a_killed_process_that_nobody_waited_for_is_gone(stored):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        leave(stored, pid=child.pid, since=psutil.Process(child.pid).create_time())
        with pytest.raises(StudyBusy):
            lease.acquire(*stored, "s")
        child.kill()
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        lease.acquire(*stored, "s")


def test_only_the_last_one_to_open_a_study_writes(space, tmp_path):
    def study():
        return Study(
            space, lambda c: 1.0, RandomSearcher(space), budget=Budget(trials=3),
            optimize=[Metric("error")], name="s",
        )  # fmt: skip

    url, first = f"sqlite:///{tmp_path}/s.db", study()
    with first.open(url):
        record = first.ask()
        second = study().run(url)
        with pytest.raises(StudyBusy, match="opened again"):
            first.tell(record, 1.0)
        with pytest.raises(StudyBusy, match="opened again"):
            first.ask()
    assert [r.number for r in second.records] == [0, 1, 2]
