"""The parts of a study as its user gives them, checked and in one form."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs
from automl_nas.errors import SettingError, SpaceError, StudyError, UnknownName
from automl_nas.objectives.base import FunctionObjective, Objective, Returned
from automl_nas.types import Constraint, Metric
from automl_nas.urls import local_path


def as_objective(
    objective: Objective | Callable[..., Returned],
    optimize: Sequence[Metric | str],
    constraints: Sequence[Constraint],
) -> Objective:
    """An objective; a plain function measures what is optimised and what is limited."""
    if isinstance(objective, Objective):
        return objective
    if not optimize:
        raise StudyError(
            'a plain function needs its metrics: Study(..., optimize=[Metric("error")]).'
        )
    metrics = [m if isinstance(m, Metric) else Metric(m) for m in optimize]
    limited = [Metric(c.metric) for c in constraints if c.metric not in {m.name for m in metrics}]
    return FunctionObjective(objective, (*metrics, *limited))


def metrics(objective: Objective, optimize: Sequence[Metric | str]) -> tuple[Metric, ...]:
    """The objective's metrics of these names; its first one where there are none."""
    known = {metric.name: metric for metric in objective.metrics}
    names = [m.name if isinstance(m, Metric) else m for m in optimize] or list(known)[:1]
    for name in names:
        if name not in known:
            raise UnknownName("metric", name, known)
    return tuple(known[name] for name in names)


def folder(storage: str | None, name: str, given: str | Path | None = None) -> Path | None:
    """Where a study keeps files: in the `given` folder, or beside a local storage; else None."""
    path = local_path(storage)
    base = Path(given) if given else path.with_suffix(".files") if path else None
    if base is None:
        return None
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    return base.absolute() / f"{slug}-{configs.digest({'name': name})[:6]}"


def integer(seed: int) -> int:
    """A seed of whatever integer type."""
    try:
        return operator.index(seed)
    except TypeError:
        raise SettingError(f"a study's seed must be an integer, got {seed!r}.") from None


def initial(space: ConfigurationSpace, index: int, given: Configuration) -> Configuration:
    """An initial configuration as a member of the space."""
    try:
        return configs.adopt(space, given)
    except (ValueError, AttributeError) as error:
        raise SpaceError(
            f"initial[{index}] = {given!r} is not a configuration of the study's space: {error}"
        ) from error
