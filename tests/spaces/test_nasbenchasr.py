"""NAS-Bench-ASR: the space, the published hash, files in the official format."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_nas import configs, tables
from automl_nas.errors import MissingTable, SettingError, TableError
from automl_nas.tables.nasbenchasr import DEVICES, OPERATIONS, SEEDS, SHAPE
from automl_nas.types import Trial
from spaces import nasbenchasr
from spaces.nasbenchasr import from_code, graph_hash, is_disconnected, to_code

SPACE = nasbenchasr.search_space()
CONVOLUTIONS = [[1, 0], [1, 0, 0], [1, 0, 0, 0]]
HASH = "36855332a5778e0df5114305bc3ce238"
CODES = st.tuples(
    *(st.tuples(st.integers(0, 5), *[st.integers(0, 1)] * skips) for skips in (1, 2, 3))
).map(lambda code: [list(node) for node in code])


@pytest.fixture(scope="module")
def every_code():
    return list(configs.enumerate_space(SPACE))


@given(CODES)
def test_codes_and_configurations_are_a_bijection(code):
    assert to_code(from_code(code)) == code


def test_13824_codes_are_8242_graphs(every_code):
    # both figures: Mehrotra et al. 2021, section 3.1
    assert len(every_code) == 13_824
    assert len({graph_hash(code) for code in every_code}) == 8_242


def test_the_published_hash_of_the_published_example():
    # README of SamsungLabs/nb-asr, `full_info([[1,0], [1,0,0], [1,0,0,0]])`
    assert graph_hash(from_code(CONVOLUTIONS)) == HASH


def test_cells_that_are_cut_off_are_one_graph(every_code):
    cut = [code for code in every_code if is_disconnected(code)]
    assert len({graph_hash(code) for code in cut}) == 1
    assert from_code([[5, 0], [5, 0, 0], [5, 0, 0, 0]]) in cut
    # Each skip bypasses one node; from the input to the output only 0-4 does.
    assert not is_disconnected(from_code([[5, 0], [5, 0, 0], [5, 1, 0, 0]]))


def test_what_dangles_does_not_count():
    dangling = [[1, 1], [2, 0, 0], [5, 1, 0, 0]]
    other = [[4, 0], [3, 1, 0], [5, 1, 0, 0]]
    assert graph_hash(from_code(dangling)) == graph_hash(from_code(other))


def test_each_code_has_21_neighbours_and_mutations_change_skips_too():
    # 21: NAS-Bench-Suite, plot_bbo; NASLib's mutation never changes a skip (naslib.md 3.3, item 7)
    rng = np.random.RandomState(0)
    kinds = set()
    for _ in range(60):
        parent = configs.sample(SPACE, rng)
        old, new = (configs.to_dict(one) for one in (parent, configs.mutate(parent, rng)))
        changed = [name for name in old if old[name] != new[name]]
        assert len(changed) == 1
        kinds.add(changed[0].split("_")[0])
    assert kinds == {"op", "skip"}
    assert len(list(configs.neighbours(parent, rng))) == 21


@pytest.mark.parametrize(
    "code",
    [[], [[1, 0], [1, 0, 0]], [[6, 0], *CONVOLUTIONS[1:]], [[1, 2], *CONVOLUTIONS[1:]],
     [[-1, 0], *CONVOLUTIONS[1:]]],
)  # fmt: skip
def test_other_codes_are_refused(code):
    with pytest.raises(ValueError, match="code="):
        from_code(code)


# --- files -----------------------------------------------------------------------------------

EPOCHS = 4
HASHES = sorted(
    {graph_hash(from_code([[a, 0], [b, 1, 0], [c, 0, 1, 0]]))
     for a, b, c in itertools.product(range(6), repeat=3)}
)  # fmt: skip


def header(kind, columns, **more):
    space = {"shape": SHAPE, "ops": list(OPERATIONS), "nodes": 3}
    return {"dataset_type": kind, "version": 2, "search_space": space, "columns": columns, **more}


def training(seed, epochs=EPOCHS):
    rows = [
        [h, [0.5 + i / 1000 - 0.1 * e + seed / 1e6 for e in range(epochs)], 0.3 + seed / 1e6, "vec"]
        for i, h in enumerate(HASHES)
    ]
    columns = ["model_hash", "val_per", "test_per", "arch_vec"]
    return header("training", columns, epochs=epochs, seed=seed), rows


def static():
    rows = [[h, 1000 + i, 5e6 + i] for i, h in enumerate(HASHES)]
    return header("static", ["model_hash", "params", "flops"]), rows


def latencies(device):
    rows = [[h, 0.04 + i / 1e4] for i, h in enumerate(HASHES)]
    return header("benchmarking", ["model_hash", "latency"], device=device), rows


def write(folder, name, pair):
    path = folder / f"nb-asr-{name}.pickle"
    path.write_bytes(pickle.dumps(pair[0]) + pickle.dumps(pair[1]))
    return path


@pytest.fixture
def folder(tmp_path):
    for seed in SEEDS:
        write(tmp_path, f"e40-{seed}", training(seed))
    write(tmp_path, "info", static())
    for device in DEVICES:
        write(tmp_path, f"bench-{device}", latencies(device))
    return tmp_path


def test_files_are_read_by_epoch_and_seed(folder):
    table = tables.open("nasbenchasr", path=folder)
    rows = table.rows(HASHES)
    got = table.query(rows, "validation_error", fidelity=2, seed=1235)
    expected = [100 * (0.5 + i / 1000 - 0.1 + 1235 / 1e6) for i in range(len(HASHES))]
    assert got == pytest.approx(expected)
    assert table.value(rows[0], "test_error") == pytest.approx(30 + 0.1235)
    assert table.seeds == SEEDS
    assert table.fidelities == (1, 2, 3, 4)
    assert table.query(rows[:2], "parameters").tolist() == [1000, 1001]
    assert table.query(rows[:2], "flops").tolist() == [5_000_000, 5_000_001]
    assert table.query(rows[:1], f"latency_{DEVICES[1]}").tolist() == [0.04]


def test_the_published_record_is_read_as_it_was_printed(tmp_path):
    # README of SamsungLabs/nb-asr: errors of the example at epochs 1 to 4 and 8, seed 1234
    curve = [0.48522282, 0.32031614, 0.28338978, 0.25430033, 0.24128312, 0.23942353, 0.22547652,
             0.22733612]  # fmt: skip
    columns = ["model_hash", "val_per", "test_per", "arch_vec"]
    row = [HASH, curve, 0.23395703732967377, [(1, 0), (1, 0, 0), (1, 0, 0, 0)]]
    write(tmp_path, "e10-1234", (header("training", columns, epochs=8, seed=1234), [row]))
    configuration = from_code(CONVOLUTIONS)
    best, last = (
        nasbenchasr.table("timit-e10", path=tmp_path, epoch=epoch) for epoch in ("best", "last")
    )
    values = [objective(configuration, 8, Trial(0, 0)).values for objective in (best, last)]
    assert [one["validation_error"] for one in values] == pytest.approx([22.547652, 22.733612])
    assert values[0]["test_error"] == pytest.approx(23.395703732967377)


def test_the_objective_draws_a_seed_and_lower_is_better(folder):
    objective = nasbenchasr.table(path=folder)
    configuration = from_code([[1, 0], [1, 1, 0], [1, 0, 1, 0]])
    answers = {
        objective(configuration, 1, Trial(0, seed)).values["validation_error"] for seed in range(9)
    }
    assert len(answers) == 3
    assert all(metric.goal == "min" for metric in objective.metrics)
    measured = objective(configuration, None, Trial(0, 1))
    assert measured.simulated_seconds == 0  # no file has times
    assert {"test_error", "parameters", "flops"} < set(measured.values)
    with pytest.raises(TableError, match="no row"):
        objective(from_code(CONVOLUTIONS), None, Trial(0, 0))
    with pytest.raises(SettingError, match="epochs"):
        objective(configuration, 5, Trial(0, 0))


def test_trainings_alone_are_enough(folder):
    for path in folder.glob("nb-asr-bench*"):
        path.unlink()
    assert "flops" in tables.open("nasbenchasr", path=folder).columns
    (folder / "nb-asr-info.pickle").unlink()
    assert "flops" not in tables.open("nasbenchasr", path=folder).columns
    (folder / "nb-asr-e40-1236.pickle").unlink()
    with pytest.raises(MissingTable, match=r"nb-asr-e40-1236\.pickle"):
        tables.open("nasbenchasr", path=folder)


def changed(pair, **more):
    return {**pair[0], **more}, pair[1]


def with_rows(pair, change):
    return pair[0], change([list(row) for row in pair[1]])


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("e40-1235", changed(training(1235), dataset_type="static")),
        ("e40-1235", changed(training(1235), epochs=7)),
        ("e40-1235", changed(training(1235), columns=["val_per", "model_hash"])),
        ("e40-1235", changed(training(1235), columns=["model_hash", "a", "test_per", "b"])),
        ("e40-1235", changed(training(1235), search_space={"shape": [[6, 2]], "ops": OPERATIONS})),
        ("e40-1235", with_rows(training(1235), lambda rows: rows[1:])),
        ("e40-1235", with_rows(training(1235), lambda rows: [*rows[:-1], rows[0]])),
        ("e40-1235", with_rows(training(1235), lambda rows: [row[:2] for row in rows])),
        ("e40-1235", with_rows(training(1235), lambda rows: [])),
        ("e40-1235", with_rows(training(1235), lambda rows: [["x", [1], 0, 0], *rows[1:]])),
        ("e40-1235", ({}, [])),
        ("e40-1235", (None, None)),
        ("info", with_rows(static(), lambda rows: rows[1:])),
        ("info", with_rows(static(), lambda rows: [[row[0], "many", 1] for row in rows])),
        (f"bench-{DEVICES[0]}", changed(latencies("x"), columns=["model_hash", "time"])),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(folder, name, pair):
    path = write(folder, name, pair)
    with pytest.raises(TableError, match=path.name):
        tables.open("nasbenchasr", path=folder)


def test_a_file_with_one_pickle_is_named(folder):
    (folder / "nb-asr-info.pickle").write_bytes(pickle.dumps(static()[0]))
    with pytest.raises(TableError, match="nb-asr-info"):
        tables.open("nasbenchasr", path=folder)
