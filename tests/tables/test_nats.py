"""Folders of NATS-Bench: every seed and epoch lands in its place; what is missing is NaN."""

from __future__ import annotations

import numpy as np
import pytest

from automl_nas import tables
from automl_nas.errors import SettingError, TableError, UnknownName
from automl_nas.tables import nats
from automl_nas.tables.nasbench201 import arch_strings
from tests.tables.files import accuracy, nats_folder, write_pbz2

INDICES = (0, 11, 284)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return nats_folder(tmp_path_factory.mktemp("nats"), INDICES, missing=[("200", 999)])


@pytest.fixture(scope="module")
def small(folder):
    """The recipe of 12 epochs, where every epoch was evaluated on every split."""
    return {task: tables.open("nasbench201", task, path=folder.parent, recipe="12")
            for task in nats.TASKS}  # fmt: skip


def test_keys_are_the_official_strings_and_seeds_the_official_seeds(small):
    table = small["cifar100"]
    assert table.keys.tolist() == [arch_strings()[index] for index in INDICES]
    assert table.seeds == (111, 777)
    assert table.fidelities == tuple(range(1, 13))
    assert table.continues


@pytest.mark.parametrize(
    ("task", "column", "name", "split"),
    [
        ("cifar10", "validation_error", "cifar10-valid", "x-valid"),
        ("cifar10", "test_error", "cifar10", "ori-test"),
        ("cifar10", "search_test_error", "cifar10-valid", "ori-test"),
        ("cifar10", "train_error", "cifar10-valid", "train"),
        ("cifar100", "validation_error", "cifar100", "x-valid"),
        ("cifar100", "test_error", "cifar100", "x-test"),
        ("cifar100", "search_test_error", "cifar100", "x-test"),
        ("cifar100", "whole_test_error", "cifar100", "ori-test"),
        ("ImageNet16-120", "validation_error", "ImageNet16-120", "x-valid"),
        ("ImageNet16-120", "test_error", "ImageNet16-120", "x-test"),
    ],
)
def test_each_number_is_of_the_run_and_split_that_the_column_promises(
    small, task, column, name, split
):
    for row, index in enumerate(INDICES):
        for seed in (111, 777):
            for epoch in (1, 5, 12):
                got = small[task].value(row, column, fidelity=epoch, seed=seed)
                expected = 100 - accuracy(index, name, seed, split, epoch - 1)
                assert got == pytest.approx(expected, abs=1e-5)


def test_parts_are_said_and_errors_come_first(small):
    parts = {name: column.part for name, column in small["cifar100"].columns.items()}
    assert parts["validation_error"] == "validation"
    assert parts["test_error"] == parts["search_test_error"] == parts["whole_test_error"] == "test"
    assert parts["train_error"] == "train"
    assert parts["training_seconds"] == parts["params"] == ""
    assert "whole_test_error" not in small["cifar10"].columns


def test_costs_are_in_the_published_units(small):
    table = small["cifar10"]
    assert table.query([0, 1, 2], "training_seconds").tolist() == [24, 156, 3432]
    assert table.query([1], "training_seconds", fidelity=3).tolist() == [39]
    assert table.query([0, 1, 2], "params").tolist() == [500_000, 500_011, 500_284]
    assert table.query([0, 1, 2], "flops").tolist() == [10, 21, 294]
    assert table.query([0], "latency_seconds").tolist() == [0.02]


def test_an_epoch_that_was_not_recorded_is_nan_and_a_missing_seed_too(folder):
    table = tables.open("nasbench201", "cifar100", path=folder.parent)
    assert table.seeds == (777, 888)
    assert np.isnan(table.query([0, 1, 2], "validation_error", fidelity=12)).all()
    assert np.isfinite(table.query([0, 1, 2], "validation_error")).all()
    assert np.isfinite(table.query([0, 1, 2], "whole_test_error", fidelity=12)).all()
    cifar10 = tables.open("nasbench201", "cifar10", path=folder.parent)
    assert np.isfinite(cifar10.query([0, 1, 2], "validation_error", fidelity=12)).all()


