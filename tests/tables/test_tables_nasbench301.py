"""NAS-Bench-301's files: curves, final errors, what is damaged; the surrogate's session."""

import csv
import gzip
import json
import os
import pickle
import sys
import types

import cloudpickle
import numpy as np
import pytest

from automl_nas import configs, tables
from automl_nas.errors import MissingPackage, MissingTable, SettingError, TableError
from automl_nas.tables import yahpo
from automl_nas.tables.nasbench301 import compact, key
from automl_nas.types import Trial
from spaces import nasbench301
from spaces.labelled import labelled, row_space

SPACE = nasbench301.search_space()
TRIAL = Trial(0, 0)
NEEDS_DATA = pytest.mark.skipif("AUTOML_NAS_DATA" not in os.environ, reason="no AUTOML_NAS_DATA")


def networks(count, seed=0):
    rng = np.random.RandomState(seed)
    return [nasbench301.to_compact(configs.sample(SPACE, rng)) for _ in range(count)]


def swapped(network):
    """The same network with every node's inputs the other way round, as files have them too."""
    return tuple(
        tuple(pair for place in range(0, 8, 2) for pair in (cell[place + 1], cell[place]))
        for cell in network
    )


def run(index, epochs=4):
    curve = [80.0 + index + epoch for epoch in range(epochs)]
    losses = [2.0 - 0.1 * epoch for epoch in range(epochs)]
    return {"val_accuracies": curve, "train_losses": losses, "runtime": 1000.0 + index}


def write(folder, runs):
    path = folder / "nb301_full_training.pickle"
    path.write_bytes(pickle.dumps(runs))
    return path


@pytest.fixture
def curves(tmp_path):
    found = networks(5)
    write(tmp_path, {swapped(network): run(i) for i, network in enumerate(found)})
    return found, tmp_path


def test_curves_are_read_by_network_whatever_the_order_of_inputs(curves):
    found, folder = curves
    table = tables.open("nasbench301", path=folder)
    rows = table.rows([key(network) for network in found])
    assert sorted(rows) == list(range(5))
    assert table.query(rows, "validation_error", fidelity=2).tolist() == [19, 18, 17, 16, 15]
    assert table.query(rows, "validation_error").tolist() == [17, 16, 15, 14, 13]
    assert table.query(rows, "training_seconds").tolist() == [1000, 1001, 1002, 1003, 1004]
    assert table.query(rows, "train_loss", fidelity=4).tolist() == pytest.approx([1.7] * 5)
    assert "test_error" not in table.columns  # the file has none
    assert list(table.keys) == sorted(table.keys)


def test_a_shorter_curve_goes_on_with_its_last_value_and_the_column_says_so(tmp_path):
    one, other = networks(2)
    write(tmp_path, {one: run(0, 4), other: run(1, 3)})
    table = tables.open("nasbench301", path=tmp_path)
    assert table.value(table.row(key(other)), "validation_error") == 100 - 83.0
    assert "1 shorter curves" in table.column("validation_error").note


def test_the_objective_charges_what_the_epochs_took(curves):
    found, folder = curves
    objective = nasbench301.table(path=folder)
    configuration = nasbench301.from_compact(found[2])
    assert objective(configuration, None, TRIAL).simulated_seconds == 1002
    assert objective(configuration, 2, TRIAL).simulated_seconds == 501
    later = Trial(1, 0, continued=2)
    assert objective(configuration, 4, later).simulated_seconds == 501
    with pytest.raises(TableError, match="no row"):
        objective(nasbench301.from_compact(networks(1, seed=9)[0]), None, TRIAL)


def test_the_rows_are_a_space_of_their_own(curves):
    _, folder = curves
    space, objective = nasbench301.labelled(path=folder)
    answers = {
        objective(configuration, None, TRIAL).values["validation_error"]
        for configuration in configs.enumerate_space(space)
    }
    assert answers == {13, 14, 15, 16, 17}
    again = cloudpickle.loads(cloudpickle.dumps(objective))
    one = configs.sample(space, np.random.RandomState(0))
    assert again(one, None, TRIAL) == objective(one, None, TRIAL)


