import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna._hypervolume import compute_hypervolume

from automl_nas import pareto


def points(least=1, most=4):
    return (
        st.integers(least, most)
        .flatmap(
            lambda m: st.lists(
                st.lists(st.integers(0, 6), min_size=m, max_size=m), min_size=1, max_size=12
            )
        )
        .map(lambda rows: np.array(rows, dtype=float))
    )


def beats(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(
        x < y for x, y in zip(a, b, strict=True)
    )


@settings(max_examples=150, deadline=None)
@given(points())
def test_front_and_ranks_agree_with_their_definitions(losses):
    expected = [i for i, p in enumerate(losses) if not any(beats(q, p) for q in losses)]
    assert pareto.front(losses) == expected
    matrix = pareto.dominates(losses)
    assert all(
        matrix[i, j] == beats(p, q) for i, p in enumerate(losses) for j, q in enumerate(losses)
    )
    ranks = pareto.ranks(losses)
    for j, rank in enumerate(ranks):
        above = [ranks[i] for i in range(len(losses)) if matrix[i, j]]
        assert rank == (max(above) + 1 if above else 0)


@settings(max_examples=100, deadline=None)
@given(points(), st.randoms(use_true_random=False))
def test_results_do_not_depend_on_the_order_of_the_points(losses, random):
    shuffled = list(range(len(losses)))
    random.shuffle(shuffled)
    moved = losses[shuffled]
    assert sorted(shuffled[i] for i in pareto.front(moved)) == pareto.front(losses)
    assert list(pareto.ranks(moved)) == [pareto.ranks(losses)[i] for i in shuffled]
    corner = [7.0] * losses.shape[1]
    assert pareto.hypervolume(moved, corner) == pytest.approx(pareto.hypervolume(losses, corner))


@settings(max_examples=150, deadline=None)
@given(points(2, 4))
def test_hypervolume_equals_optunas(losses):
    corner = np.full(losses.shape[1], 7.0)
    assert pareto.hypervolume(losses, corner) == pytest.approx(compute_hypervolume(losses, corner))


def test_hypervolume_closed_forms():
    assert pareto.hypervolume([[0.0, 0.0]], [2.0, 3.0]) == 6.0
    assert pareto.hypervolume([[0, 1], [1, 0]], [2, 2]) == 3.0
    assert pareto.hypervolume([[0, 1], [1, 0], [1, 1], [0, 1]], [2, 2]) == 3.0
    assert pareto.hypervolume([[0, 0, 1], [1, 1, 0]], [2, 2, 2]) == 5.0
    assert pareto.hypervolume([3.0, 1.0, 2.0], [4.0]) == 3.0
    assert pareto.hypervolume([[2, 0], [0, 2]], [2, 2]) == 0.0
    assert pareto.hypervolume([[5, 5]], [2, 2]) == 0.0
    assert pareto.hypervolume([], [2, 2]) == 0.0


def test_a_staircase_in_two_metrics():
    n = 50
    steps = [[i / n, 1 - i / n] for i in range(n + 1)]
    assert pareto.hypervolume(steps, [1, 1]) == pytest.approx((n - 1) / (2 * n))


@settings(max_examples=100, deadline=None)
@given(points(2, 2))
def test_order_is_by_rank_and_keeps_ties_in_input_order(losses):
    order = pareto.order(losses)
    assert sorted(order) == list(range(len(losses)))
    ranks = pareto.ranks(losses)[order]
    assert list(ranks) == sorted(ranks)


@settings(max_examples=50, deadline=None)
@given(points(1, 1))
def test_order_of_one_metric_is_a_stable_sort(losses):
    column = losses[:, 0]
    assert pareto.order(column) == sorted(range(len(column)), key=lambda i: column[i])


def test_crowding_closed_form():
    line = [[0, 4], [1, 3], [2, 2], [4, 0]]
    assert list(pareto.crowding(line)) == [np.inf, 1.0, 1.5, np.inf]
    assert list(pareto.crowding([[1, 1], [1, 1]])) == [0, 0]
    assert pareto.order(line) == [0, 3, 2, 1]


def test_empty_and_single():
    assert pareto.front([]) == pareto.order([]) == list(pareto.ranks([])) == []
    assert pareto.dominates([]).shape == (0, 0)
    assert pareto.front([[1, 2]]) == pareto.order([[1, 2]]) == [0]


def test_a_whole_benchmark_table_is_quick_enough():
    losses = np.random.RandomState(0).rand(15_625, 2)
    front = pareto.front(losses)
    assert 3 < len(front) < 60
    assert not any(pareto.dominates(losses[front]).any(axis=0))
