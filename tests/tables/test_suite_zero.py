"""NAS-Bench-Suite-Zero: layouts, sentinels, and keys that mean what the published data mean."""

import gzip
import json
import os
import zipfile

import numpy as np
import pytest
from scipy.stats import spearmanr

from automl_nas import tables
from automl_nas.errors import TableError
from automl_nas.tables.suite_keys import native
from automl_nas.tables.suite_tasks import EXTRA, PROXIES, SPACES, TASKONOMY, TASKS
from spaces.transbench101 import micro

DATA = os.environ.get("AUTOML_NAS_DATA")
real = pytest.mark.skipif(DATA is None, reason="AUTOML_NAS_DATA is not set")
KEYS = {
    "nasbench101": "(0, 1, 0, 0, 0, 4)".replace("0, 0, 0, 4", "0, 0, 0, 1"),
    "nasbench201": "(4, 3, 3, 0, 0, 0)",
    "nasbench301": str(((((0, 3), (1, 2)) * 4), (((1, 2), (0, 3)) * 4))),
    "transbench101_micro": "(1, 0, 2, 3, 3, 3)",
    "transbench101_macro": "(1, 2, 3, 4, 0, 0)",
}


def entry(accuracy=50.0, **scores):
    row = {name: {"score": 1.5, "time": 0.25} for name in PROXIES}
    row |= {name: {"score": score, "time": 0.5} for name, score in scores.items()}
    return {"id": 3, "val_accuracy": accuracy, **row}


def write(folder, space, data, *, compressed=False):
    name = f"zc_{space}.json" + (".gz" if compressed else "")
    text = json.dumps(data).encode()
    (folder / name).write_bytes(gzip.compress(text) if compressed else text)


def test_there_are_28_tasks_in_five_spaces():
    assert len(TASKS) == 28
    assert len(SPACES) == 5
    assert sum(task.space.startswith("transbench101") for task in TASKS.values()) == 17
    assert {TASKS[f"transbench101_macro/{name}"].unit for name in TASKONOMY} == {
        "%", "SSIM", "negative loss",
    }  # fmt: skip


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("task", TASKS)
def test_the_official_layout_of_every_task(tmp_path, task, compressed):
    space, dataset = task.split("/")
    write(tmp_path, space, {dataset: {KEYS[space]: entry(51.5)}}, compressed=compressed)
    table = tables.open("suite_zero", task, path=tmp_path)
    assert table.value(0, "val_accuracy") == 51.5
    assert table.value(0, "snip") == 1.5
    assert table.value(0, "snip_seconds") == 0.25


def test_the_older_layout_has_numbers_without_seconds(tmp_path):
    row = {"val_accuracy": 60.0, "snip": 2.0}
    write(tmp_path, "nasbench201", {"nasbench201": {"cifar10": {KEYS["nasbench201"]: row}}})
    table = tables.open("suite_zero", "nasbench201/cifar10", path=tmp_path)
    assert table.value(0, "snip") == 2.0
    assert list(table.columns) == ["val_accuracy", "snip"]


def test_raw_chunks_are_read_out_of_a_zip(tmp_path):
    rows = [{"idx": "0", "arch": "(4, 3, 3, 2)", **entry(50.4)}]
    with zipfile.ZipFile(tmp_path / "tnb101_classification_synflow.zip", "w") as archive:
        archive.writestr("synflow/benchmark--transbench101_macro--jigsaw--0.json", json.dumps(rows))
        archive.writestr("synflow/benchmark--transbench101_micro--jigsaw--0.json", "no json")
    (tmp_path / "zc_dense.csv.gz").write_bytes(
        gzip.compress(
            b"space,dataset,key,val_accuracy,snip,time_snip\n"
            b"transbench101_macro,jigsaw,4 3 3 2 0 0,49.0,7.0,0.5\n"
            b"transbench101_macro,jigsaw,1 2 3 4,48.0,8.0,0.5\n"
        )
    )
    table = tables.open("suite_zero", "transbench101_macro/jigsaw", path=tmp_path)
    assert table.keys.tolist() == ["64-1234-basic", "64-4332-basic"]
    assert table.query([0, 1], "val_accuracy").tolist() == [48.0, 50.4]  # the first file says it
    assert table.query([0, 1], "snip").tolist() == [8.0, 1.5]


