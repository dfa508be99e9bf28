"""NAS-Bench-201 from NASLib's pickles and collected files; hardware costs joined by index."""

from __future__ import annotations

import gzip
import pickle

import numpy as np
import pytest

from automl_nas import tables
from automl_nas.errors import TableError
from automl_nas.tables.nasbench201 import arch_strings
from tests.tables.files import accuracy, naslib201, nats_folder

HEADER = ("index,arch_str,{t}.test_acc_200,{t}.naslib_acc_200,{t}.val_acc_12,{t}.test_acc_12,"
          "{t}.seed_train_acc_200,{t}.seed_test_acc_200,{t}.params_m,{t}.latency_s")  # fmt: skip
ORDER = (2, 0, 1)


def collected(folder, task, *, extra="", cells=ORDER):
    """Rows in another order than the indices."""
    lines = [HEADER.format(t=task) + (f",{task}.val_acc_200" if extra else "")]
    for i in cells:
        lines.append(f"{i},{arch_strings()[i]},{80 + i},{70 + i},{60 + i},{50 + i},,{40 + i},"
                     f"0.{i}00001,0.01" + extra)  # fmt: skip
    write(folder / "nb201.csv.gz", lines)


def means(folder, task, cells=3):
    lines = [f"index,{task}.val_acc_200_mean", *(f"{i},{90 + i}" for i in range(cells))]
    write(folder / "nb201_seedmeans_GENIUS_nolicence.csv.gz", lines)


def helps(folder):
    lines = ["index,pixel3,fpga", *(f"{i},{10 + i},{20 + i}" for i in range(15_625))]
    write(folder / "nasbench201_latency_ms.csv.gz", lines)


def hardware(folder, task, cells=15_625, **more):
    """The official layout of HW-NAS-Bench."""
    numbers = [float(i) for i in range(cells)]
    quantities = {
        "edgegpu_latency": numbers,
        "edgegpu_energy": np.array(numbers) * 2,
        "eyeriss_arithmetic_intensity": numbers,
        "config": [{"C": 16}] * cells,
        **more,
    }
    content = {"nasbench201": {task: quantities}, "fbnet": {"edgegpu_latency": {"Conv": 1.0}}}
    (folder / "HW-NAS-Bench-v1_0.pickle").write_bytes(pickle.dumps(content, 3))


def write(path, lines):
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))


def row(table, index):
    return table.row(arch_strings()[index])


@pytest.mark.parametrize(
    ("task", "file"),
    [("cifar10", "cifar10"), ("cifar100", "cifar100"), ("ImageNet16-120", "ImageNet16")],
)
def test_naslib_validation_accuracy_is_a_test_error(tmp_path, task, file):
    naslib201(tmp_path / f"nb201_{file}_full_training.pickle", task)
    table = tables.open("nasbench201", task, path=tmp_path)
    assert "validation_error" not in table.columns
    column = table.columns["search_test_error"]
    assert (column.part, column.metric.unit) == ("test", "%")
    name = "cifar10-valid" if task == "cifar10" else task
    for epoch in (1, 12, 200):
        got = table.value(row(table, 2), "search_test_error", fidelity=epoch)
        assert got == pytest.approx(100 - accuracy(2, name, 888, "ori-test", epoch - 1), abs=1e-5)
    assert table.value(row(table, 1), "training_seconds") == 101
    assert table.value(row(table, 1), "params") == 200_000
    assert table.continues


def test_collected_means_have_both_parts_and_two_trainings(tmp_path):
    collected(tmp_path, "cifar100")
    means(tmp_path, "cifar100")
    table = tables.open("nasbench201", "cifar100", path=tmp_path)
    assert table.fidelities == (12, 200)
    assert not table.continues
    for i in range(3):
        r = row(table, i)
        assert table.value(r, "validation_error") == 10 - i
        assert table.value(r, "validation_error", fidelity=12) == 40 - i
        assert table.value(r, "test_error") == 20 - i
        assert table.value(r, "test_error", fidelity=12) == 50 - i
        assert table.value(r, "search_test_error") == 30 - i
        assert table.value(r, "params") == i * 100_000 + 1
    assert np.isnan(table.query([0], "search_test_error", fidelity=12)).all()
    assert np.isnan(table.query([0], "seed_train_error")).all()


