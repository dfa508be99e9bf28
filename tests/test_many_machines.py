"""One ledger on a real PostgreSQL: workers that die, a server that goes away, several writers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import optuna
import psutil
import pytest
from ConfigSpace import ConfigurationSpace

from automl_nas import Budget, Metric, Study, configs, lease, load, storages
from automl_nas.searchers import EvolutionSearcher, RandomSearcher
from tests.postgres import postgres as postgres

SPACE = ConfigurationSpace({"x": (0.0, 1.0), "y": list(range(8))})
SEED = 7
"""Its third configuration is the only poisonous one of six."""

SCRIPT = """
import json, socket, sys
host = sys.argv[3]
if host:
    socket.gethostname = lambda: host
from tests.test_many_machines import poisoned, shared
study = {"shared": shared, "poisoned": poisoned}[sys.argv[4]](sys.argv[2])
ran = study.run(sys.argv[1], shared=True)
print(json.dumps([ran.stopped, len(ran.records)]))
"""


def slowly(configuration):
    time.sleep(0.25)
    return configuration["x"] + configuration["y"]


def noted(folder, configuration):
    """Says who evaluated what, before and after."""
    line = json.dumps([os.getpid(), configs.digest(configuration)])
    for when in ("begun", "done"):
        with open(f"{folder}/{when}", "a") as file:  # noqa: PTH123
            file.write(f"{line}\n")
        if when == "begun":
            time.sleep(0.4)
    return configuration["x"] + configuration["y"]


class Noted:
    """A function with a name that does not depend on the folder."""

    def __init__(self, folder):
        self.folder = folder
        self.__name__ = "noted"

    def __call__(self, configuration):
        return noted(self.folder, configuration)


def shared(folder):
    searcher = EvolutionSearcher(SPACE, population_size=8, sample_size=3)
    return Study(
        SPACE, Noted(folder), searcher, budget=Budget(evaluations=40), optimize=[Metric("error")],
        name="shared",
    )  # fmt: skip


def poison(configuration):
    if configuration["y"] == 3:
        os._exit(1)
    return configuration["x"]


def poisoned(_folder):
    """Its third trial kills whoever evaluates it."""
    return Study(
        SPACE, poison, RandomSearcher(SPACE), budget=Budget(trials=6), optimize=[Metric("error")],
        seed=SEED, name="poisoned",
    )  # fmt: skip


def whole(url, name):
    """Numbers without gaps, orders without repeats, nothing running, nothing measured twice."""
    (stored,) = [results for results in load(url) if results.name == name]
    assert sorted(r.number for r in stored.records) == list(range(len(stored.records)))
    assert [r.order for r in stored.records] == list(range(len(stored.records)))
    storage = storages.open_storage(url)
    study_id = storage.get_study_id_from_name(name)
    states = [trial.state for trial in storage.get_all_trials(study_id)]
    storages.close(storage)
    assert len(states) == len(stored.records)
    assert optuna.trial.TrialState.RUNNING not in states
    charged = [r.digest for r in stored.records if r.cost.evaluations and r.status == "complete"]
    assert len(charged) == len(set(charged))
    return stored


@pytest.mark.slow
def test_workers_that_die_and_a_server_that_restarts(postgres, tmp_path):
    """Four Dask workers, one killed every four seconds, the server away for a while: 200 trials."""
    from automl_nas.dask_executor import local_cluster

    study = Study(
        SPACE, slowly, RandomSearcher(SPACE), budget=Budget(evaluations=200),
        optimize=[Metric("error")], name="s",
    )  # fmt: skip
    stop, kills = threading.Event(), []

    def killing():
        rng = random.Random(0)
        while not stop.wait(4.0):
            alive = [p for p in psutil.Process().children(recursive=True) if _evaluates(p)]
            if alive:
                victim = rng.choice(alive)
                victim.kill()
                kills.append(victim.pid)

    def restarting():
        time.sleep(6)
        postgres.stop("immediate")
        time.sleep(5)
        postgres.start()

    with local_cluster(4, None) as client:
        helpers = [threading.Thread(target=one) for one in (killing, restarting)]
        for helper in helpers:
            helper.start()
        try:
            study.run(postgres.url, client=client, workers=4)
        finally:
            stop.set()
            for helper in helpers:
                helper.join()
    stored = whole(postgres.url, "s")
    assert sum(record.cost.evaluations for record in stored.records) == 200
    assert len(kills) > 2
    assert any(record.interrupted for record in stored.records)
    twice = [r for r in stored.records if r.status == "failed"]
    assert all(r.failure.startswith("WorkerDied") and r.interrupted == 2 for r in twice)


def _evaluates(process):
    """Whether it is one of Dask's workers, and not a helper of multiprocessing."""
    try:
        return "multiprocessing.spawn" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def start(url, folder, host="", study="shared"):
    command = [sys.executable, "-c", SCRIPT, url, str(folder), host, study]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["postgresql", "sqlite"])
def test_several_processes_share_a_study_and_one_is_killed(storage, tmp_path, request):
    if storage == "postgresql":
        url = request.getfixturevalue("postgres").url
    else:
        url = f"sqlite:///{tmp_path}/s.db"
    processes = [start(url, tmp_path) for _ in range(3)]
    while _lines(tmp_path / "begun") < 12:
        time.sleep(0.1)
    pid = json.loads((tmp_path / "begun").read_text().splitlines()[-1])[0]
    os.kill(pid, signal.SIGKILL)
    answers = [json.loads(p.communicate(timeout=120)[0] or "null") for p in processes]
    assert sorted(p.returncode for p in processes) == [-9, 0, 0]
    stored = whole(url, "shared")
    assert sum(record.cost.evaluations for record in stored.records) == 40
    assert [a for a in answers if a] == [["budget: evaluations", len(stored.records)]] * 2
    begun = [json.loads(line) for line in (tmp_path / "begun").read_text().splitlines()]
    again = [digest for digest, count in Counter(d for _, d in begun).items() if count > 1]
    assert sorted(r.digest for r in stored.records if r.interrupted) == sorted(again)
    assert len(again) <= 1
    assert len({who for who, _ in begun}) == 3


def _lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.slow
def test_a_dead_process_of_another_host_is_noticed_by_its_silence(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "_SILENCE", 2.0)
    url = f"sqlite:///{tmp_path}/s.db"
    with start(url, tmp_path, "elsewhere") as process:
        while _lines(tmp_path / "begun") < 3:
            time.sleep(0.1)
        process.kill()
    ran = shared(tmp_path).run(url, shared=True)
    assert ran.stopped == "budget: evaluations"
    assert sum(record.interrupted for record in whole(url, "shared").records) == 1


@pytest.mark.slow
def test_a_trial_that_kills_its_processes_fails_in_the_end(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    ended = []
    for _ in range(3):
        with start(url, tmp_path, study="poisoned") as process:
            ended.append(process.wait(60))
    assert ended == [1, 1, 0]
    stored = whole(url, "poisoned")
    failed = [r for r in stored.records if r.status == "failed"]
    assert [(r.configuration["y"], r.interrupted) for r in failed] == [(3, 2)]
    assert failed[0].failure.startswith("WorkerDied")