def test_sentinels_become_nan_and_are_counted(tmp_path):
    rows = {
        "(1, 0, 2, 3, 3, 3)": entry(synflow=-1e8, nwot=float("-inf"), zen=1e9),
        "(1, 0, 2, 3, 3, 2)": entry(synflow=3.0, nwot=4.0, fisher=1.4e10),
    }
    rows["(1, 0, 2, 3, 3, 2)"]["plain"] = {"score": 0.0, "time": -1}
    write(tmp_path, "transbench101_micro", {"jigsaw": rows})
    table = tables.open("suite_zero", "transbench101_micro/jigsaw", path=tmp_path)
    for name in ("synflow", "nwot", "zen"):
        assert np.isnan(table.query(slice(None), name)).sum() == 1
        assert table.column(name).note == "1 invalid and 0 missing of 2"
    assert table.column("plain").note == "0 invalid and 1 missing of 2"
    assert np.nanmax(table.query(slice(None), "fisher")) == 1.4e10  # large, but a score


def test_undefined_proxies_are_nan_throughout(tmp_path):
    write(tmp_path, "transbench101_micro", {"normal": {KEYS["transbench101_micro"]: entry(0.5)}})
    table = tables.open("suite_zero", "transbench101_micro/normal", path=tmp_path)
    assert np.isnan(table.query(slice(None), "epe_nas")).all()
    assert table.column("synflow").note == "not defined for this task"


def test_nasbench201s_validation_accuracy_is_marked_as_a_test_accuracy(tmp_path):
    write(
        tmp_path,
        "nasbench201",
        {name: {KEYS["nasbench201"]: entry()} for name in ("cifar10", "svhn")},
    )
    own = tables.open("suite_zero", "nasbench201/cifar10", path=tmp_path)
    extra = tables.open("suite_zero", "nasbench201/svhn", path=tmp_path)
    assert own.column("val_accuracy").part == "test"
    assert extra.column("val_accuracy").part == "validation"


@pytest.mark.parametrize(
    ("space", "key"),
    [
        ("nasbench201", "(4, 3, 3, 0, 0)"),
        ("nasbench201", "(5, 3, 3, 0, 0, 0)"),
        ("nasbench201", "__import__('os').system('true')"),
        ("nasbench201", "(1.5, 3, 3, 0, 0, 0)"),
        ("transbench101_micro", "(4, 0, 0, 0, 0, 0)"),
        ("transbench101_macro", "(1, 0, 2, 3, 0, 0)"),
        ("nasbench101", "(0, 1, 2)"),
        ("nasbench301", "((0, 1), (2, 3))"),
    ],
)
def test_keys_that_are_none_are_table_errors(tmp_path, space, key):
    dataset = next(task.dataset for task in TASKS.values() if task.space == space)
    write(tmp_path, space, {dataset: {key: entry()}})
    with pytest.raises(TableError, match=f"zc_{space}"):
        tables.open("suite_zero", f"{space}/{dataset}", path=tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"[1, 2]", b'{"cifar10": {}}', b'{"cifar10": 3}'])
def test_malformed_files_are_table_errors(tmp_path, text):
    (tmp_path / "zc_nasbench201.json").write_bytes(text)
    with pytest.raises(TableError, match="zc_nasbench201"):
        tables.open("suite_zero", "nasbench201/cifar10", path=tmp_path)


def test_macro_keys_are_the_same_padded_or_not():
    keys = [(1, 2, 3, 4, 0, 0), (1, 2, 3, 4)]
    assert {native("transbench101_macro", "jigsaw", key) for key in keys} == {"64-1234-basic"}


def test_the_same_ints_are_other_cells_on_taskonomy_than_on_the_extra_data_sets():
    # NASLib: 1 is zero on the edges (1,2) (1,3) (1,4), and 0 the identity: nothing leaves the input
    cut = (1, 1, 1, 0, 0, 0)
    by_task = {name: native("transbench101_micro", name, cut) for name in ("jigsaw", *EXTRA)}
    assert by_task["jigsaw"] == "64-41414-1_11_000"
    assert {by_task[name] for name in EXTRA} == {"64-41414-0_01_011"}
    assert micro.is_disconnected(micro.from_arch(by_task["svhn"]))


def naslib_invalid(key):
    """NASLib's test of a cell for all tasks: it takes 1 for zero and reads edges by source."""
    return key[0] == key[1] == key[2] == 1 or key[2] == key[4] == key[5] == 1


