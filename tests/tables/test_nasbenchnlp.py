"""NAS-Bench-NLP's file: curves by compact form, seconds, trainings that ended early, damage."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_nas import tables
from automl_nas.errors import MissingTable, TableError
from automl_nas.tables.nasbenchnlp import INPUTS, OPERATIONS, checked, compact, inputs, key

RNN = (((0, 4), (1, 4), (4, 5)), (0, 0, 0, 0, 6, 2), (5,))
SWAPPED = (((1, 4), (0, 4), (4, 5)), (0, 0, 0, 0, 6, 2), (5,))
SIGMOID = (((0, 4), (1, 4), (4, 5)), (0, 0, 0, 0, 6, 1), (5,))
NAN = float("nan")


@st.composite
def graphs(draw):
    """Compact forms as files may have them: any operations, any inputs from before."""
    codes, edges = [0] * len(INPUTS), []
    for node in range(len(INPUTS), len(INPUTS) + draw(st.integers(1, 8))):
        codes.append(draw(st.integers(1, len(OPERATIONS) - 1)))
        sources = draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=3))
        edges += [(source, node) for source in sources]
    own = range(len(INPUTS), len(codes))
    hidden = draw(st.sets(st.sampled_from(own), min_size=1, max_size=3))
    return tuple(edges), tuple(codes), tuple(sorted(hidden))


def run(index=0, epochs=4):
    """Epoch e (from 1) took 100 + index + e seconds; each loss has a number of its own."""
    return {
        "train_losses": [5.0 + index - 0.3 * e for e in range(epochs)],
        "val_losses": [6.0 + index - 0.2 * e for e in range(epochs)],
        "test_losses": [6.5 + index - 0.2 * e for e in range(epochs)],
        "wall_times": [101.0 + index + e for e in range(epochs)],
    }


def write(folder, runs):
    path = folder / "nb_nlp.pickle"
    path.write_bytes(pickle.dumps(runs))
    return path


def value(table, cell, column, epoch=None):
    return table.value(table.row(key(cell)), column, fidelity=epoch)


def test_the_key_of_the_authors_rnn():
    assert key(RNN) == "6:0,1 2:4;5"
    assert compact("6:0,1 2:4;5") == RNN
    assert inputs(RNN) == [[], [], [], [], [0, 1], [4]]


@given(graphs())
def test_keys_and_compact_forms_are_a_bijection(graph):
    assert compact(key(graph)) == graph
    assert checked(graph) == graph


@given(graphs(), st.randoms(use_true_random=False))
def test_a_key_keeps_the_order_of_inputs_and_nothing_else_of_that_of_edges(graph, random):
    edges, codes, hidden = graph
    queues = {target: [edge for edge in edges if edge[1] == target] for _, target in edges}
    mixed = []
    while queues:
        target = random.choice(sorted(queues))
        mixed.append(list(queues[target].pop(0)))
        queues = {node: queue for node, queue in queues.items() if queue}
    assert key([mixed, np.array(codes), list(reversed(hidden))]) == key(graph)
    assert key(RNN) != key(SWAPPED)


@pytest.mark.parametrize(
    "wrong",
    [
        None, 7, (), RNN[:2], (RNN[0], RNN[1], ()), (RNN[0], RNN[1], (5, 5)),
        (RNN[0], RNN[1], (3,)), (RNN[0], RNN[1], (6,)), (RNN[0], RNN[1][:-1], (4,)),
        (RNN[0], (0, 0, 0, 0, 6, 8), (5,)), (RNN[0], (0, 0, 0, 0, 6, 0), (5,)),
        (RNN[0], (0, 0, 0, 1, 6, 2), (5,)), (RNN[0][:2], RNN[1], (5,)),
        (((0, 4), (1, 4), (5, 5)), RNN[1], (5,)), (((0, 4), (-1, 4), (4, 5)), RNN[1], (5,)),
        (((0, 3), *RNN[0]), RNN[1], (5,)), (((0, 4, 1), *RNN[0]), RNN[1], (5,)),
        (((0, 4.5), *RNN[0]), RNN[1], (5,)), (RNN[0], RNN[1], "5"),
    ],
)  # fmt: skip
def test_what_is_no_cell_is_refused(wrong):
    with pytest.raises(TableError):
        key(wrong)


@pytest.mark.parametrize(
    "text", ["", ";", "6:0,1 2:4", "6:0,1 2:4;", "6:0,1  2:4;5", "6:0,1 2:4;05", "6:0,1 2;5",
             "6:0,1 2:5;5", "6:0,1 9:4;5"],
)  # fmt: skip
def test_what_is_no_key_is_refused(text):
    with pytest.raises(TableError):
        compact(text)


def test_curves_are_read_by_cell_in_nats_and_rows_are_sorted(tmp_path):
    write(tmp_path, {RNN: run(0), SWAPPED: run(1), SIGMOID: run(2)})
    table = tables.open("nasbenchnlp", path=tmp_path)
    assert table.keys.tolist() == sorted(map(key, (RNN, SWAPPED, SIGMOID)))
    assert table.name == "nasbenchnlp/penntreebank"
    assert table.fidelities == (1, 2, 3, 4)
    assert table.continues
    assert value(table, SWAPPED, "validation_loss", 2) == pytest.approx(6.8)
    assert value(table, SIGMOID, "test_loss") == pytest.approx(7.9)
    assert value(table, RNN, "train_loss", 4) == pytest.approx(4.1)
    losses = [column for name, column in table.columns.items() if "loss" in name]
    assert {(one.metric.goal, one.metric.unit) for one in losses} == {("min", "nats")}
    assert {one.part for one in losses} == {"train", "validation", "test"}
    assert "shorter" not in losses[0].note


def test_wall_times_of_epochs_are_summed(tmp_path):
    # fmsnew/nas-bench-nlp-release: main_one_model_train.py appends the seconds of each epoch
    write(tmp_path, {RNN: run(0), SIGMOID: run(2)})
    table = tables.open("nasbenchnlp", path=tmp_path)
    taken = [value(table, SIGMOID, "training_seconds", epoch) for epoch in (1, 2, 3, 4)]
    assert taken == [103, 103 + 104, 103 + 104 + 105, 103 + 104 + 105 + 106]


def test_a_shorter_curve_goes_on_with_its_last_value_at_no_cost_and_the_notes_say_so(tmp_path):
    write(tmp_path, {RNN: run(0, 4), SIGMOID: run(1, 2)})
    table = tables.open("nasbenchnlp", path=tmp_path)
    assert value(table, SIGMOID, "validation_loss", 3) == pytest.approx(6.8)
    assert value(table, SIGMOID, "test_loss") == pytest.approx(7.3)
    assert value(table, SIGMOID, "training_seconds") == 102 + 103
    assert all("1 shorter curves" in column.note for column in table.columns.values())


def test_a_loss_that_is_not_a_number_is_infinite_from_there_on(tmp_path):
    diverged = {**run(1, 3), "val_losses": [6.0, 5.5, NAN], "test_losses": [6.1, 5.7, NAN]}
    write(tmp_path, {RNN: run(0), SIGMOID: diverged})
    table = tables.open("nasbenchnlp", path=tmp_path)
    losses = [value(table, SIGMOID, "validation_loss", epoch) for epoch in (1, 2, 3, 4)]
    assert losses == [6.0, 5.5, np.inf, np.inf]
    assert value(table, SIGMOID, "best_validation_loss") == 5.5
    assert value(table, SIGMOID, "test_loss_at_best") == 5.7
    assert "1 trainings had losses that were not numbers" in table.column("test_loss").note


def test_the_best_epoch_is_the_first_lowest_of_those_so_far(tmp_path):
    one = {**run(0, 5), "val_losses": [6, 5, 5, 4, 7], "test_losses": [1, 2, 3, 4, 5]}
    write(tmp_path, {RNN: one})
    table = tables.open("nasbenchnlp", path=tmp_path)
    epochs = range(1, 6)
    assert [value(table, RNN, "best_validation_loss", e) for e in epochs] == [6, 5, 5, 4, 4]
    assert [value(table, RNN, "test_loss_at_best", e) for e in epochs] == [1, 2, 2, 4, 4]


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=4))
def test_the_best_epoch_agrees_with_a_plain_search(curves):
    from automl_nas.tables.nasbenchnlp import _places_of_best

    width = max(map(len, curves))
    losses = np.array([curve + curve[-1:] * (width - len(curve)) for curve in curves], dtype=float)
    expected = [[int(np.argmin(row[: e + 1])) for e in range(width)] for row in losses]
    assert _places_of_best(losses).tolist() == expected


def test_trainings_without_an_epoch_are_left_out_and_counted(tmp_path):
    write(tmp_path, {RNN: run(0), SIGMOID: run(1, 0)})
    table = tables.open("nasbenchnlp", path=tmp_path)
    assert table.keys.tolist() == [key(RNN)]
    assert "1 trainings without a finished epoch are left out" in table.column("test_loss").note


def test_cells_with_as_many_hidden_states_as_naslib_sees_in_the_lstm_are_read(tmp_path):
    cell = (((0, 4), (1, 4), *((n, n + 1) for n in range(4, 8))), (0, 0, 0, 0, 6, 1, 2, 3, 1),
            (4, 5, 6, 7, 8))  # fmt: skip
    write(tmp_path, {cell: run(0)})
    assert compact(tables.open("nasbenchnlp", path=tmp_path).keys[0].item()) == cell


@pytest.mark.parametrize(
    "damage",
    [
        lambda runs: [],
        lambda runs: {},
        lambda runs: {"a": 1},
        lambda runs: {**runs, ((0, 0),): run(0)},
        lambda runs: {one: {} for one in runs},
        lambda runs: {one: run(0, 0) for one in runs},
        lambda runs: {one: {**run(0), "val_losses": 4.5} for one in runs},
        lambda runs: {one: {**run(0), "val_losses": [4.5]} for one in runs},
        lambda runs: {one: {**run(0), "val_losses": ["low"] * 4} for one in runs},
        lambda runs: {one: {**run(0), "val_losses": [95.0, 95.0, 95.0, -1.0]} for one in runs},
        lambda runs: {one: {**run(0), "wall_times": [1.0, 2.0, 3.0, NAN]} for one in runs},
        lambda runs: {one: {**run(0), "wall_times": [1.0, 2.0, 3.0, -4.0]} for one in runs},
        lambda runs: {one: {name: [[1.0], [2.0]] for name in run(0)} for one in runs},
        lambda runs: {**runs, (((4, 5), (0, 4), (1, 4)), *RNN[1:]): run(0)},
        lambda runs: os.getcwd,
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, damage):
    path = write(tmp_path, damage({RNN: run(0), SIGMOID: run(1)}))
    with pytest.raises(TableError, match=path.name):
        tables.open("nasbenchnlp", path=tmp_path)


def test_a_truncated_file_is_named(tmp_path):
    path = write(tmp_path, {RNN: run(0)})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TableError, match=path.name):
        tables.open("nasbenchnlp", path=tmp_path)


def test_a_missing_file_is_listed(tmp_path):
    with pytest.raises(MissingTable, match=r"nb_nlp\.pickle"):
        tables.open("nasbenchnlp", path=tmp_path)