def test_one_row_is_nothing_to_search(tmp_path):
    write(tmp_path, {networks(1)[0]: run(0)})
    with pytest.raises(TableError, match="nothing to search"):
        labelled(nasbench301.table(path=tmp_path))


@pytest.mark.parametrize(
    "damage",
    [
        lambda runs: [],
        lambda runs: {"a": 1},
        lambda runs: {**runs, ((0, 0),): run(0)},
        lambda runs: {one: {} for one in runs},
        lambda runs: {one: {**run(0), "val_accuracies": []} for one in runs},
        lambda runs: {one: {**run(0), "val_accuracies": 93.0} for one in runs},
        lambda runs: {one: {**run(0), "runtime": "long"} for one in runs},
        lambda runs: {**runs, **{swapped(one): run(0) for one in runs}},
        lambda runs: {},
        lambda runs: os.getcwd,
    ],
)
def test_a_damaged_pickle_is_named(tmp_path, damage):
    path = write(tmp_path, damage({one: run(i) for i, one in enumerate(networks(2))}))
    with pytest.raises(TableError, match=path.name):
        tables.open("nasbench301", path=tmp_path)


def test_missing_files_are_listed(tmp_path):
    with pytest.raises(MissingTable, match=r"nb301_full_training\.pickle"):
        tables.open("nasbench301", path=tmp_path)
    with pytest.raises(MissingTable, match="zc_nasbench301"):
        tables.open("nasbench301", "svhn", path=tmp_path)


@pytest.mark.parametrize("ending", ["json", "json.gz"])
def test_the_official_tables_of_proxies_are_read(tmp_path, ending):
    found = networks(3)
    rows = {
        str(swapped(network)): {
            "id": i, "val_accuracy": 90.0 + i, "params": {"score": 0.5 + i, "time": 1.0},
        }
        for i, network in enumerate(found)
    }  # fmt: skip
    opener = gzip.open if ending.endswith("gz") else open
    with opener(tmp_path / f"zc_nasbench301.{ending}", "wt") as file:
        json.dump({"cifar10": rows, "svhn": {}}, file)
    table = tables.open("nasbench301", path=tmp_path)
    places = table.rows([key(network) for network in found])
    assert table.query(places, "validation_error").tolist() == [10, 9, 8]
    assert table.query(places, "parameters").tolist() == [500_000, 1_500_000, 2_500_000]
    for task in ("svhn", "ninapro"):
        with pytest.raises(TableError, match=task):
            tables.open("nasbench301", task, path=tmp_path)


def test_a_csv_is_read_and_unmeasured_rows_are_left_out(tmp_path):
    one, other, third = (key(network) for network in networks(3))
    path = tmp_path / "zc_all_nasbench301.csv.gz"
    with gzip.open(path, "wt") as file:
        writer = csv.writer(file)
        writer.writerow(["dataset", "key", "val_accuracy", "params"])
        writer.writerows(
            [["cifar10", one, "93.5", "0.7"], ["cifar10", other, "", ""], ["svhn", third, "97", ""]]
        )
    table = tables.open("nasbench301", path=path)
    assert table.keys.tolist() == [one]
    assert np.isnan(tables.open("nasbench301", "svhn", path=path).query([0], "parameters")).all()
    path.write_bytes(gzip.compress(b"dataset,key\ncifar10,1\n"))
    with pytest.raises(TableError, match=path.name):
        tables.open("nasbench301", path=path)


