"""Where GPSampler begins to fit its kernels: at those of the latest proposal, noted with it.

A long-lived sampler of Optuna's keeps the kernels that it fitted in its last ask, and begins the
next fit there, which spares a third of the steps. Here they travel as `attrs["gp_kernels"]` of the
proposal that they led to, so that a sampler made anew begins where the old one would, and a study
that goes on begins where it stopped:

    {"metrics": [[10.6, 0.0213, 1.4, 1e-06]], "constraints": []}

One row for each metric and each constraint: the inverse squared lengthscales in the order of the
search space, the kernel's scale, the variance of the noise; six digits. They are only where a fit
begins: the kernels that are used are fitted to all trials, lies for pending ones among them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.trial import FrozenTrial

from automl_nas.types import Record

if TYPE_CHECKING:
    from optuna import Study

KEY = "gp_kernels"
_CACHES = {"metrics": "_gprs_cache_list", "constraints": "_constraints_gprs_cache_list"}
"""What GPSampler keeps between asks: a regressor for each metric, and for each constraint."""
_UNFITTED = 1.0
"""Optuna's default start for the noise, which `deterministic_objective` keeps it from fitting."""


def later(known: Record | None, records: Iterable[Record]) -> Record | None:
    """The one with the highest number among those that have kernels."""
    for record in records:
        if KEY in record.attrs and (known is None or record.number > known.number):
            known = record
    return known


def begin(sampler: Any, record: Record | None, counts: Mapping[str, int]) -> None:
    """Lets a GPSampler, made for this ask, begin its fits at the record's kernels.

    Does nothing for other samplers, nor if the kernels are of another space.

    Args:
        sampler: changed in place.
        record: the latest one with kernels; None: fits begin at Optuna's default.
        counts: of "metrics" and of "constraints".
    """
    if record is None or not _fits(sampler):
        return
    noted, original = record.attrs[KEY], sampler._sample_relative_impl

    def begun(
        study: Study,
        complete: list[FrozenTrial],
        running: list[FrozenTrial],
        space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        if all(_suits(noted[kind], counts[kind], len(space) + 2) for kind in _CACHES):
            for kind, name in _CACHES.items():
                setattr(sampler, name, [_start(row) for row in noted[kind]] or None)
        found: dict[str, Any] = original(study, complete, running, space)
        return found

    sampler._sample_relative_impl = begun


def note(sampler: Any) -> dict[str, Any]:
    """What the proposal's attributes have of the kernels that a GPSampler fitted in this ask."""
    if not _fits(sampler) or sampler._gprs_cache_list is None:
        return {}
    row = functools.partial(_row, deterministic=sampler._deterministic)
    rows = {kind: [*map(row, getattr(sampler, name) or ())] for kind, name in _CACHES.items()}
    values = [value for kind in rows.values() for row in kind for value in row]
    return {KEY: rows} if all(0 < value < math.inf for value in values) else {}


def _fits(sampler: Any) -> bool:
    """Whether it fits as Optuna's own does; a subclass may do it in its own way."""
    return (
        isinstance(sampler, GPSampler)
        and type(sampler)._sample_relative_impl is GPSampler._sample_relative_impl
    )


def _suits(rows: Sequence[Sequence[float]], count: int, length: int) -> bool:
    return len(rows) == count and all(len(row) == length for row in rows)


def _row(regressor: Any, *, deterministic: bool) -> list[float]:
    noise = _UNFITTED if deterministic else regressor.noise_var.item()
    scales = regressor.inverse_squared_lengthscales.tolist()
    return [float(f"{value:.6g}") for value in (*scales, regressor.kernel_scale.item(), noise)]


def _start(row: Sequence[float]) -> SimpleNamespace:
    """As much of a regressor as a fit begins with."""
    import torch

    values = torch.tensor(row, dtype=torch.float64)
    return SimpleNamespace(
        inverse_squared_lengthscales=values[:-2], kernel_scale=values[-2], noise_var=values[-1]
    )
