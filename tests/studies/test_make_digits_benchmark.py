from __future__ import annotations

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from automl_nas.errors import SettingError
from spaces import nasbench201
from spaces.nasbench201 import digits201
from spaces.nasbench201.space import is_reduced
from studies import make_digits_benchmark as making

COMMAND = [sys.executable, "-m", "studies.make_digits_benchmark", "--limit", "6", "--part", "2"]


def start(out, workers):
    return subprocess.Popen(
        [*COMMAND, "--out", str(out), "--workers", str(workers)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def errors(out):
    with np.load(out / "digits201.npz", allow_pickle=False) as table:
        return {name: table[name] for name in table.files if name != "training_seconds"}


def test_classes_are_the_published_number_with_the_first_reduced_cell_of_each():
    class_of, representative = making.classes()
    assert len(representative) == 5_390 == len(set(class_of.tolist()))
    names = [
        nasbench201.isomorphism_class(nasbench201.from_index(i), zeros="dropped")
        for i in range(15_625)
    ]
    assert len(set(zip(names, class_of.tolist(), strict=True))) == 5_390
    assert all(is_reduced(nasbench201.from_index(int(i))) for i in representative)
    assert (np.diff(representative) > 0).all()


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_to_the_same_table(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start(killed, 1)
    deadline = time.monotonic() + 200
    while not list(killed.glob("part-*.npz")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {file: file.stat().st_mtime_ns for file in killed.glob("part-*.npz")}
    assert not (killed / "digits201.npz").exists()
    assert [start(folder, 2).wait() for folder in (killed, whole)] == [0, 0]
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    first, second = errors(killed), errors(whole)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    read = digits201.load(killed / "digits201.npz")
    assert read.validation_wrong.shape == (6, 3, read.epochs)


def test_a_folder_of_another_run_is_refused(tmp_path):
    (tmp_path / "about.json").write_text("{}")
    with pytest.raises(SettingError, match="another"):
        next(making.make(tmp_path, workers=1, limit=1))
    assert [file.name for file in tmp_path.iterdir()] == ["about.json"]
