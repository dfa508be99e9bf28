"""Commands on stored studies: run by searcher, resume by storage, list, rename, delete."""

from __future__ import annotations

import subprocess
import sys

import pytest

from automl_nas import Budget, Metric, Study, load
from automl_nas.searchers import RandomSearcher
from tests.test_cli import automl_nas

SCRIPT = """
import os, signal, sys
from ConfigSpace import ConfigurationSpace
from automl_nas import Budget, Metric, Study
from automl_nas.searchers import RandomSearcher

def objective(configuration, fidelity, trial):
    if trial.number == 2 and "kill" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    return configuration["x"]

space = ConfigurationSpace({"x": (0.0, 1.0)})
study = Study(space, objective, RandomSearcher(space), budget=Budget(trials=4),
              optimize=[Metric("x")], name="mine")
study.run("sqlite:///s.db")
"""


@pytest.fixture
def stored(space, tmp_path):
    """An URL maker: one finished study of four trials called `mine`."""

    def make(url):
        searcher = RandomSearcher(space)
        Study(
            space, lambda c: float(c["width"]), searcher, budget=Budget(trials=4),
            optimize=[Metric("error")], name="mine",
        ).run(url)  # fmt: skip
        return url

    return make


def test_a_killed_script_is_listed_with_its_command(tmp_path):
    (tmp_path / "my script.py").write_text(SCRIPT)
    script = [sys.executable, "my script.py"]
    assert subprocess.run([*script, "kill"], cwd=tmp_path, check=False).returncode == -9
    shown = automl_nas("studies", "s.db", cwd=tmp_path)
    assert "unfinished" in shown.stdout
    resumed = automl_nas("resume", "s.db", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert f"cd {tmp_path} && python 'my script.py' kill" in resumed.stdout
    subprocess.run(script, cwd=tmp_path, check=True)
    assert "mine: finished" in automl_nas("resume", "s.db", cwd=tmp_path).stdout
    assert "unfinished" not in automl_nas("studies", "s.db", cwd=tmp_path).stdout


def test_a_raised_budget_is_no_longer_finished(space, tmp_path, stored):
    url = stored(f"sqlite:///{tmp_path}/s.db")
    (results,) = load(url)
    assert results.sessions[-1]["budget"]["trials"] == 4
    assert results.sessions[-1]["definition"] is None


@pytest.mark.slow
def test_resume_makes_the_studies_of_a_definition_again(tmp_path):
    arguments = ["seeds=1", "evaluations=2", "--workers", "1"]
    chosen = ["--searcher", "random", "--searcher", "optuna:nsga2 population_size=2"]
    done = automl_nas("run", "small_networks", *arguments, *chosen, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lost = "small_networks/optuna:nsga2 population_size=2/seed0"
    gone = automl_nas("delete", "study.db", lost, "--yes", cwd=tmp_path)
    assert gone.returncode == 0, gone.stderr
    resumed = automl_nas("resume", "study.db", "--workers", "1", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "finished: 2 of 2 studies." in resumed.stdout
    (again, _) = load(f"sqlite:///{tmp_path}/study.db")
    assert again.name == lost
    assert again.identity["searcher"]["recipe"]["settings"] == {"population_size": 2}
    settings = {"seeds": 1, "evaluations": 2, "searchers": [chosen[1], chosen[3]]}
    assert again.sessions[-1]["definition"] == {"study": "small_networks", "settings": settings}


@pytest.mark.parametrize("scheme", ["sqlite:///{}/s.db", "journal:{}/s.log"])
def test_rename_keeps_records_and_files(tmp_path, stored, scheme):
    url = stored(scheme.format(tmp_path))
    (before,) = load(url)
    done = automl_nas("rename", url, "mine", "yours")
    assert done.returncode == 0, done.stderr
    (after,) = load(url)
    assert after.name == "yours"
    assert after.records == before.records
    assert after.sessions == before.sessions


def test_delete_wants_to_be_asked_twice(tmp_path, stored):
    url = stored(f"sqlite:///{tmp_path}/s.db")
    once = automl_nas("delete", url, "mine")
    assert (once.returncode, len(load(url))) == (2, 1)
    assert "--yes" in once.stderr
    assert automl_nas("delete", url, "mine", "--yes").returncode == 0
    shown = automl_nas("studies", url)
    assert "holds no study" in shown.stderr


def test_unknown_and_taken_names_are_one_line(tmp_path, stored):
    url = stored(f"sqlite:///{tmp_path}/s.db")
    for arguments, message in (
        (["delete", url, "mien", "--yes"], "did you mean mine?"),
        (["rename", url, "mine", "mine"], "already"),
        (["resume", "absent.db"], "no storage at absent.db"),
        (["studies", "absent.db"], "no storage at absent.db"),
    ):
        done = automl_nas(*arguments, cwd=tmp_path)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr
