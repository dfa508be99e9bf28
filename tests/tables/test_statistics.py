"""What a table is like: closed forms, and slow versus fast."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_nas.errors import SettingError, TableError
from automl_nas.tables import Column, Table
from automl_nas.tables.statistics import (
    autocorrelation,
    distribution,
    histogram,
    neighbourhood_sizes,
    product_neighbours,
    random_walks,
)
from automl_nas.tables.yardstick import yardstick
from automl_nas.types import Metric

RING = np.stack([(np.arange(12) + 1) % 12, (np.arange(12) - 1) % 12], axis=1)


def test_moments_and_quantiles_of_known_numbers():
    got = distribution([1.0, 2.0, 3.0, 4.0, np.nan, np.inf])
    assert (got.count, got.mean, got.skewness) == (4, 2.5, 0.0)
    assert got.deviation == pytest.approx(np.sqrt(1.25))
    assert dict(got.quantiles)[0.0] == 1
    assert dict(got.quantiles)[0.5] == 2.5
    assert dict(got.quantiles)[1.0] == 4
    assert np.isnan(distribution([2.0, 2.0]).skewness)
    with pytest.raises(SettingError, match="finite"):
        distribution([np.nan])


def test_a_histogram_counts_finite_values_and_includes_its_upper_edge():
    assert histogram([0, 1, 1.5, 2, np.nan, 9], (0, 1, 2)).tolist() == [1, 3]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_neighbours_of_a_product_differ_in_one_choice(sizes):
    cells = list(itertools.product(*map(range, sizes)))
    near = product_neighbours(sizes) if sum(sizes) > len(sizes) else np.empty((1, 0), dtype=int)
    for row, cell in enumerate(cells):
        expected = {
            other for other, c in enumerate(cells) if sum(a != b for a, b in zip(c, cell)) == 1  # noqa: B905
        }  # fmt: skip
        assert set(near[row].tolist()) == expected
        assert len(near[row]) == len(expected)


def test_nasbench201_has_24_neighbours_everywhere():
    near = product_neighbours((5,) * 6)
    assert near.shape == (15_625, 24)
    assert set(neighbourhood_sizes(near).tolist()) == {24}


def test_walks_go_from_neighbour_to_neighbour_and_stay_where_there_is_none():
    near = np.array([[-1, 1, -1], [0, -1, 2], [1, -1, -1], [-1, -1, -1]])
    walks = random_walks(near, walks=50, steps=30, seed=3)
    assert walks.shape == (50, 31)
    for walk in walks:
        for here, there in itertools.pairwise(walk):
            assert there in near[here] or (here == there == 3)
    assert {(1, 0), (1, 2)} <= {pair for walk in walks for pair in itertools.pairwise(walk)}
    assert (walks == random_walks(near, walks=50, steps=30, seed=3)).all()
    assert (walks != random_walks(near, walks=50, steps=30, seed=4)).any()


def test_a_cosine_on_a_ring_has_the_known_autocorrelation():
    # an eigenvector of the walk: each step multiplies the expectation by cos(2 pi / 12)
    values = np.cos(2 * np.pi * np.arange(12) / 12)
    got = autocorrelation(values, RING, lags=6, walks=2000, steps=200, seed=1)
    np.testing.assert_allclose(got, np.cos(2 * np.pi / 12) ** np.arange(7), atol=0.02)


def test_noise_is_correlated_only_as_far_as_walks_return():
    # Hamming graph H(6, 5): eigenvalues 24 - 5j, each comb(6, j) 4^j times
    returns = [
        sum(math.comb(6, j) * 4**j * (1 - 5 * j / 24) ** lag for j in range(7)) / 15_625
        for lag in range(6)
    ]
    values = np.random.RandomState(0).normal(size=15_625)
    near = product_neighbours((5,) * 6)
    got = autocorrelation(values, near, lags=5, walks=256, steps=1000)
    np.testing.assert_allclose(got, returns, atol=0.01)
    values[::3] = np.nan
    again = autocorrelation(values, near, lags=5, walks=256, steps=1000)
    np.testing.assert_allclose(again[:2], returns[:2], atol=0.01)


def test_vectorised_autocorrelation_equals_plain_loops():
    values = np.random.RandomState(1).normal(size=12)
    values[5] = np.nan
    walks = random_walks(RING, walks=3, steps=40, seed=9)
    seen = values[walks]
    mean = np.nanmean(seen)
    variance = np.nanmean((seen - mean) ** 2)
    got = autocorrelation(values, RING, lags=4, walks=3, steps=40, seed=9)
    for lag in range(5):
        products = [
            (row[i] - mean) * (row[i + lag] - mean)
            for row in seen
            for i in range(len(row) - lag)
            if np.isfinite(row[i]) and np.isfinite(row[i + lag])
        ]
        assert got[lag] == pytest.approx(np.mean(products) / variance)


def test_walks_must_be_longer_than_the_lags():
    with pytest.raises(SettingError, match="lags=40 and steps=40"):
        autocorrelation(np.zeros(12), RING, lags=40, steps=40)


def toy():
    columns = {
        "error": Column(Metric("error"), np.array([3.0, np.nan, 1.0, 1.0])),
        "throughput": Column(Metric("throughput", "max"), np.array([5.0, 9.0, 2.0, 7.0])),
        "unknown": Column(Metric("unknown"), np.full(4, np.nan)),
    }
    return Table("toy", np.array(["a", "b", "c", "d"]), columns, source="file")


def test_a_yardstick_is_the_best_row_and_the_worst_values():
    got = yardstick(toy(), "error", others=("throughput",), source="table 5")
    assert (got.optimum, got.key, got.rows) == (1.0, "c", 4)
    assert got.reference == (("error", 3.0), ("throughput", 2.0))
    assert got.source == "file; table 5"
    best = yardstick(toy(), "throughput")
    assert (best.optimum, best.key, best.reference) == (9.0, "b", (("throughput", 2.0),))
    with pytest.raises(TableError, match="unknown was not measured"):
        yardstick(toy(), "unknown")
