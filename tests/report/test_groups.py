"""The numbers of a report against hand-computed cases."""

import json
from dataclasses import replace

import pytest

from automl_nas.errors import StudyError
from automl_nas.report import as_plain, summary
from automl_nas.results import Results
from tests.report.build import (
    ACCURACY,
    PARAMETERS,
    SPACE,
    TEST,
    VALIDATION,
    audit,
    failed,
    record,
    run,
)


def only(studies, **options):
    (group,) = summary(studies, **options)
    return group


def test_row_of_hand_made_runs():
    runs = [
        run([record(0, 8, 9), failed(1), record(2, 5, 7), record(3, 6, 4)]),
        run(
            [record(0, 3, 4), replace(record(1, 3, 4), duplicate_of=0, cost=record(1).cost)], seed=1
        ),
    ]
    (row,) = only(runs).rows
    assert (row.searcher, row.seeds, row.answered) == ("random", (0, 1), 2)
    assert (row.quality.mean, row.reported.mean) == (4.0, 5.5)
    assert (row.quality.low, row.quality.high) == (3.0, 5.0)
    assert (row.evaluations, row.equivalents) == (3.0, 3.0)
    assert (row.duplicates, row.failures) == (0.5, 0.5)
    assert (row.ask_seconds, row.setup_seconds, row.evaluate_seconds) == (1.5, 0.75, 2.25)


def test_gradient_answer_is_the_last_audit_not_the_best():
    gradient = run([audit(0, 2, 3), audit(1, 7, 8)], "gradient")
    (row,) = only([gradient]).rows
    assert (row.quality.mean, row.reported.mean, row.evaluations) == (7, 8, 0)
    assert row.equivalents == 1.0


def test_lower_fidelities_are_charged_but_never_an_answer():
    (row,) = only([run([record(0, 8, 9), record(1, 1, 1, fidelity=3)])]).rows
    assert (row.quality.mean, row.evaluations) == (8, 2)


@pytest.mark.parametrize(("goal", "order"), [("max", ["good", "bad"]), ("min", ["bad", "good"])])
def test_ranked_in_the_metrics_own_direction(goal, order):
    metric = replace(ACCURACY, goal=goal)
    studies = [
        run([record(0, value, metrics=[metric])], name, metrics=[metric], optimize=[metric])
        for name, value in (("bad", 0.2), ("good", 0.9))
    ]
    assert [row.searcher for row in only(studies).rows] == order
    assert [row.searcher for row in only(studies, ranking=False).rows] == ["bad", "good"]


def test_searchers_without_an_answer_come_last():
    group = only([run([], "a"), run([record(0, 5, 5)], "b"), run([failed(0)], "c")])
    assert [row.searcher for row in group.rows] == ["b", "a", "c"]
    assert group.rows[1].quality is None
    assert group.measured


def test_hypervolume_in_the_box_of_the_group():
    """Box [0, 4] x [0, 10]: points (0, 1) and (1, 0) dominate 1.21 - 1.0; (0.5, 0.5) 0.36."""
    both = (VALIDATION, PARAMETERS)
    metrics = {"metrics": both, "optimize": both}
    wide = run([record(0, 0, 10, metrics=both), record(1, 4, 0, metrics=both)], "wide", **metrics)
    centre = run([record(0, 2, 5, metrics=both)], "centre", **metrics)
    group = only([wide, centre])
    assert [row.searcher for row in group.rows] == ["centre", "wide"]
    assert [row.quality.mean for row in group.rows] == pytest.approx([0.36, 0.21])
    assert [row.front for row in group.rows] == [1, 2]
    assert group.reported is None


def test_hypervolume_of_a_constant_metric_and_a_maximised_one():
    """Accuracy 0.9 is the best (0), 0.5 the worst (1); parameters never differ (0)."""
    both = (ACCURACY, PARAMETERS)
    runs = [
        run([record(0, value, 7, metrics=both)], name, metrics=both, optimize=both)
        for name, value in (("low", 0.5), ("high", 0.9))
    ]
    volumes = {row.searcher: row.quality.mean for row in only(runs).rows}
    assert volumes == pytest.approx({"high": 1.1 * 1.1, "low": 0.1 * 1.1})


def test_grouped_by_objective_and_optimised_metrics():
    first = run([record(0, 1, 2)])
    groups = summary([
        first,
        run([record(0, 1, 2)], optimize=[TEST]),
        run([record(0, 1, 2)], objective="cifar10"),
        run([record(0, 3, 2)], seed=1),
    ])  # fmt: skip
    assert [len(group.runs) for group in groups] == [2, 1, 1]
    assert [group.objective for group in groups] == ["digits", "digits", "cifar10"]


def test_objectives_of_one_name_are_told_apart():
    groups = summary([run([], full=100.0), run([], full=200.0)])
    assert [group.objective for group in groups] == [
        "digits (full_training_flops=100.0)", "digits (full_training_flops=200.0)",
    ]  # fmt: skip


def test_other_settings_are_other_searchers():
    runs = [
        run([record(0, 1, 2)], "evo", seed, recipe={"type": "Evo", "sample": sample})
        for sample in (5, 10)
        for seed in (0, 1)
    ]
    assert [one.label for one in only(runs).series] == ["evo (sample=10)", "evo (sample=5)"]


def test_a_seed_given_twice_is_no_repeat():
    runs = [run([record(0, 1, 2)], name="x"), run([record(0, 3, 4)], name="y")]
    assert [one.label for one in only(runs).series] == ["random (1)", "random (2)"]


def test_no_study_is_an_error():
    with pytest.raises(StudyError, match="at least one study"):
        summary([])


def test_plain_rows_are_json_and_equal_without_seconds():
    slow = run([replace(record(0, 1, 2), ask_seconds=99.0)])
    fast = run([record(0, 1, 2)])
    assert as_plain(summary([slow])) != as_plain(summary([fast]))
    plain = as_plain(summary([slow]), seconds=False)
    assert plain == as_plain(summary([fast]), seconds=False)
    assert json.loads(json.dumps(plain)) == plain
    assert "ask_seconds" not in plain[0]["rows"][0]


@pytest.mark.parametrize(
    ("metrics", "optimised", "reported"),
    [
        ([VALIDATION, TEST], VALIDATION, "test_error"),
        ([VALIDATION, PARAMETERS], VALIDATION, "validation_error"),
        ([TEST, VALIDATION], TEST, "test_error"),
        ([ACCURACY, TEST], ACCURACY, "accuracy"),
    ],
)
def test_reported_metric(metrics, optimised, reported):
    results = run([], metrics=metrics, optimize=[optimised])
    assert results.reported.name == reported


def test_front_keeps_a_charged_duplicate_of_an_audit():
    last = replace(record(1, 2, 3), duplicate_of=0)
    results = run([audit(0, 2, 3), last])
    assert isinstance(results, Results)
    assert results.space == SPACE
    assert results.front() == [last]
