"""NAS-Bench-101 from TFRecords, NASLib's pickle and collected files; hashes and keys of cells."""

from __future__ import annotations

import gzip
import itertools
import pickle

import numpy as np
import pytest

from automl_nas import tables
from automl_nas.errors import TableError
from automl_nas.tables.modules101 import (
    OPERATIONS,
    SHARED,
    from_text,
    key_of,
    module_hash,
    pruned,
    unpacked,
)
from tests.tables.files import framed, nasbench101_record

ADJACENCY = "0110001100010000"
NAMES = "input,conv1x1-bn-relu,conv3x3-bn-relu,output"
PUBLISHED = "5529e1779433733d1145e20de5d8604e"  # of this cell in EC-NAS's original file
OTHER = "00005c142e6f48ac74fdcf73e3439874"


def points(base, epochs):
    """(epoch, seconds, train, validation, test) at the start, halfway and at the end."""
    return [
        (0.0, 0.0, 0.1, 0.1, 0.1),
        (epochs / 2, base, base / 100, base / 200, base / 400),
        (float(epochs), 2 * base, base / 50, base / 100, base / 200),
    ]


def write_tfrecord(path, names=(PUBLISHED, OTHER), epochs=(4, 108), runs=3):
    path.write_bytes(b"".join(
        nasbench101_record(name, amount, ADJACENCY, NAMES, points(number(i, e, r), amount), 1000+i)
        for r in range(runs)
        for e, amount in enumerate(epochs)
        for i, name in enumerate(names)
    ))  # fmt: skip


def number(row, place, repeat):
    return 1.0 + row + 5 * place + 20 * repeat


def test_a_tfrecord_is_read_with_all_runs_and_budgets(tmp_path):
    write_tfrecord(tmp_path / "nasbench_full.tfrecord")
    for check in ("lengths", "all"):
        table = tables.open("nasbench101", path=tmp_path, check=check)
        assert (table.fidelities, table.seeds, table.continues) == ((4, 108), (0, 1, 2), False)
    for i, name in enumerate((PUBLISHED, OTHER)):
        row = table.row(key_of(name))
        assert table.value(row, "params") == 1000 + i
        for (place, amount), repeat in itertools.product(enumerate((4, 108)), range(3)):
            base = number(i, place, repeat)
            asked = {"fidelity": amount, "seed": repeat}
            for column, expected in {
                "validation_error": 100 - base,
                "test_error": 100 - base / 2,
                "train_error": 100 - 2 * base,
                "training_seconds": 2 * base,
                "halfway_validation_error": 100 - base / 2,
                "halfway_training_seconds": base,
            }.items():
                assert table.value(row, column, **asked) == pytest.approx(expected, abs=1e-4)
    assert "energy_kwh" not in table.columns
    assert table.columns["halfway_test_error"].part == "test"


def test_runs_of_a_cell_may_be_fewer_and_come_mixed(tmp_path):
    first = nasbench101_record(PUBLISHED, 4, ADJACENCY, NAMES, points(3.0, 4), 7)
    second = nasbench101_record(OTHER, 108, ADJACENCY, NAMES, points(4.0, 108), 8)
    third = nasbench101_record(PUBLISHED, 4, ADJACENCY, NAMES, points(5.0, 4), 7)
    (tmp_path / "nasbench_only108.tfrecord").write_bytes(first + second + third)
    table = tables.open("nasbench101", path=tmp_path)
    row = table.row(key_of(PUBLISHED))
    assert table.value(row, "training_seconds", fidelity=4, seed=1) == 10
    assert table.value(row, "training_seconds", fidelity=4) == 8
    assert np.isnan(table.value(row, "training_seconds"))
    assert np.isnan(table.value(table.row(key_of(OTHER)), "training_seconds", seed=1))


def test_a_kept_tfrecord_is_the_same(tmp_path):
    write_tfrecord(tmp_path / "nasbench_only108.tfrecord", epochs=(108,))
    first = tables.open("nasbench101", path=tmp_path, cache=tmp_path / "cache")
    again = tables.open("nasbench101", path=tmp_path, cache=tmp_path / "cache")
    assert first.digest == again.digest
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [
        "nasbench101-nasbench_only108.table.npz"
    ]


def test_a_name_that_is_no_hash_is_named(tmp_path):
    write_tfrecord(tmp_path / "nasbench_full.tfrecord", names=("no hash at all",))
    with pytest.raises(TableError, match=r"nasbench_full\.tfrecord is not"):
        tables.open("nasbench101", path=tmp_path)


@pytest.mark.parametrize("data", [b"[]", b"{}", b"nonsense", b'["a", 4, "", "", "????"]',
                                  b'["zz", 4, "", "", ""]'])  # fmt: skip
def test_a_record_of_another_shape_is_named(tmp_path, data):
    (tmp_path / "nasbench_full.tfrecord").write_bytes(framed(data))
    with pytest.raises(
        TableError, match=r"nasbench_full\.tfrecord is not a TFRecord file of NAS-B"
    ):
        tables.open("nasbench101", path=tmp_path)


