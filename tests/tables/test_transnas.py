"""TransNAS-Bench-101's official layout on a synthetic file; the real scores where they are."""

import os

import numpy as np
import pytest
import torch

from automl_nas import tables
from automl_nas.errors import MissingTable, SettingError, TableError, UnknownName
from automl_nas.tables.suite_tasks import TASKONOMY
from automl_nas.tables.transnas import SCORES
from spaces.transbench101 import macro, micro

DATA = os.environ.get("AUTOML_NAS_DATA")
real = pytest.mark.skipif(DATA is None, reason="AUTOML_NAS_DATA is not set")
FILE = "transnas-bench_v10141024.pth"
CURVE = [10.0, 30.0, 20.0]
ARCHES = {
    "micro": ["64-41414-1_02_333", "64-41414-0_00_000"],
    "macro": ["64-1234-basic", "64-2311-basic"],
}


def metrics(task):
    score = SCORES[task][0]
    names = [f"{part}_{kind}" for part in ("train", "valid", "test") for kind in (score, "loss")]
    return [*dict.fromkeys(names), "time_elapsed"]


def result(task, row, epochs=3):
    score = SCORES[task][0]
    curves = {name: [1.0 / (1 + epoch) for epoch in range(epochs)] for name in metrics(task)}
    curves[f"valid_{score}"] = [value + row for value in CURVE[:epochs]]
    curves[f"test_{score}"] = [5.0, 6.0, 7.0][:epochs]
    curves["time_elapsed"] = [60.0 * (epoch + 1) for epoch in range(epochs)]
    info = {"encoder_params": 1000 + row, "model_FLOPs": 2.5}
    return {"total_epochs": epochs, "model_info": info, "metrics": curves}


def database():
    return {
        "metrics_dict": {task: metrics(task) for task in TASKONOMY},
        "info_names": ["encoder_params", "model_FLOPs"],
        "task_list": list(TASKONOMY),
        "data": {
            space: {
                arch: {task: result(task, row) for task in TASKONOMY}
                for row, arch in enumerate(arches)
            }
            for space, arches in ARCHES.items()
        },
    }


def written(folder, data):
    torch.save(data, folder / FILE)
    return folder


@pytest.mark.parametrize("space", ["micro", "macro"])
@pytest.mark.parametrize("task", TASKONOMY)
def test_every_task_of_the_official_file_is_read(tmp_path, space, task):
    table = tables.open(f"transbench101_{space}", task, path=written(tmp_path, database()))
    assert table.keys.tolist() == ARCHES[space]
    metric = table.column("validation_score").metric
    assert (metric.goal, metric.unit) == ("max", SCORES[task][1])
    assert table.fidelities == (1, 2, 3)
    assert table.fidelity.name == "epochs"
    assert table.query([0, 1], "validation_score").tolist() == [20.0, 21.0]
    assert table.query([0], "validation_score", fidelity=2).tolist() == [30.0]
    assert table.query([0], "test_score").tolist() == [7.0]
    assert table.query([1], "encoder_params").tolist() == [1001.0]
    assert table.query([0], "training_seconds", fidelity=2).tolist() == [120.0]
    assert table.column("valid_loss").metric.goal == "min"
    assert table.column("test_score").part == "test"


def test_the_best_epoch_is_chosen_on_validation_alone(tmp_path):
    table = tables.open(
        "transbench101_micro", "jigsaw", path=written(tmp_path, database()), mode="best"
    )
    assert [table.value(0, "validation_score", fidelity=n) for n in (1, 2, 3)] == [10.0, 30.0, 30.0]
    assert [table.value(0, "test_score", fidelity=n) for n in (1, 2, 3)] == [5.0, 6.0, 6.0]
    assert table.value(0, "training_seconds") == 180.0  # what was spent, not what was kept


def test_a_shorter_training_keeps_its_last_value_and_the_note_says_so(tmp_path):
    data = database()
    data["data"]["micro"][ARCHES["micro"][1]]["jigsaw"] = result("jigsaw", 1, epochs=2)
    table = tables.open("transbench101_micro", "jigsaw", path=written(tmp_path, data))
    assert table.value(1, "validation_score") == 31.0
    assert "1 rows have fewer epochs" in table.column("validation_score").note


