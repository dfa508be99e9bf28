"""What a report says, as numbers: studies grouped by what may be compared, one row a searcher.

    for group in summary(studies):
        for row in group.rows:
            print(row.searcher, row.quality, row.evaluations)

A group has one objective and one set of optimised metrics. The seeds of a searcher are repeats; a
searcher that ran with several settings, or twice with one seed, has several rows.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from automl_nas import pareto
from automl_nas.errors import StudyError
from automl_nas.report.naming import as_fields, distinct
from automl_nas.results import Results
from automl_nas.statistics import Interval, bootstrap_mean
from automl_nas.types import Metric, Record

if TYPE_CHECKING:
    from automl_nas.study import Study

CORNER: Final = 1.1
"""Reference point of the hypervolume in each metric, after normalisation to [0, 1]."""

_SECONDS = ("ask_seconds", "setup_seconds", "evaluate_seconds")


@dataclass(frozen=True)
class Series:
    """The runs of one searcher in one group."""

    label: str
    """The searcher's name, with its settings where another series has the same name."""
    runs: tuple[Results, ...]
    """One study a seed, by seed."""


@dataclass(frozen=True)
class Row:
    """One searcher in one group. Amounts are means over its runs."""

    searcher: str
    seeds: tuple[int, ...]
    answered: int
    """Runs with an answer; the others are left out of `quality`, `reported` and `front`."""
    quality: Interval | None
    """The optimised metric of the answer; with several metrics the hypervolume."""
    reported: Interval | None
    """The reported metric of the answer; None with several metrics."""
    front: float | None
    """Configurations on the front; None with one metric."""
    evaluations: float
    """Charged evaluations."""
    equivalents: float | None
    """Charged training cost in full trainings; None where that unit is unknown."""
    duplicates: float
    """Proposals answered from the record."""
    failures: float
    ask_seconds: float
    setup_seconds: float
    evaluate_seconds: float


@dataclass(frozen=True)
class Group:
    """Studies that may be compared with each other."""

    objective: str
    """The objective's name, with what tells it apart from another group's."""
    optimize: tuple[Metric, ...]
    reported: Metric | None
    """The metric that is shown of answers; None with several optimised metrics."""
    series: tuple[Series, ...]
    """By label."""
    rows: tuple[Row, ...]
    """One a series: the best first when ranked, else by label."""

    @property
    def runs(self) -> list[Results]:
        """All studies of the group."""
        return [run for series in self.series for run in series.runs]

    @property
    def measured(self) -> bool:
        """Whether any run has an answer."""
        return any(row.answered for row in self.rows)


def summary(studies: Sequence[Study | Results], *, ranking: bool = True) -> list[Group]:
    """Groups of comparable studies, in the order of the first study of each.

    Args:
        studies: studies that have run, or their results.
        ranking: sort searchers by quality; else by name.

    Raises:
        StudyError: there is no study, or one has not run yet.
    """
    if not studies:
        raise StudyError("a report needs at least one study, got none: run one, or load() some.")
    found: dict[str, list[Results]] = {}
    for study in studies:
        results = study if isinstance(study, Results) else study.results()
        found.setdefault(_group_key(results), []).append(results)
    names = _objective_names([runs[0] for runs in found.values()])
    return [
        _group(names[_objective_key(runs[0])], runs, ranking=ranking) for runs in found.values()
    ]


def as_plain(groups: Sequence[Group], *, seconds: bool = True) -> list[dict[str, Any]]:
    """The groups' tables as JSON; without `seconds` equal for a resumed and an unbroken run."""
    return [
        {
            "objective": group.objective,
            "optimize": [asdict(metric) for metric in group.optimize],
            "reported": group.reported.name if group.reported else None,
            "rows": [_plain_row(row, seconds=seconds) for row in group.rows],
        }
        for group in groups
    ]


def _plain_row(row: Row, *, seconds: bool) -> dict[str, Any]:
    plain = {field.name: getattr(row, field.name) for field in fields(row)}
    plain |= {k: asdict(v) for k, v in plain.items() if isinstance(v, Interval)}
    plain["seeds"] = list(row.seeds)
    return {name: value for name, value in plain.items() if seconds or name not in _SECONDS}


def _group_key(results: Results) -> str:
    optimize = [asdict(metric) for metric in results.optimize]
    return json.dumps([optimize, results.identity["objective"]], sort_keys=True)


def _objective_key(results: Results) -> str:
    return json.dumps(results.identity["objective"], sort_keys=True)


def _objective_names(firsts: Sequence[Results]) -> dict[str, str]:
    """A name for each different objective, by its key."""
    found = {_objective_key(results): results.identity["objective"] for results in firsts}
    recipes = [
        {**as_fields(one["recipe"]), "full_training_flops": one["full_training_flops"]}
        for one in found.values()
    ]
    labels = distinct([str(one["name"]) for one in found.values()], recipes)
    return dict(zip(found, labels, strict=True))


