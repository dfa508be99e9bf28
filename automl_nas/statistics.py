"""Means over repeated runs with bootstrap intervals.

    bootstrap_mean([0.061, 0.058, 0.064]).low

The interval is the percentile one: BCa corrects for bias and skew but is undefined for the handful
of nearly equal values that a few seeds give. Below about five values any bootstrap interval is
rough, and too narrow rather than too wide. Source: Efron and Tibshirani 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RESAMPLES = 9_999
_BATCH = 1_000
"""Resamples held in memory at once."""


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval, in the unit of the values."""

    mean: float
    low: float | None = None
    """Lower end; None: the values are too few or all equal."""
    high: float | None = None
    """Upper end; None where `low` is."""


def bootstrap_mean(values: Sequence[float], *, level: float = 0.95, seed: int = 0) -> Interval:
    """The mean with its percentile bootstrap interval, equal for equal values and seed.

    Fewer than two values, equal values or values that are not finite have no interval.

    Raises:
        ValueError: there are no values, or `level` is not between 0 and 1.
    """
    if len(values) == 0:
        raise ValueError("a mean needs at least one value, got none.")
    mean = float(np.mean(values))
    low, high = bootstrap_band(np.asarray(values, dtype=float)[:, None], level=level, seed=seed)
    if np.isnan(low[0]):
        return Interval(mean)
    return Interval(mean, float(low[0]), float(high[0]))


def bootstrap_band(
    values: ArrayLike, *, level: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """Lower and upper ends of `bootstrap_mean` for each column of (runs, points).

    NaN where a column has fewer than two different, finite values.

    Raises:
        ValueError: `level` is not between 0 and 1.
    """
    from scipy import stats

    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level!r}.")
    columns = np.asarray(values, dtype=float)
    low, high = np.full((2, columns.shape[1]), np.nan)
    varied = np.isfinite(columns).all(axis=0) & (columns != columns[:1]).any(axis=0)
    if varied.any():
        found = stats.bootstrap(
            (columns[:, varied],),
            np.mean,
            axis=0,
            vectorized=True,
            method="percentile",
            confidence_level=level,
            n_resamples=resamples,
            batch=_BATCH,
            random_state=np.random.default_rng(seed),
        ).confidence_interval
        low[varied], high[varied] = found.low, found.high
    return low, high
