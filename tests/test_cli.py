"""The command as a user meets it: help, catalogue, diagnosis, mistakes."""

from __future__ import annotations

import os
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
    for command in (
        "compare",
        "data",
        "delete",
        "doctor",
        "list",
        "report",
        "resume",
        "run",
        "selftest",
        "studies",
    ):
        assert command in done.stdout


def test_list_shows_what_is_registered():
    done = automl_nas("list")
    assert done.returncode == 0
    for name in ("random", "optuna:SAMPLER", "smac:FACADE", "asha:INNER", "nasbench201", "compare"):
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
        (["run", "compare", "seed=1"], "did you mean seeds"),
        (["run", "compare", "seeds"], "expected KEY=VALUE"),
        (["run", "small_networks", "seeds=abc"], "cannot be made with seeds='abc'"),
        (["run", "small_networks", "seeds=0"], "nothing to run"),
        (["run", "small_networks", "evaluations=0"], "must be a positive number, got 0"),
        (["run", "small_networks", "--storage", "foo:bar"], "expected sqlite:///PATH"),
        (["run", "small_networks", "--accept", "sed"], "did you mean seed"),
        (["small_networks"], "`automl-nas run small_networks`"),
        (["report", "absent.db"], "no storage at absent.db"),
        (["compare", "--searcher", "optuna:tpee"], "did you mean optuna:tpe"),
        (["compare", "--searcher", "optuna:tpe multivariat=1"], "did you mean multivariate"),
        (["run", "small_networks", "--searcher", "rando"], "did you mean random"),
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


@pytest.mark.parametrize("module", ["raise RuntimeError('no GPU')", "def oops(:", "other = 1"])
def test_a_strangers_broken_study_stops_nobody_else(tmp_path, module):
    (tmp_path / "stranger.py").write_text(module)
    info = tmp_path / "stranger-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[automl_nas.studies]\nodd = stranger:studies\n")
    settings = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(tmp_path)}}
    listed, helped, ran, odd = [
        automl_nas(*arguments, **settings)
        for arguments in (["list"], ["--help"], ["run", "odd"], ["odd"])
    ]
    assert (listed.returncode, helped.returncode, ran.returncode, odd.returncode) == (0, 0, 2, 2)
    assert "(cannot be imported" in listed.stdout
    assert "compare" in helped.stdout
    for done in (listed, helped, ran, odd):
        assert "Traceback" not in done.stderr
    assert "cannot be imported" in ran.stderr