def test_times_as_text_become_seconds(tmp_path):
    data = database()
    metrics_of = data["data"]["micro"][ARCHES["micro"][0]]["jigsaw"]["metrics"]
    metrics_of["time_elapsed"] = ["00:01:00", "00:02:30", "01:00:00"]
    table = tables.open("transbench101_micro", "jigsaw", path=written(tmp_path, data))
    curve = [table.value(0, "training_seconds", fidelity=epoch) for epoch in (1, 2, 3)]
    assert curve == [60.0, 150.0, 3600.0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("data"),
        lambda data: data["metrics_dict"].pop("jigsaw"),
        lambda data: data["data"].update(micro={}),
        lambda data: data["data"]["micro"][ARCHES["micro"][0]].pop("jigsaw"),
        lambda data: data["data"]["micro"][ARCHES["micro"][0]]["jigsaw"]["metrics"].pop(
            "test_top1"
        ),
        lambda data: data["data"]["micro"][ARCHES["micro"][0]]["jigsaw"].update(total_epochs=9),
        lambda data: data["data"]["micro"].update({"x": "no result"}),
    ],
)
def test_a_malformed_file_is_a_table_error(tmp_path, damage):
    data = database()
    damage(data)
    with pytest.raises(TableError, match=FILE):
        tables.open("transbench101_micro", "jigsaw", path=written(tmp_path, data))


def test_a_truncated_file_and_wrong_names_are_refused(tmp_path):
    written(tmp_path, database())
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:500])
    with pytest.raises(TableError, match=FILE):
        tables.open("transbench101_micro", "jigsaw", path=tmp_path)
    with pytest.raises(UnknownName, match="jigsaw"):
        tables.open("transbench101_micro", "jigsaws", path=tmp_path)
    with pytest.raises(SettingError, match="mode"):
        tables.open("transbench101_micro", "jigsaw", path=written(tmp_path, database()), mode="max")


def test_a_missing_file_says_which_are_expected(tmp_path):
    with pytest.raises(MissingTable, match=FILE):
        tables.open("transbench101_macro", "normal", path=tmp_path)


def test_the_spaces_objective_charges_seconds_and_keeps_the_test_score_at_full_epochs(tmp_path):
    objective = micro.table("jigsaw", path=written(tmp_path, database()))
    from automl_nas.types import Trial

    answer = objective(micro.from_arch(ARCHES["micro"][0]), 1, Trial(0, 0))
    assert answer.values == {"validation_score": 10.0, "test_score": 7.0}
    assert answer.simulated_seconds == 60.0
    continued = objective(micro.from_arch(ARCHES["micro"][0]), 3, Trial(0, 0, continued=1))
    assert continued.simulated_seconds == 120.0


BEST = {  # specs: maxima of the collected tables, micro / macro
    "class_scene": (54.94, 57.41), "jigsaw": (95.37, 97.02), "autoencoder": (0.577, 0.749),
    "normal": (0.587, 0.644),
}  # fmt: skip


@real
@pytest.mark.parametrize("task", TASKONOMY)
def test_the_real_scores_of_all_cells(task):
    table = tables.open("transbench101_micro", task, path=DATA)
    assert len(table) == 4_096
    assert all(micro.to_arch(micro.from_arch(key)) == key for key in table.keys[::37].tolist())
    best = table.query(slice(None), "validation_score").max()
    if task in BEST:
        assert best == pytest.approx(BEST[task][0], abs=0.005 if best > 1 else 0.0005)


@real
@pytest.mark.parametrize("task", TASKONOMY)
def test_the_real_scores_of_the_skeletons(task):
    table = tables.open("transbench101_macro", task, path=DATA)
    # the collected files have all skeletons on these four tasks only
    whole = task in ("class_object", "class_scene", "jigsaw", "room_layout")
    assert len(table) == (3_256 if whole else 725)
    assert all(macro.is_legal(key.split("-")[1]) for key in table.keys.tolist())
    best = table.query(slice(None), "validation_score").max()
    if task in BEST:
        assert best == pytest.approx(BEST[task][1], abs=0.005 if best > 1 else 0.0005)
    assert np.isfinite(best)
