"""The command as a user meets it: help, catalogue, diagnosis, mistakes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from automl_nas import Budget, Metric, Study
from automl_nas.searchers import RandomSearcher


def automl_nas(*arguments, **settings):
    code = "from automl_nas.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **settings,
    )


def test_help_names_every_command():
    done = automl_nas("--help")
    assert done.returncode == 0
    for command in ("compare", "doctor", "list", "report", "run"):
        assert command in done.stdout


def test_list_shows_what_is_registered():
    done = automl_nas("list")
    assert done.returncode == 0
    for name in ("random", "optuna:SAMPLER", "smac:FACADE", "nasbench201", "compare"):
        assert name in done.stdout


def test_doctor_finds_this_installation_healthy():
    done = automl_nas("doctor")
    assert (done.returncode, "WRONG" in done.stdout) == (0, False), done.stdout
    assert "torch" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["comprae"], "did you mean compare?"),
        (["run", "comparr"], "unknown study 'comparr': did you mean compare?"),
        (["run", "compare", "seed=1"], "did you mean seeds?"),
        (["run", "compare", "seeds"], "expected KEY=VALUE"),
        (["report", "absent.db"], "no storage at absent.db"),
        (["compare", "--searcher", "optuna:tpee"], "did you mean optuna:tpe"),
        (["compare", "--seeds", "0"], "not in the range"),
    ],
)
def test_a_mistake_is_one_line_and_no_traceback(arguments, message, tmp_path):
    done = automl_nas(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_report_of_a_users_own_study(space, tmp_path):
    searcher = RandomSearcher(space)
    study = Study(
        space, lambda c: float(c["width"]), searcher, budget=Budget(trials=3),
        optimize=[Metric("error")],
    )  # fmt: skip
    study.run(f"sqlite:///{tmp_path}/own.db")
    done = automl_nas("report", "own.db", "--out", "own.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "<svg" in (tmp_path / "own.html").read_text()
