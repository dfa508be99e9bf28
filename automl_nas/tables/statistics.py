"""What a table is like: how values are distributed, how large neighbourhoods are, how rugged it is.

    about = distribution(table.query(slice(None), "validation_error"))
    near = product_neighbours((5,) * 6)                       # of a space that is a product
    correlation = autocorrelation(values, near, lags=36, seed=0)

The three statistics with which NAS-Bench-Suite (Mehta et al., ICLR 2022, arXiv:2201.13396) tells
search spaces apart. Neighbours are an array (rows, most) of row numbers, padded with -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automl_nas import seeds
from automl_nas.errors import SettingError

Values = npt.NDArray[np.float64]
Neighbours = npt.NDArray[np.int64]
_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class Distribution:
    """Of the values that were measured, in their unit."""

    count: int
    mean: float
    deviation: float
    """Population standard deviation."""
    skewness: float
    """Third standardised moment; NaN where all values are equal."""
    quantiles: tuple[tuple[float, float], ...]
    """(share, value), the smallest and the largest included."""


def distribution(values: npt.ArrayLike) -> Distribution:
    """Moments and quantiles (linear between neighbours) of the finite ones among (n,) values.

    Raises:
        SettingError: none is finite.
    """
    every = np.asarray(values, dtype=np.float64)
    given = every[np.isfinite(every)]
    if not len(given):
        raise SettingError("expected values of which some are finite, got none.")
    mean, deviation = float(given.mean()), float(given.std())
    centred = (given - mean) / deviation if deviation > 0 else np.full(len(given), np.nan)
    shares = zip(_QUANTILES, np.quantile(given, _QUANTILES).tolist(), strict=True)
    return Distribution(len(given), mean, deviation, float((centred**3).mean()), tuple(shares))


def histogram(values: npt.ArrayLike, edges: Sequence[float]) -> npt.NDArray[np.int64]:
    """(len(edges) - 1,) counts of finite values; the last bin includes its upper edge."""
    every = np.asarray(values, dtype=np.float64)
    return np.histogram(every[np.isfinite(every)], edges)[0].astype(np.int64)


def product_neighbours(sizes: Sequence[int]) -> Neighbours:
    """(rows, sum(sizes) - len(sizes)) of a product of choices, rows in C order: one choice changed.

    NAS-Bench-201 is `(5,) * 6`: 15,625 rows with 24 neighbours each.
    """
    digits = np.stack(np.unravel_index(np.arange(np.prod(sizes)), tuple(sizes)))
    columns = []
    for axis, size in enumerate(sizes):
        for shift in range(1, size):
            moved = digits.copy()
            moved[axis] = (digits[axis] + shift) % size
            columns.append(np.ravel_multi_index(tuple(moved), tuple(sizes)))
    return np.stack(columns, axis=1).astype(np.int64)


def neighbourhood_sizes(neighbours: Neighbours) -> npt.NDArray[np.int64]:
    """(rows,) how many neighbours each row has."""
    sizes: npt.NDArray[np.int64] = (neighbours >= 0).sum(axis=1)
    return sizes


def random_walks(neighbours: Neighbours, *, walks: int, steps: int, seed: int) -> Neighbours:
    """(walks, steps + 1) rows: uniform starts, then uniform neighbours; a row without any stays."""
    rng = seeds.rng("random walks", seed)
    sizes = neighbourhood_sizes(neighbours)
    packed = np.take_along_axis(neighbours, np.argsort(neighbours < 0, axis=1, kind="stable"), 1)
    path = np.empty((walks, steps + 1), dtype=np.int64)
    path[:, 0] = rng.randint(len(neighbours), size=walks)
    for step in range(steps):
        here = path[:, step]
        chosen = np.floor(rng.uniform(size=walks) * sizes[here]).astype(np.int64)
        path[:, step + 1] = np.where(sizes[here] > 0, packed[here, chosen], here)
    return path


def autocorrelation(
    values: npt.ArrayLike,
    neighbours: Neighbours,
    *,
    lags: int = 36,
    walks: int = 32,
    steps: int = 1000,
    seed: int = 0,
) -> Values:
    """(lags + 1,) correlation between values that lie so many steps of a random walk apart.

    All walks are taken together, with one mean and one variance, so that the first entry is 1.
    Values that are not finite leave their pairs out.

    Raises:
        SettingError: a walk is shorter than the lags.
    """
    if not 0 < lags < steps:
        raise SettingError(f"expected 0 < lags < steps, got {lags=} and {steps=}.")
    every = np.asarray(values, dtype=np.float64)
    seen = every[random_walks(neighbours, walks=walks, steps=steps, seed=seed)]
    given = np.isfinite(seen)
    centred = np.where(given, seen - seen[given].mean(), 0.0)
    variance = (centred**2).sum() / given.sum()
    return np.array([_covariance(centred, given, lag) / variance for lag in range(lags + 1)])


def _covariance(centred: Values, given: npt.NDArray[np.bool_], lag: int) -> float:
    """Mean product over the pairs that were both measured."""
    length = centred.shape[1] - lag
    pairs = (given[:, :length] & given[:, lag:]).sum()
    return float((centred[:, :length] * centred[:, lag:]).sum() / pairs)
