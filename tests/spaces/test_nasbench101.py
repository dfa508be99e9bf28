"""NAS-Bench-101: validity, repair, hashes, networks; the table as an objective."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from automl_nas import Budget, Study, configs, tables
from automl_nas.errors import TableError
from automl_nas.isolation import isolated
from automl_nas.searchers import RandomSearcher
from automl_nas.tables.modules101 import EDGES, OPERATIONS, edges, key_of, pruned
from spaces import nasbench101
from spaces.nasbench101 import NetworkRecipe, build, build_cell
from spaces.nasbench101.network import vertex_channels
from spaces.nasbench101.space import EDGE_NAMES, OPERATION_NAMES
from tests.tables.test_nasbench101 import ADJACENCY, NAMES, PUBLISHED, points, write_tfrecord

SPACE = nasbench101.search_space()
SMALL = NetworkRecipe(channels=8, stacks=2, modules=2)


@pytest.fixture(autouse=True)
def one_thread():
    with isolated(threads=1):
        yield


def configuration(edge_list, operations=("conv3x3-bn-relu",) * 5):
    values = {name: int(edge in edge_list) for name, edge in EDGE_NAMES.items()}
    return configs.from_dict(
        SPACE, {**values, **dict(zip(OPERATION_NAMES, operations, strict=True))}
    )


def drawn(number, seed=0):
    rng = np.random.RandomState(seed)
    return [configs.sample(SPACE, rng) for _ in range(number)]


CHAIN = {(0, 1), (1, 2), (2, 6)}
DENSE = set(itertools.combinations(range(7), 2))


def test_the_space_has_21_edges_and_5_operations():
    assert sorted(SPACE) == sorted([*EDGE_NAMES, *OPERATION_NAMES])
    assert all(tuple(SPACE[name].choices) == (0, 1) for name in EDGE_NAMES)
    assert all(tuple(SPACE[name].choices) == OPERATIONS for name in OPERATION_NAMES)


def test_validity_counts_edges_after_pruning():
    assert nasbench101.is_valid(configuration(CHAIN))
    assert not nasbench101.is_valid(configuration(set()))
    assert not nasbench101.is_valid(configuration(DENSE))
    dangling = {(i, j) for i, j in DENSE if i >= 3 and j < 6}  # from nowhere: all cut
    assert nasbench101.is_valid(configuration({(0, 6)} | dangling | {(3, 6), (4, 6), (5, 6)}))


def test_a_vertex_off_every_path_changes_nothing():
    one = configuration(CHAIN | {(0, 3)}, ("conv3x3-bn-relu",) * 5)
    other = configuration(CHAIN, ("conv3x3-bn-relu",) * 2 + ("maxpool3x3",) * 3)
    assert nasbench101.to_hash(one) == nasbench101.to_hash(other)


def test_valid_configurations_stand_for_themselves_and_others_become_valid():
    for one in drawn(300):
        matrix, labels = nasbench101.cell(one)
        assert 1 <= len(edges(matrix)) <= EDGES
        assert pruned(matrix, labels) == (matrix, labels)
        assert nasbench101.is_valid(nasbench101.from_cell(matrix, labels))
        if nasbench101.is_valid(one):
            assert nasbench101.cell(one, invalid="fail") == (matrix, labels)
        else:
            with pytest.raises(ValueError, match=r"no path|edges after pruning"):
                nasbench101.cell(one, invalid="fail")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (set(), ((0, 1), (0, 0))),  # the input goes to the output
        ({(2, 6)}, ((0, 1, 0), (0, 0, 1), (0, 0, 0))),  # to the first that reaches the output
        ({(0, 1), (1, 4)}, ((0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 0))),
    ],
)
def test_what_is_cut_in_two_is_joined(given, expected):
    assert nasbench101.cell(configuration(given))[0] == expected


def test_thinning_keeps_all_vertices_that_it_can():
    matrix, _ = nasbench101.cell(configuration(DENSE))
    assert (len(matrix), len(edges(matrix))) == (7, 9)


def test_cells_go_to_configurations_and_back():
    for one in drawn(100):
        cell = nasbench101.cell(one)
        assert nasbench101.cell(nasbench101.from_cell(*cell)) == cell
    with pytest.raises(ValueError, match="at most 7 vertices"):
        nasbench101.from_cell(tuple((0,) * 8 for _ in range(8)), (0,) * 6)
    with pytest.raises(ValueError, match="upper triangle"):
        nasbench101.from_cell(((0, 0), (1, 0)), ())


def test_samples_are_valid_and_follow_their_generator():
    first = [nasbench101.sample(np.random.RandomState(s)) for s in range(20)]
    assert all(map(nasbench101.is_valid, first))
    assert first == [nasbench101.sample(np.random.RandomState(s)) for s in range(20)]


def test_neighbours_are_valid_other_cells_one_change_away():
    for one in (
        configuration(CHAIN),
        *(nasbench101.sample(np.random.RandomState(s)) for s in (1, 2)),
    ):
        near = list(nasbench101.neighbours(one))
        hashes = [nasbench101.to_hash(other) for other in near]
        assert len(set(hashes)) == len(hashes) > 0
        assert nasbench101.to_hash(one) not in hashes
        for other in near:
            assert nasbench101.is_valid(other)
            changed = [name for name in SPACE if one[name] != other[name]]
            assert len(changed) == 1


def test_channels_are_shared_evenly_and_the_first_get_the_rest():
    star = tuple(tuple(int(i == 0 < j < 4 or 0 < i < 4 == j) for j in range(5)) for i in range(5))
    assert vertex_channels(64, 128, star) == [64, 43, 43, 42, 128]
    chain = tuple(tuple(int(j == i + 1) for j in range(4)) for i in range(4))
    assert vertex_channels(64, 128, chain) == [64, 128, 128, 128]
    assert vertex_channels(64, 128, ((0, 1), (0, 0))) == [64, 128]


def test_networks_keep_their_shapes_and_every_weight_gets_a_gradient():
    for one in (
        *drawn(12, seed=4),
        configuration({(0, 6)}),
        configuration(CHAIN | {(0, 6), (0, 2)}),
    ):
        network = build(one, SMALL)
        out = network(torch.zeros(2, 3, 9, 9))
        assert out.shape == (2, 10)
        out.sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_parameters_of_a_published_cell():
    # 3,468,426: this cell in EC-NAS's original records
    from automl_nas.tables.modules101 import from_text

    with torch.device("meta"):
        network = build_cell(*from_text(ADJACENCY, NAMES.split(",")), NetworkRecipe())
    assert sum(parameter.numel() for parameter in network.parameters()) == 3_468_426


@pytest.fixture
def folder(tmp_path):
    write_tfrecord(tmp_path / "nasbench_full.tfrecord", names=(PUBLISHED,))
    return tmp_path


def test_the_table_is_an_objective_that_searches_on_validation(folder):
    made = nasbench101.table(path=folder)
    assert [metric.name for metric in made.metrics] == ["validation_error", "test_error"]
    assert (made.fidelity.full, made.continues, made.seconds) == (108, False, "training_seconds")
    cell = ((0, 1, 1, 0), (0, 0, 1, 1), (0, 0, 0, 1), (0, 0, 0, 0)), (1, 0)
    one = nasbench101.from_cell(*cell)
    assert nasbench101.to_hash(one) == PUBLISHED
    assert nasbench101.to_key(one) == key_of(PUBLISHED)
    got = made(one, 4, trial())
    expected = np.mean([100 - points(1.0 + 20 * r, 4)[2][3] * 100 for r in range(3)])
    assert got.values["validation_error"] == pytest.approx(expected, abs=1e-4)
    assert got.simulated_seconds == pytest.approx(np.mean([2 * (1 + 20 * r) for r in range(3)]))


def trial():
    from automl_nas.types import Trial

    return Trial(0, 0)


def test_searching_on_test_must_be_said(folder):
    assert nasbench101.table(path=folder, search_on="test").name.endswith("(search on test)")
    columns = tables.open("nasbench101", path=folder).columns
    assert columns["validation_error"].part == "validation"


def test_an_invalid_cell_is_a_failed_record_where_that_is_asked_for(folder):
    made = nasbench101.table(path=folder, invalid="fail")
    study = Study(SPACE, made, RandomSearcher(SPACE), budget=Budget(trials=8), seed=0,
                  initial=[configuration(DENSE)], max_failures=50)  # fmt: skip
    first = study.run().records[0]
    assert first.status == "failed"
    assert (
        first.failure == "ValueError: the cell has 21 edges after pruning, at most 9 are allowed."
    )


def test_a_hash_needs_the_file_of_all_cells(folder):
    with pytest.raises(TableError, match=r"nb101_full\.npz was not found"):
        nasbench101.from_hash(PUBLISHED, path=folder)