def test_without_the_means_validation_is_known_at_12_epochs_alone(tmp_path):
    collected(tmp_path, "cifar100")
    table = tables.open("nasbench201", "cifar100", path=tmp_path)
    assert np.isnan(table.query([0, 1, 2], "validation_error")).all()
    assert table.value(row(table, 2), "validation_error", fidelity=12) == 38
    collected(tmp_path, "cifar10", extra=",75.5")
    table = tables.open("nasbench201", "cifar10", path=tmp_path)
    assert table.query([0, 1, 2], "validation_error").tolist() == [24.5] * 3


def test_latencies_follow_the_official_index_whatever_the_order_of_rows(tmp_path):
    collected(tmp_path, "cifar100")
    helps(tmp_path)
    hardware(tmp_path, "cifar100")
    table = tables.open("nasbench201", "cifar100", path=tmp_path)
    for i in range(3):
        assert table.value(row(table, i), "latency_pixel3") == 10 + i
        assert table.value(row(table, i), "latency_edgegpu") == i
        assert table.value(row(table, i), "energy_edgegpu") == 2 * i
    assert table.columns["latency_pixel3"].metric.unit == "ms"
    assert table.columns["energy_edgegpu"].metric.unit == "mJ"
    assert table.columns["arithmetic_intensity_eyeriss"].metric.goal == "max"
    without = tables.open("nasbench201", "cifar100", path=tmp_path, hardware=())
    assert not [name for name in without.columns if "edgegpu" in name or "pixel3" in name]


def test_latencies_join_naslib_and_official_files_too(tmp_path):
    helps(tmp_path)
    naslib201(tmp_path / "nb201_cifar10_full_training.pickle", "cifar10", (5, 3))
    table = tables.open("nasbench201", "cifar10", path=tmp_path)
    assert table.query([0, 1], "latency_fpga").tolist() == [25, 23]
    nats_folder(tmp_path, (0, 284), recipes={"12": (777,)})
    layout = "NATS-Bench simple folder"
    table = tables.open("nasbench201", "cifar10", path=tmp_path, layout=layout, recipe="12")
    assert table.query([0, 1], "latency_fpga").tolist() == [20, 304]


def test_a_hostile_or_other_hardware_file_is_named(tmp_path):
    collected(tmp_path, "cifar100")
    hardware(tmp_path, "cifar10")
    with pytest.raises(TableError, match="HW-NAS-Bench with NAS-Bench-201 and cifar100"):
        tables.open("nasbench201", "cifar100", path=tmp_path)
    hardware(tmp_path, "cifar100", edgegpu_latency=print)
    with pytest.raises(TableError, match="which no table needs"):
        tables.open("nasbench201", "cifar100", path=tmp_path)


def test_damaged_text_is_named(tmp_path):
    path = tmp_path / "nb201.csv.gz"
    for data in (
        b"",
        b"no gzip",
        gzip.compress(b"index,arch_str\n1\n"),
        gzip.compress(b"\xff\xfe"),
    ):
        path.write_bytes(data)
        with pytest.raises(TableError, match=r"nb201\.csv\.gz"):
            tables.open("nasbench201", "cifar10", path=tmp_path)
    write(path, ["index,arch_str", "1,x"])
    with pytest.raises(TableError, match=r"expected the columns cifar10\.test_acc_200"):
        tables.open("nasbench201", "cifar10", path=tmp_path)
    collected(tmp_path, "cifar10", extra=",nonsense")
    with pytest.raises(TableError, match="column of numbers"):
        tables.open("nasbench201", "cifar10", path=tmp_path)
