"""Bootstrap means against SciPy used directly and against closed forms."""

import warnings

import numpy as np
import pytest
from scipy import stats

from automl_nas.statistics import Interval, bootstrap_band, bootstrap_mean


@pytest.mark.parametrize("values", [[0.1, 0.2, 0.4, 0.15], [1.0, 2.0], [5.0, 5.0, 5.0, 6.0, 9.0]])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_interval_is_scipys_percentile_one(values, level):
    direct = stats.bootstrap(
        (np.array(values),), np.mean, method="percentile", confidence_level=level,
        n_resamples=9_999, batch=1_000, random_state=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    found = bootstrap_mean(values, level=level, seed=3)
    assert found.mean == np.mean(values)
    assert (found.low, found.high) == pytest.approx((direct.low, direct.high), rel=1e-12)


def test_two_values_give_themselves():
    """Half of the resamples of two values hold one of them only: 95 % reaches from end to end."""
    assert bootstrap_mean([1.0, 3.0]) == Interval(2.0, 1.0, 3.0)


@pytest.mark.parametrize("values", [[0.5], [2.0, 2.0, 2.0], [1.0, float("nan")]])
def test_no_interval_and_no_warning(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bootstrap_mean(values)
    assert (found.low, found.high) == (None, None)


def test_deterministic_in_the_seed():
    values = list(np.random.default_rng(0).normal(size=12))
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values)


def test_coverage_is_near_its_level():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        low, high = bootstrap_band(rng.normal(size=(30, 1)), resamples=300)
        hits += low[0] <= 0 <= high[0]
    assert 0.87 <= hits / 200 <= 0.99


def test_band_is_the_interval_of_each_column():
    values = np.array([[1.0, 5.0, 0.1], [2.0, 5.0, 0.2], [4.0, 5.0, 0.6]])
    low, high = bootstrap_band(values)
    assert np.isnan([low[1], high[1]]).all()
    alone = bootstrap_mean(values[:, 0])
    assert (low[0], high[0]) == pytest.approx((alone.low, alone.high), abs=0.02)


def test_bad_arguments_say_what_is_wrong():
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_mean([])
    with pytest.raises(ValueError, match="level must be between 0 and 1, got 95"):
        bootstrap_mean([1.0, 2.0], level=95)
