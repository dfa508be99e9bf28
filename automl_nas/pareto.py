"""Non-dominated sets, ranks, crowding and hypervolume. All losses are minimised.

Equal points do not dominate each other: duplicates of a front point stay on the front.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def _matrix(losses: ArrayLike) -> Floats:
    points = np.asarray(losses, dtype=float)
    return points if points.ndim == 2 else points.reshape(len(points), -1 if points.size else 0)


def dominates(losses: ArrayLike) -> NDArray[np.bool_]:
    """(n, n) matrix: row i dominates column j (no metric worse, at least one better)."""
    points = _matrix(losses)
    left, right = points[:, None, :], points[None, :, :]
    matrix = np.all(left <= right, axis=-1) & np.any(left < right, axis=-1)
    return np.asarray(matrix, dtype=bool)


def front(losses: ArrayLike) -> list[int]:
    """Indices of the points that no other point dominates, in input order.

    Culling in lexicographic order: the first point left is on the front, and what it dominates
    goes; as many passes as the front has points, so whole tables of a benchmark are fine.
    """
    points = _matrix(losses)
    left, result = np.lexsort(points.T[::-1]) if points.size else np.zeros(0, dtype=int), []
    while len(left):
        best, others = points[left[0]], points[left]
        result.append(int(left[0]))
        beaten = np.all(best <= others, axis=1) & np.any(best < others, axis=1)
        left = left[1:][~beaten[1:]]
    return sorted(result)


def ranks(losses: ArrayLike) -> NDArray[np.int_]:
    """Non-domination rank of each point: 0 for the front, 1 for the front of the rest, ...

    Source: Deb et al. 2002 (NSGA-II); fronts are peeled off one after the other.
    """
    points = _matrix(losses)
    result, left, rank = np.full(len(points), -1), np.arange(len(points)), 0
    while len(left):
        layer = front(points[left])
        result[left[layer]] = rank
        left, rank = np.delete(left, layer), rank + 1
    return result


def crowding(losses: ArrayLike) -> Floats:
    """Crowding distance of each point among the given ones; infinite at the ends.

    Source: Deb et al. 2002, section III-B. Metrics without spread count nothing.
    """
    points = _matrix(losses)
    distance = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]] if len(order) else 0.0
        if spread > 0:
            distance[order[[0, -1]]] = np.inf
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return distance


def order(losses: ArrayLike) -> list[int]:
    """Indices from best to worst: rank, then crowding (wide first), then input order."""
    points = _matrix(losses)
    if len(points) == 0:
        return []
    if points.shape[1] == 1:
        return [int(i) for i in np.argsort(points[:, 0], kind="stable")]
    rank, spread = ranks(points), np.zeros(len(points))
    for layer in range(int(rank.max()) + 1):
        spread[rank == layer] = crowding(points[rank == layer])
    return [int(i) for i in np.lexsort((-spread, rank))]


def hypervolume(losses: ArrayLike, reference: Sequence[float]) -> float:
    """Volume dominated by the points and bounded by `reference`, which is worse than all of them.

    Exact by slicing along the last metric; meant for fronts of up to a few hundred points in two
    metrics and a few dozen in more. Points outside the reference box count nothing.
    """
    corner = np.asarray(reference, dtype=float)
    points = _matrix(losses) if len(np.asarray(losses)) else np.zeros((0, len(corner)))
    inside = points[(points < corner).all(axis=1)]
    return _volume(inside[front(inside)], corner)


def _volume(points: Floats, corner: Floats) -> float:
    if len(points) == 0:
        return 0.0
    if points.shape[1] == 1:
        return float(corner[0] - points.min())
    points = points[np.argsort(points[:, -1], kind="stable")]
    tops = np.append(points[1:, -1], corner[-1])
    total = 0.0
    for k, (low, high) in enumerate(zip(points[:, -1], tops, strict=True)):
        if high > low:
            total += float(high - low) * _volume(points[: k + 1, :-1], corner[:-1])
    return total