@NEEDS_DATA
def test_the_real_tables_have_the_networks_that_their_readme_says():
    rows = {t: len(tables.open("nasbench301", t)) for t in ("cifar10", "svhn", "ninapro")}
    assert rows == {"cifar10": 725, "svhn": 199, "ninapro": 199}
    table = tables.open("nasbench301")
    assert len(row_space(table)) == 1
    assert all(key(compact(one)) == one for one in table.keys.tolist())


# --- the surrogate ---------------------------------------------------------------------------


def encoding():
    operations = ["#na#", "avg_pool_3x3", "dil_conv_3x3", "dil_conv_5x5", "max_pool_3x3",
                  "sep_conv_3x3", "sep_conv_5x5", "skip_connect"]  # fmt: skip
    coded = {}
    for name in yahpo.ORDER:
        node = int(name.rsplit("_", 1)[-1])
        pairs = [f"{a}_{b}" for a in range(node) for b in range(a + 1, node)]
        coded[name] = {
            c: i for i, c in enumerate(operations if "edge" in name else ["#na#", *pairs])
        }
    return coded


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    (tmp_path / "model_v2.onnx").write_bytes(b"not a model either")
    (tmp_path / "encoding.json").write_text("{}")
    (tmp_path / "encoding_v2.json").write_text(json.dumps(encoding()))
    yahpo._session.cache_clear()
    yield tmp_path
    yahpo._session.cache_clear()


class Session:
    """What of onnxruntime's session is used; answers sums of what it was fed."""

    targets = 4

    def __init__(self, path, sess_options, providers):
        self.path, self.fed = path, []

    def get_inputs(self):
        slot = types.SimpleNamespace
        return [slot(name="cat", type="tensor(int32)"), slot(name="num", type="tensor(float)")]

    def run(self, names, feed):
        cat, num = feed["cat"], feed["num"]
        assert cat.dtype == np.int32
        assert cat.shape == (1, 34)
        assert num.dtype == np.float32
        assert num.shape == (1, 1)
        epoch, codes = float(num[0, 0]), float(cat.sum())
        row = [50 + epoch / 4 + codes / 100, 0.5, 60 * epoch, 60.0]
        return [np.array([row if self.targets == 4 else [row[0], row[2]]], dtype=np.float32)]


@pytest.fixture
def fake(monkeypatch):
    module = types.SimpleNamespace(
        InferenceSession=Session, SessionOptions=lambda: types.SimpleNamespace()
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", module)


def codes(configuration):
    coded = encoding()
    names = nasbench301.to_nb301(configuration)
    given = {name.replace(":", "_COLON_"): value for name, value in names.items()}
    return sum(coded[name][value] for name, value in given.items())


@pytest.mark.parametrize("targets", [2, 4])
def test_the_surrogate_predicts_errors_and_seconds_of_any_network(
    folder, fake, targets, monkeypatch
):
    monkeypatch.setattr(Session, "targets", targets)
    objective = nasbench301.surrogate(folder)
    assert objective.model.model.name == "model_v2.onnx"
    assert objective.model.encoding.name == "encoding_v2.json"
    for network in networks(5):
        configuration = nasbench301.from_compact(network)
        measured = objective(configuration, None, TRIAL)
        expected = 100 - (50 + 98 / 4 + codes(configuration) / 100)
        assert measured.values["validation_error"] == pytest.approx(expected, rel=1e-5)
        assert measured.simulated_seconds == 60 * 98
        later = objective(configuration, 49, Trial(1, 0, continued=9))
        assert later.simulated_seconds == 60 * 40


def test_a_surrogate_travels_and_says_what_it_is(folder, fake):
    objective = nasbench301.surrogate(folder)
    configuration = nasbench301.from_compact(networks(1)[0])
    before = objective(configuration, 3, TRIAL)
    again = cloudpickle.loads(cloudpickle.dumps(objective))
    assert again(configuration, 3, TRIAL) == before
    assert again.identity_json() == objective.identity_json()
    assert [metric.name for metric in again.metrics] == ["validation_error"]
    assert again.packages == ("onnxruntime",)
    assert again.full_training_flops is None


def test_fractions_taken_for_percentages_are_noticed(folder, fake, monkeypatch):
    configuration = nasbench301.from_compact(networks(1)[0])
    fraction = lambda self, names, feed: [np.array([[0.94, 60.0]])]  # noqa: E731
    monkeypatch.setattr(Session, "run", fraction)
    with pytest.raises(SettingError, match="accuracy_scale"):
        nasbench301.surrogate(folder)(configuration, None, TRIAL)
    scaled = nasbench301.surrogate(folder, accuracy_scale=100.0)
    assert scaled(configuration, None, TRIAL).values["validation_error"] == pytest.approx(6.0)


@pytest.mark.parametrize("epoch", [0, 99])
def test_epochs_outside_the_surrogate_are_refused(folder, fake, epoch):
    with pytest.raises(SettingError, match="epoch"):
        nasbench301.surrogate(folder)(SPACE.get_default_configuration(), epoch, TRIAL)


def test_without_onnxruntime_the_message_names_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackage, match="onnxruntime"):
        nasbench301.surrogate(folder)(SPACE.get_default_configuration(), None, TRIAL)


