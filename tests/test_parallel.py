"""Several studies in worker processes: nothing to do, Ctrl-C, kills, mistakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from ConfigSpace import ConfigurationSpace, Float

from automl_nas import Budget, Metric, Study, load, parallel
from automl_nas.errors import StudyError, StudyMismatch, UnknownName
from automl_nas.parallel import run_studies
from automl_nas.searchers import RandomSearcher

ERROR = (Metric("error"),)


def error(configuration) -> float:
    return configuration["width"]


def dies(configuration) -> float:
    os._exit(1)


def studies(space, objective=error, count=3, **settings):
    settings = {"budget": Budget(trials=3), "optimize": ERROR} | settings
    return [
        Study(space, objective, RandomSearcher(space), seed=seed, **settings)
        for seed in range(count)
    ]


@pytest.fixture
def no_workers(monkeypatch):
    monkeypatch.setattr(parallel, "_manager", lambda _: pytest.fail("a process was started"))


def test_every_study_runs_and_events_tell(space, tmp_path):
    url, events = f"sqlite:///{tmp_path}/s.db", []
    run_studies(studies(space), url, workers=2, on_event=events.append)
    assert [len(results.records) for results in load(url)] == [3, 3, 3]
    assert sum(event.record is not None for event in events) == 9
    assert {event.stopped for event in events if event.record is None} == {"budget: trials"}


def test_finished_studies_start_no_process(space, tmp_path, no_workers):
    url, events = f"sqlite:///{tmp_path}/s.db", []
    for study in studies(space):
        study.run(url)
    run_studies(studies(space), url, workers=2, on_event=events.append)
    assert [event.stopped for event in events] == ["budget: trials"] * 3
    with pytest.raises(StudyMismatch, match="objective"):
        run_studies(studies(space, dies, 1, name="error/random/seed0"), url, workers=2)
    with pytest.raises(UnknownName, match="did you mean seed"):
        run_studies(studies(space), url, workers=2, accept=["sed"])


def test_an_exhausted_space_stays_so_under_a_raised_budget(tmp_path, no_workers):
    url, tiny = f"sqlite:///{tmp_path}/s.db", ConfigurationSpace({"width": [1, 2]})
    for study in studies(tiny, budget=Budget(evaluations=50)):
        study.run(url)
    events = []
    more = studies(tiny, budget=Budget(evaluations=99))
    run_studies(more, url, workers=2, on_event=events.append)
    assert {event.stopped[:21] for event in events} == {"all 2 configurations "}


def test_a_raised_budget_is_something_to_do(space, tmp_path):
    url, storage = f"sqlite:///{tmp_path}/s.db", parallel.storages.open_storage
    (study,) = studies(space, count=1)
    assert parallel.finished(study, storage(url)) is None
    study.run(url)
    assert parallel.finished(study, storage(url)) == "budget: trials"
    (more,) = studies(space, count=1, budget=Budget(trials=4))
    assert parallel.finished(more, storage(url)) is None
    (less,) = studies(space, count=1, budget=Budget(trials=2))
    assert parallel.finished(less, storage(url)) == "budget: trials"


def test_a_study_that_has_run_can_be_sent(space, tmp_path):
    (study,) = studies(space, count=1)
    study.run()
    run_studies([study], f"sqlite:///{tmp_path}/s.db", workers=1)
    assert len(load(f"sqlite:///{tmp_path}/s.db")[0].records) == 3


def test_a_lambda_cannot_be_sent(space, tmp_path, no_workers):
    with pytest.raises(StudyError, match="top level of a module"):
        run_studies(studies(space, lambda c: 1.0), f"sqlite:///{tmp_path}/s.db", workers=1)


def test_two_studies_of_one_name(space, tmp_path, no_workers):
    with pytest.raises(StudyError, match="2 studies are called 'error/random/seed0'"):
        run_studies([*studies(space), *studies(space, count=1)], f"journal:{tmp_path}/s", workers=1)


def test_a_worker_that_dies(space, tmp_path):
    with pytest.raises(StudyError, match="worker process died"):
        run_studies(studies(space, dies), f"sqlite:///{tmp_path}/s.db", workers=2)


def test_an_error_of_ours_comes_back_as_it_is(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    space = ConfigurationSpace({"width": Float("width", (0.0, 1.0))})
    (wrong,) = studies(space, text, count=1)
    with pytest.raises(parallel.AutoMLNASError, match="expected a number"):
        run_studies([wrong], url, workers=1)


def text(configuration):
    return "low"


SCRIPT = """
import sys, time
from ConfigSpace import ConfigurationSpace
from automl_nas import Budget, Metric, Study
from automl_nas.cli import guarded
from automl_nas.parallel import run_studies
from automl_nas.searchers import RandomSearcher

space = ConfigurationSpace({"a": (0.0, 1.0)})

def error(configuration):
    time.sleep(float(sys.argv[2]))
    return configuration["a"]

def main(standalone_mode):
    studies = [
        Study(space, error, RandomSearcher(space), budget=Budget(trials=4), seed=seed,
              optimize=[Metric("error")]) for seed in range(4)
    ]
    run_studies(studies, sys.argv[1], workers=2, on_event=lambda e: print("event", flush=True))

if GUARD:
    guarded(main)
"""


def start(tmp_path, url, seconds, guard='__name__ == "__main__"'):
    (tmp_path / "script.py").write_text(SCRIPT.replace("GUARD", guard))
    return subprocess.Popen(
        [sys.executable, "script.py", url, str(seconds)],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def gone(processes, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_anywhere_nothing_runs_on_and_nothing_is_lost(tmp_path, number):
    url, whole = f"sqlite:///{tmp_path}/s.db", f"sqlite:///{tmp_path}/whole.db"
    with start(tmp_path, url, 0.3) as process:
        process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 3
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        _, messages = process.communicate(timeout=20)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert gone(children, 20)
    assert number == signal.SIGKILL or "Traceback" not in messages
    for again in (url, whole):
        with start(tmp_path, again, 0) as process:
            assert process.wait(timeout=60) == 0
    found, expected = [
        [(r.name, [(x.number, x.order, x.values, x.cost.evaluations) for x in r.records])
         for r in load(one)] for one in (url, whole)
    ]  # fmt: skip
    assert found == expected


@pytest.mark.slow
def test_a_script_without_the_usual_guard(tmp_path):
    with start(tmp_path, f"sqlite:///{tmp_path}/s.db", 0, guard="True") as process:
        _, messages = process.communicate(timeout=60)
    assert process.returncode == 2
    assert textwrap.dedent(messages).strip().endswith('`if __name__ == "__main__":`.')
