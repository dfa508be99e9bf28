"""Incumbent curves against hand-computed steps."""

from dataclasses import replace

import numpy as np
import pytest

from automl_nas.report import curves, summary
from automl_nas.types import Cost
from tests.report.build import audit, failed, record, run


def curve(runs, unit):
    (group,) = summary(runs)
    (series,) = group.series
    return curves.incumbents(series, unit)


def test_one_run_shows_the_test_error_of_the_best_validation():
    found = curve([run([record(0, 8, 4), record(1, 9, 1), record(2, 5, 6)])], "evaluations")
    assert (list(found.x), list(found.mean)) == ([1, 3], [4, 6])
    assert found.held == 3


def test_mean_starts_when_every_seed_has_an_answer_and_holds_after_a_stop():
    runs = [
        run([record(0, 8, 8), record(1, 4, 4)]),
        run([failed(0), record(1, 6, 6), record(2, 7, 7), record(3, 2, 2)], seed=1),
    ]
    found = curve(runs, "evaluations")
    assert (list(found.x), list(found.mean)) == ([2, 4], [5, 3])
    assert (list(found.low), list(found.high)) == ([4, 2], [6, 4])
    assert (found.held, found.runs) == (2, 2)


def test_lower_fidelities_cost_but_change_no_answer():
    cheap = record(1, 0, 0, fidelity=2, cost=Cost(1, training_flops=20))
    found = curve([run([record(0, 8, 8), cheap, record(2, 7, 7)])], "equivalents")
    assert list(found.x) == pytest.approx([1, 2.2])
    assert list(found.mean) == [8, 7]


def test_gradient_follows_its_audits_over_training_cost():
    last = replace(record(2, 9, 9), duplicate_of=1, cost=Cost(1, training_flops=150))
    runs = [run([audit(0, 3, 3), audit(1, 9, 9), last], "gradient")]
    found = curve(runs, "equivalents")
    assert (list(found.x), list(found.mean)) == ([0.5, 1, 2.5], [3, 9, 9])
    assert curves.audited(summary(runs)[0].series[0])


def test_seconds_are_everything_that_was_spent():
    found = curve([run([record(0, 8, 8), record(1, 3, 3)])], "seconds")
    assert list(found.x) == [1.5, 3.0]


def test_band_is_a_bootstrap_interval_from_five_seeds_on():
    runs = [run([record(0, v, v)], seed=v) for v in range(curves.FEW)]
    found = curve(runs, "evaluations")
    assert 0 < found.low[0] < found.mean[0] == 2 < found.high[0] < 4


def test_seeds_without_an_answer_are_left_out():
    runs = [run([record(0, 8, 8)]), run([failed(0)], seed=1)]
    assert curve(runs, "evaluations").runs == 1
    assert curve([run([])], "evaluations") is None


def test_staircase_is_the_front_of_two_metrics():
    from automl_nas import pareto
    from automl_nas.report.fronts import staircase

    points = np.random.default_rng(0).integers(0, 30, size=(200, 2)).astype(float)
    points = np.unique(points, axis=0)
    assert sorted(staircase(*points.T)) == pareto.front(points)