def test_naslib_pickle_has_three_runs_at_108_epochs(tmp_path):
    run = {
        f"{when}_{what}": value + (0.01 if when == "final" else 0.0)
        for when in ("halfway", "final")
        for what, value in (("training_time", 10.0), ("train_accuracy", 0.9),
                            ("validation_accuracy", 0.8), ("test_accuracy", 0.7))
    }  # fmt: skip
    fixed = {
        "module_adjacency": np.eye(2, dtype=np.int8),
        "module_operations": ["input", "output"],
        "trainable_parameters": 42,
    }
    content = {PUBLISHED: (fixed, {108: [run, run, {**run, "final_test_accuracy": 0.74}]})}
    (tmp_path / "nasbench_only108.pkl").write_bytes(pickle.dumps(content))
    table = tables.open("nasbench101", path=tmp_path)
    assert table.value(0, "validation_error") == pytest.approx(19, abs=1e-4)
    assert table.value(0, "test_error") == pytest.approx((29 + 29 + 26) / 3, abs=1e-4)
    assert table.value(0, "test_error", seed=2) == pytest.approx(26, abs=1e-4)
    assert table.value(0, "halfway_training_seconds") == 10
    assert table.value(0, "params") == 42
    (tmp_path / "nasbench_only108.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(TableError, match="NASLib's records of NAS-Bench-101"):
        tables.open("nasbench101", path=tmp_path)


def test_collected_means_are_found_by_the_whole_hash(tmp_path):
    matrix, labels = from_text(ADJACENCY, NAMES.split(","))
    upper = [matrix[i][j] for i in range(4) for j in range(i + 1, 4)]
    np.savez(
        tmp_path / "nb101_full.npz",
        hash32=np.array([int(PUBLISHED[:8], 16), int(OTHER[:8], 16)], dtype=np.uint32),
        n_vertices=np.array([4, 4], dtype=np.uint8),
        adjacency_bits=np.array([sum(b << k for k, b in enumerate(upper))] * 2, dtype=np.uint32),
        ops=np.array([[*labels, -1, -1, -1]] * 2, dtype=np.int8),
        test_acc_108_x29952=np.array([29952 // 2, 0], dtype=np.uint16),
        params=np.array([5, 6], dtype=np.uint32),
    )
    table = tables.open("nasbench101", path=tmp_path)
    row = table.row(key_of(PUBLISHED))
    assert (table.value(row, "test_error"), table.value(row, "params")) == (50, 5)
    assert table.columns["test_error"].part == "test"
    (tmp_path / "nb101_full.npz").write_bytes(b"nonsense")
    with pytest.raises(TableError, match=r"nb101_full\.npz is not"):
        tables.open("nasbench101", path=tmp_path)


def test_the_collected_sample_knows_its_budgets(tmp_path):
    lines = [
        "index,hash,n_vertices,adjacency_bits,ops,val_acc_4,val_acc_12,val_acc_36,val_acc_108,"
        "training_time_s,params,test_acc_108",
        f"0,{OTHER},7,1394777,02001,0.25,0.5,0.75,0.875,1768.9,8555530,0.9",
    ]
    path = tmp_path / "nb101_20k_multifidelity_nolicence.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    table = tables.open("nasbench101", path=tmp_path)
    row = table.row(key_of(OTHER))
    got = [table.value(row, "validation_error", fidelity=e) for e in (4, 12, 36, 108)]
    assert got == [75, 50, 25, 12.5]
    assert np.isnan(table.value(row, "test_error", fidelity=36))
    assert table.value(row, "test_error") == pytest.approx(10)
    assert table.value(row, "training_seconds") == 1768.9


def test_the_hash_of_a_published_cell():
    assert module_hash(*from_text(ADJACENCY, NAMES.split(","))) == PUBLISHED


def test_isomorphic_cells_share_their_hash_and_others_do_not():
    edges = {(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (1, 4)}
    labels = (0, 1, 2)
    hashes = set()
    for order in ((1, 2, 3), (2, 1, 3)):  # vertices 1 and 2 may change places
        place = dict(zip((0, 1, 2, 3, 4), (0, *order, 4), strict=True))
        moved = {(place[i], place[j]) for i, j in edges}
        matrix = tuple(tuple(int((i, j) in moved) for j in range(5)) for i in range(5))
        relabelled = tuple(labels[(0, *order, 4).index(v) - 1] for v in (1, 2, 3))
        hashes.add(module_hash(matrix, relabelled))
    matrix = tuple(tuple(int((i, j) in edges) for j in range(5)) for i in range(5))
    assert hashes == {module_hash(matrix, labels)}
    assert module_hash(matrix, (1, 1, 2)) not in hashes


def test_pruning_keeps_what_lies_on_a_path():
    edges = {(0, 1), (1, 4), (0, 2), (3, 4)}  # 2 leads nowhere, 3 comes from nowhere
    matrix = [[int((i, j) in edges) for j in range(5)] for i in range(5)]
    assert pruned(matrix, (0, 1, 2)) == (((0, 1, 0), (0, 0, 1), (0, 0, 0)), (0,))
    assert pruned([[0, 0], [0, 0]], ()) is None
    assert pruned([[0, 1, 0], [0, 0, 0], [0, 0, 0]], (2,)) is None


def test_packed_cells_come_back():
    matrix, labels = unpacked(4, 0b110101, (0, 2, -1, -1, -1))
    assert matrix == ((0, 1, 0, 1), (0, 0, 0, 1), (0, 0, 0, 1), (0, 0, 0, 0))
    assert [OPERATIONS[label] for label in labels] == ["conv3x3-bn-relu", "maxpool3x3"]


def test_keys_tell_apart_what_shares_its_first_bytes():
    shared = f"{min(SHARED):08x}"
    assert key_of(shared + "0" * 24) != key_of(shared + "f" * 24)
    alone = next(f"{i:08x}" for i in range(100) if i not in SHARED)
    assert key_of(alone + "0" * 24) == key_of(alone + "f" * 24)
    assert 0 <= key_of("f" * 32) < 2**63


def test_text_of_another_shape_is_no_cell():
    with pytest.raises(ValueError, match="no matrix of 3 vertices"):
        from_text(ADJACENCY, ["input", "maxpool3x3", "output"])
    with pytest.raises(ValueError, match="conv9x9"):
        from_text("0" * 9, ["input", "conv9x9", "output"])
