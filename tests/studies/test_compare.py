"""The main job: every searcher, equal cost, killed and resumed, a page."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from automl_nas import load
from automl_nas.report import as_plain, summary
from studies import compare, small_networks

EQUIVALENTS = 8
"""Enough for every engine to leave its initial design."""
LARGEST = 5
"""More than the FLOPs of the largest cell in equivalents: what the last evaluation overshoots."""
SMALL = ("--seeds", "1", "--equivalents", str(EQUIVALENTS), "--workers", "2")


def command(folder, *arguments):
    return [sys.executable, "-m", "studies.compare", "--out", str(folder), *arguments]


def run(folder, *arguments):
    return subprocess.run(
        command(folder, *arguments), capture_output=True, text=True, check=False, timeout=400
    )


def table(folder):
    return as_plain(summary(load(f"sqlite:///{folder}/study.db")), seconds=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    done = run(folder, *SMALL)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_definitions():
    every = compare.studies(seeds=2, equivalents=10)
    assert len({study.name for study in every}) == len(every) == 30
    names = {study.searcher.name for study in every}
    assert len(names) >= 12
    assert {f"gradient:{sampler}" for sampler in ("darts", "drnas", "gdas", "uniform")} <= names
    assert {study.budget.equivalents for study in every} == {10}
    assert len({study.objective for study in every}) == 1


@pytest.mark.parametrize("equivalents", [10, 25])
def test_gradient_runs_are_sized_to_the_budget(equivalents):
    every = compare.studies(seeds=1, equivalents=equivalents)
    full = every[0].objective.full_training_flops
    for study in every:
        if study.searcher.name.startswith("gradient:"):
            searcher = study.searcher
            a_round = searcher.recipe.epochs_per_round * searcher.epoch_flops()
            spent = searcher.rounds * (a_round + searcher.ranking_flops()) / full
            assert 0.75 * equivalents < spent + 1 <= equivalents


def test_live_and_looked_up_are_the_same_study_but_for_the_objective():
    looked_up, live = (
        compare.studies(seeds=1, equivalents=10, live=live) for live in (False, True)
    )
    assert [study.name for study in live] == [study.name for study in looked_up]
    assert live[0].objective.name == "training:digits"
    assert live[0].objective.metrics == looked_up[0].objective.metrics
    assert live[0].objective.full_training_flops == looked_up[0].objective.full_training_flops


def test_small_networks():
    every = small_networks.studies(seeds=2, evaluations=5)
    assert len(every) == 6
    assert {len(study.optimize) for study in every} == {2}


@pytest.mark.slow
def test_the_main_job_leaves_a_record_and_a_page(whole):
    folder, printed = whole
    page = (folder / "report.html").read_text()
    assert page.count("<svg") >= 6
    for group in table(folder):
        for row in group["rows"]:
            assert row["searcher"] in page
            assert row["searcher"] in printed


@pytest.mark.slow
def test_every_run_is_charged_its_budget(whole):
    for results in load(f"sqlite:///{whole[0]}/study.db"):
        spent = results.total.training_flops / results.full_training_flops
        if results.searcher.startswith("gradient:"):
            assert spent > 0.7 * EQUIVALENTS, results.name
        else:
            assert spent >= EQUIVALENTS
        assert spent < EQUIVALENTS + LARGEST, results.name


@pytest.mark.slow
def test_a_second_run_evaluates_nothing_new(whole):
    folder, _ = whole
    before = [
        (r.name, len(r.records), len(r.sessions)) for r in load(f"sqlite:///{folder}/study.db")
    ]
    done = run(folder, *SMALL)
    after = [
        (r.name, len(r.records), len(r.sessions)) for r in load(f"sqlite:///{folder}/study.db")
    ]
    assert done.returncode == 0, done.stderr
    assert before == after


def until(folder, trials, process):
    """Waits for so many trials in the storage, or for the end of the process."""
    query = f"file:{folder}/study.db?mode=ro"
    while process.poll() is None:
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(query, uri=True)) as database,
        ):
            if database.execute("select count(*) from trials").fetchone()[0] >= trials:
                return
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_and_run_again_gives_the_same_table(whole, tmp_path):
    for trials in (2, 20, 80):
        with subprocess.Popen(command(tmp_path, *SMALL), stderr=subprocess.DEVNULL) as process:
            until(tmp_path, trials, process)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    done = run(tmp_path, *SMALL)
    assert done.returncode == 0, done.stderr
    assert table(tmp_path) == table(whole[0])


@pytest.mark.slow
def test_stopped_by_ctrl_c(tmp_path):
    process = subprocess.Popen(
        command(tmp_path, *SMALL),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(tmp_path, 10, process)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in stderr
    assert "Traceback" not in stderr