def test_a_seed_that_one_cell_lacks_is_left_out_of_its_mean(tmp_path):
    whole = nats_folder(tmp_path / "a", (0,), recipes={"12": (111, 777)})
    part = nats_folder(tmp_path / "b", (11,), recipes={"12": (111, 777)}, missing=[("12", 777)])
    (part / "000011.pickle.pbz2").rename(whole / "000011.pickle.pbz2")
    table = tables.open("nasbench201", "cifar10", path=tmp_path / "a", recipe="12")
    assert np.isnan(table.value(1, "validation_error", seed=777))
    one = table.value(1, "validation_error", seed=111)
    assert table.value(1, "validation_error") == one


def test_several_processes_read_the_same(folder, small):
    table = tables.open("nasbench201", "cifar10", path=folder.parent, recipe="12", workers=2)
    assert table.digest == small["cifar10"].digest


def test_nothing_is_kept_unless_asked(folder, small):
    assert sorted(path.name for path in folder.iterdir())[:2] == [
        "000000.pickle.pbz2",
        "000011.pickle.pbz2",
    ]
    assert not list(folder.parent.glob("**/*.npz"))


def test_a_kept_table_is_the_same_and_follows_the_files(folder, small, tmp_path, monkeypatch):
    def ask():
        return tables.open(
            "nasbench201", "cifar10", path=folder.parent, recipe="12", cache=tmp_path
        )

    first = ask()
    assert first.digest == small["cifar10"].digest
    kept = list(tmp_path.glob("*.npz"))
    assert [path.name for path in kept] == ["nasbench201-cifar10-12.table.npz"]
    with monkeypatch.context() as patched:
        patched.setattr(nats, "_cell", None)  # nothing official is read
        second = ask()
    assert second.digest == first.digest
    assert second.columns["test_error"].note == first.columns["test_error"].note
    assert second.columns["test_error"].part == "test"
    assert (second.seeds, second.fidelity, second.continues) == ((111, 777), first.fidelity, True)
    kept[0].write_bytes(kept[0].read_bytes()[:1000])  # a damaged cache is read again
    assert ask().digest == first.digest
    extra = nats_folder(tmp_path / "x", (5,), recipes={"12": (111, 777)})
    try:
        (extra / "000005.pickle.pbz2").rename(folder / "000005.pickle.pbz2")
        assert len(ask()) == 4
    finally:
        (folder / "000005.pickle.pbz2").unlink()


def test_sizes_are_read_with_their_own_recipes(tmp_path):
    nats_folder(
        tmp_path,
        (0, 7),
        name="NATS-sss-v1_0-50262-simple",
        archs={0: "8:8:8:8:8", 7: "8:8:8:8:64"},
        recipes={"01": (777,), "12": (777, 888), "90": (777,)},
    )
    full = tables.open("natsbench_size", "cifar100", path=tmp_path)
    assert (full.fidelity.full, full.seeds) == (90, (777,))
    assert full.keys.tolist() == ["8:8:8:8:8", "8:8:8:8:64"]
    expected = 100 - accuracy(7, "cifar100", 777, "x-valid", 44)
    assert full.value(1, "validation_error", fidelity=45) == pytest.approx(expected, abs=1e-5)
    assert tables.open("natsbench_size", "cifar10", path=tmp_path, recipe="01").fidelities == (1,)
    with pytest.raises(UnknownName, match="recipe of natsbench_size/cifar10"):
        tables.open("natsbench_size", "cifar10", path=tmp_path, recipe="200")


@pytest.mark.parametrize("content", [{}, {"12": {}}, {"12": {"all_results": {}}}, [1], None])
def test_a_file_of_another_shape_is_named(tmp_path, content):
    folder = nats_folder(tmp_path, (0,), recipes={"12": (777,)})
    write_pbz2(folder / "000003.pickle.pbz2", content)
    with pytest.raises(TableError, match=r"000003\.pickle\.pbz2 is not a record of NATS-Bench"):
        tables.open("nasbench201", "cifar10", path=tmp_path, recipe="12")


def test_a_folder_without_architectures_is_named(tmp_path):
    nats_folder(tmp_path, ())
    with pytest.raises(TableError, match="unpack the archive"):
        tables.open("nasbench201", "cifar10", path=tmp_path)


def test_unknown_seeds_are_answered_with_the_known_ones(small):
    with pytest.raises(SettingError, match="seeds \\(111, 777\\)"):
        small["cifar10"].query([0], "test_error", seed=888)