def test_naslibs_validity_rejects_other_cells_than_the_disconnected_ones():
    # NASLib, transbench101/graph.py is_valid_arch (bug list 3): wrong on the seven tasks
    cells = list(np.ndindex(4, 4, 4, 4, 4, 4))
    cut = {
        c
        for c in cells
        if micro.is_disconnected(micro.from_arch(native("transbench101_micro", "jigsaw", c)))
    }
    assert len(cut) == 169
    assert not cut & {c for c in cells if naslib_invalid(c) and 0 not in c}
    assert sum(naslib_invalid(c) for c in cut) < 10


def test_the_graph_hash_is_that_of_the_published_cells():
    # two rows of the collected table with their hashes, adjacency then operations
    rows = {
        "01f0f1cf81ef9193f2946db78ea759ee": (
            0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 4, 1,
        ),
        "0011a6a4e759f16e635a3bb83566c2d1": (
            0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            1, 0, 0, 0, 0, 0, 0, 0, 3, 3, 2, 2, 1,
        ),
    }  # fmt: skip
    for digest, key in rows.items():
        assert native("nasbench101", "cifar10", key) == digest


@real
@pytest.mark.parametrize("task", TASKS)
def test_every_one_of_the_28_tasks_opens(task):
    table = tables.open("suite_zero", task, path=DATA)
    accuracy = table.query(slice(None), "val_accuracy")
    assert (~np.isnan(accuracy)).sum() >= 192
    assert len(set(PROXIES) & set(table.columns)) >= 11
    for name in set(PROXIES) & set(table.columns):
        values = table.query(slice(None), name)
        assert np.nanmin(values, initial=0) > -1e7


@real
@pytest.mark.parametrize("task", TASKONOMY)
def test_the_169_disconnected_cells_and_no_others_carry_the_sentinel(task):
    table = tables.open("suite_zero", f"transbench101_micro/{task}", path=DATA)
    assert len(table) == 4_096
    invalid = np.isnan(table.query(slice(None), "zen"))
    cut = [micro.is_disconnected(micro.from_arch(key)) for key in table.keys.tolist()]
    assert sum(cut) == 169
    assert (invalid == cut).all()


@real
@pytest.mark.parametrize("dataset", EXTRA)
def test_the_sentinels_of_the_extra_data_sets_lie_on_disconnected_cells(dataset):
    table = tables.open("suite_zero", f"transbench101_micro/{dataset}", path=DATA)
    invalid = np.isnan(table.query(slice(None), "zen"))
    cut = [micro.is_disconnected(micro.from_arch(key)) for key in table.keys.tolist()]
    assert invalid.sum() == 2
    assert (invalid == cut).all()


@real
def test_published_spearman_correlations_come_back():
    # specs: NB201/cifar10 synflow .74 nwot .79 zen .35 params .74; NB101 zen .63
    table = tables.open("suite_zero", "nasbench201/cifar10", path=DATA)
    accuracy = table.query(slice(None), "val_accuracy")
    for name, published in (("synflow", 0.74), ("nwot", 0.79), ("params", 0.74)):
        scores = table.query(slice(None), name)
        given = ~np.isnan(scores)
        assert spearmanr(scores[given], accuracy[given])[0] == pytest.approx(published, abs=0.01)
    zen = np.nan_to_num(table.query(slice(None), "zen"), nan=-1e8)
    assert spearmanr(zen, accuracy)[0] == pytest.approx(0.355, abs=0.001)
    assert np.isnan(table.query(slice(None), "zen")).sum() == 341


@real
def test_nasbench101_keys_of_the_collected_table_are_the_hashes_of_its_graphs():
    import csv
    from ast import literal_eval
    from pathlib import Path

    path = Path(DATA) / "nasbench_suite_zero" / "zc_dense.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = [
            row for row in csv.DictReader(file) if row["space"] in ("nasbench101", "nasbench301")
        ]
    assert len(rows) == 292 + 725 + 3 * 199
    for row in rows:
        assert native(row["space"], row["dataset"], literal_eval(row["arch"])) == row["key"]


@real
def test_nasbench201_ids_are_the_official_cells():
    import csv
    from pathlib import Path

    with gzip.open(Path(DATA) / "nasbench201" / "nb201.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15_625
    for row in rows[::11]:
        ids = [int(number) for number in row["naslib"].split()]
        assert native("nasbench201", "cifar10", ids) == row["arch_str"]