def test_a_folder_without_a_model_or_with_a_damaged_one_is_named(
    folder, tmp_path, fake, monkeypatch
):
    with pytest.raises(TableError, match="encoding"):
        nasbench301.surrogate(tmp_path / "empty")
    (folder / "encoding_v2.json").write_text("{")
    with pytest.raises(TableError, match="encoding_v2"):
        nasbench301.surrogate(folder)(SPACE.get_default_configuration(), None, TRIAL)
    (folder / "encoding_v2.json").write_text(json.dumps(encoding()))
    monkeypatch.setattr(Session, "run", lambda *_: [np.zeros((1, 3))])
    with pytest.raises(TableError, match="3 targets"):
        nasbench301.surrogate(folder)(SPACE.get_default_configuration(), None, TRIAL)


@pytest.mark.filterwarnings("default")
def test_a_real_onnx_model_is_run(folder):
    """A linear model in YAHPO's shape: (n, 34) codes and (n, 1) epochs to (n, 2) targets."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    cat = helper.make_tensor_value_info("x_cat", kinds.INT32, ["n", 34])
    num = helper.make_tensor_value_info("x_cont", kinds.FLOAT, ["n", 1])
    out = helper.make_tensor_value_info("y", kinds.FLOAT, ["n", 2])
    weights = np.concatenate([np.full((34, 1), 0.01), np.zeros((34, 1))], axis=1)
    nodes = [
        helper.make_node("Cast", ["x_cat"], ["c"], to=kinds.FLOAT),
        helper.make_node("MatMul", ["c", "w"], ["cw"]),
        helper.make_node("MatMul", ["x_cont", "v"], ["xv"]),
        helper.make_node("Add", ["cw", "xv"], ["sum"]),
        helper.make_node("Add", ["sum", "b"], ["y"]),
    ]
    made = {"w": weights, "v": np.array([[0.25, 60.0]]), "b": np.array([50.0, 0.0])}
    tensors = [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in made.items()]
    graph = helper.make_graph(nodes, "toy", [cat, num], [out], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / "model_v2.onnx")
    objective = nasbench301.surrogate(folder)
    for network in networks(3):
        configuration = nasbench301.from_compact(network)
        measured = objective(configuration, 40, TRIAL)
        expected = 100 - (50 + 10 + codes(configuration) / 100)
        assert measured.values["validation_error"] == pytest.approx(expected, rel=1e-5)
        assert measured.simulated_seconds == 2400
    (folder / "model_v2.onnx").write_bytes(b"\x08not a model")
    yahpo._session.cache_clear()
    with pytest.raises(TableError, match="no ONNX model"):
        nasbench301.surrogate(folder)(SPACE.get_default_configuration(), None, TRIAL)
