"""Imports are cheap and without effects; the public names are what they say."""

from __future__ import annotations

import subprocess
import sys

import pytest

import automl_nas
import automl_nas.searchers


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import automl_nas", {"torch", "smac", "syne_tune", "sklearn", "optuna", "ConfigSpace"}),
        ("import automl_nas.cli", {"torch", "smac", "syne_tune", "sklearn", "optuna", "rich"}),
        ("import studies.compare", {"torch", "smac", "syne_tune", "sklearn", "optuna"}),
        ("import spaces.nasbench201", {"torch", "sklearn", "optuna"}),
        ("import automl_nas.searchers.gradient", {"torch", "smac", "syne_tune"}),
        ("import automl_nas.searchers.from_smac", {"torch", "smac", "syne_tune"}),
        ("import automl_nas.searchers.from_syne_tune", {"torch", "smac", "syne_tune"}),
        ("import automl_nas.study", {"torch", "smac", "syne_tune", "matplotlib", "rich"}),
    ],
)
def test_no_import_is_heavier_than_it_must(statement, unwanted):
    assert modules_after(statement) & unwanted == set()


def test_imports_leave_global_state_alone():
    code = (
        "import random, numpy, logging; before = (random.getstate(), "
        "numpy.random.get_state()[1].tolist(), list(logging.root.handlers), logging.root.level)\n"
        "import automl_nas.study, automl_nas.searchers.gradient, automl_nas.report\n"
        "import automl_nas.cli, spaces.nasbench201, studies.compare\n"
        "after = (random.getstate(), "
        "numpy.random.get_state()[1].tolist(), list(logging.root.handlers), logging.root.level)\n"
        "assert before == after"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("package", [automl_nas, automl_nas.searchers])
def test_public_names_are_sorted_and_there(package):
    assert sorted(package.__all__) == list(package.__all__)
    for name in package.__all__:
        assert getattr(package, name).__doc__
    with pytest.raises(AttributeError, match="nonsense"):
        _ = package.nonsense