def _group(name: str, runs: list[Results], *, ranking: bool) -> Group:
    series = _series(runs)
    single = len(runs[0].optimize) == 1
    rows = _single_rows(series) if single else _pareto_rows(series)
    if ranking:
        rows = sorted(rows, key=_rank(runs[0]))
    return Group(
        objective=name,
        optimize=runs[0].optimize,
        reported=runs[0].reported if single else None,
        series=series,
        rows=tuple(rows),
    )


def _series(runs: Sequence[Results]) -> tuple[Series, ...]:
    """Runs by searcher and settings; a second run with one seed begins another series."""
    found: dict[tuple[str, int], list[Results]] = {}
    times: Counter[tuple[str, int]] = Counter()
    for results in runs:
        settings = _settings(results)
        turn = times[settings, results.seed]
        times[settings, results.seed] += 1
        found.setdefault((settings, turn), []).append(results)
    members = list(found.values())
    labels = distinct([m[0].searcher for m in members], [_searcher_fields(m[0]) for m in members])
    series = [
        Series(label, tuple(sorted(member, key=lambda results: results.seed)))
        for label, member in zip(labels, members, strict=True)
    ]
    return tuple(sorted(series, key=lambda one: one.label))


def _searcher_fields(results: Results) -> dict[str, Any]:
    own = as_fields(results.identity["searcher"]["recipe"])
    return {**own, "space": results.identity["space"], "initial": results.identity.get("initial")}


def _settings(results: Results) -> str:
    return json.dumps([results.searcher, _searcher_fields(results)], sort_keys=True)


def _rank(results: Results) -> Callable[[Row], tuple[bool, float, str]]:
    """Sorting key: best first, searchers without an answer last."""
    metric = results.optimize[0] if len(results.optimize) == 1 else Metric("hypervolume", "max")

    def key(row: Row) -> tuple[bool, float, str]:
        loss = metric.loss(row.quality.mean) if row.quality else 0.0
        return row.quality is None, loss, row.searcher

    return key


def _single_rows(series: Sequence[Series]) -> list[Row]:
    rows = []
    for one in series:
        optimised, reported = one.runs[0].optimize[0], one.runs[0].reported
        answers = [answer for run in one.runs if (answer := _answer(run)) is not None]
        rows.append(
            _row(
                one,
                quality=[answer.values[optimised.name] for answer in answers],
                reported=[answer.values.get(reported.name, math.nan) for answer in answers],
            )
        )
    return rows


def _answer(run: Results) -> Record | None:
    answers = run.answers()
    return answers[-1] if answers else None


def _pareto_rows(series: Sequence[Series]) -> list[Row]:
    measured = [run for one in series for run in one.runs if _losses(run).size]
    low, high = _box(measured) if measured else (np.zeros(1), np.zeros(1))
    rows = []
    for one in series:
        runs = [run for run in one.runs if _losses(run).size]
        volumes = [_hypervolume(_losses(run), low, high) for run in runs]
        rows.append(_row(one, quality=volumes, front=[float(len(run.front())) for run in runs]))
    return rows


def _losses(run: Results) -> NDArray[np.float64]:
    """Losses of the selectable records, (records, metrics)."""
    losses = [run.losses(record) for record in run.records if record.selectable]
    return np.asarray(losses, dtype=float).reshape(-1, len(run.optimize))


def _box(runs: Sequence[Results]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    losses = np.concatenate([_losses(run) for run in runs])
    return losses.min(axis=0), losses.max(axis=0)


def _hypervolume(
    losses: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> float:
    """Volume after normalising the box to the unit cube; a constant metric becomes 0."""
    span = np.where(high > low, high - low, 1.0)
    return pareto.hypervolume((losses - low) / span, [CORNER] * losses.shape[1])


def _row(
    series: Series,
    *,
    quality: Sequence[float],
    reported: Sequence[float] = (),
    front: Sequence[float] = (),
) -> Row:
    runs, full = series.runs, series.runs[0].full_training_flops
    flops = _mean([run.total.training_flops for run in runs])
    seconds = {
        name: _mean([sum(getattr(record, name) for record in run.records) for run in runs])
        for name in _SECONDS
    }
    return Row(
        searcher=series.label,
        seeds=tuple(run.seed for run in runs),
        answered=len(quality),
        quality=bootstrap_mean(quality) if quality else None,
        reported=bootstrap_mean(reported) if reported else None,
        front=_mean(front) if front else None,
        evaluations=_mean([run.total.evaluations for run in runs]),
        equivalents=flops / full if full else None,
        duplicates=_mean([run.duplicates for run in runs]),
        failures=_mean([run.failures for run in runs]),
        **seconds,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
