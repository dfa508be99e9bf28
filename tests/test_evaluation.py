"""What objectives return: scalars of any library, wrong things, infinities."""

from __future__ import annotations

import math

import numpy as np
import optuna
import pytest
import torch

from automl_nas import Budget, Measurement, Metric, Study, evaluation, load
from automl_nas.errors import MeasurementError, StudyError
from automl_nas.searchers import RandomSearcher


def study(space, objective, optimize=("error",), trials=1):
    metrics = [Metric(name) for name in optimize]
    budget = Budget(trials=trials)
    return Study(space, objective, RandomSearcher(space), budget=budget, optimize=metrics)


@pytest.mark.parametrize(
    "value",
    [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), torch.tensor(0.5), torch.tensor([0.5])],
)
def test_any_scalar_is_a_float(space, tmp_path, value):
    url = f"sqlite:///{tmp_path}/s.db"
    measured = Measurement({"error": value}, training_flops=np.float32(2), simulated_seconds=value)
    study(space, lambda c: measured).run(url)
    (record,) = load(url)[0].records
    assert (record.values, record.cost.training_flops) == ({"error": 0.5}, 2.0)
    assert type(record.values["error"]) is float


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        ("0.5", "'0.5'"),
        (10**400, "1000"),
        (torch.ones(3), "tensor"),
        (np.ones(2), "array"),
        (1j, "1j"),
        ([1.0], "1.0"),
    ],
)
def test_what_is_no_number_is_shown(space, tmp_path, value, shown):
    url = f"sqlite:///{tmp_path}/s.db"
    with pytest.raises(MeasurementError, match=f"returned error = .*{shown}.*: expected a number"):
        study(space, lambda c: {"error": value}).run(url)
    assert [r.status for r in load(url)[0].records] == ["failed"]


@pytest.mark.parametrize("flops", [-1.0, math.nan, math.inf, "many"])
def test_costs_are_finite_and_positive(space, flops):
    with pytest.raises(MeasurementError, match="training_flops = "):
        study(space, lambda c: Measurement({"error": 1.0}, training_flops=flops)).run()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_infinity_is_the_same_before_and_after_a_resume(space, tmp_path, value):
    url = f"sqlite:///{tmp_path}/s.db"
    ran = study(space, lambda c: value, trials=1)
    ran.run(url)
    (stored,) = load(url)[0].records
    assert ran.records[0].failure == stored.failure == f"error = {value} is not finite"
    assert math.isnan(ran.records[0].values["error"])
    assert math.isnan(stored.values["error"])


def test_a_curve_holds_plain_numbers(space, tmp_path):
    url, points = f"sqlite:///{tmp_path}/s.db", {}

    def learning(configuration, fidelity, trial):
        for step in range(2):
            points["error"] = torch.tensor(float(step))
            trial.report(np.int64(step), points)
        trial.report(2, {"error": math.nan})
        return 0.0

    ran = study(space, learning).run(url)
    (trial,) = optuna.load_study(study_name=ran.name, storage=url).trials
    assert trial.user_attrs["measurement"]["curve"] == {
        "0": {"error": 0.0},
        "1": {"error": 1.0},
        "2": {"error": None},
    }


def test_a_wrong_point_of_a_curve_is_an_error(space):
    def learning(configuration, fidelity, trial):
        trial.report(1, {"error": "low"})

    with pytest.raises(MeasurementError, match=r"trial.report\(1, ...\) got error = 'low'"):
        study(space, learning).run()


def test_a_trial_is_told_once(space):
    own = study(space, lambda c: 1.0, trials=2)
    with own.open():
        record = own.ask()
        own.tell(record, 1.0)
        with pytest.raises(StudyError, match="trial 0 is not waiting"):
            own.tell(record, 2.0)
    assert [r.values for r in own.records] == [{"error": 1.0}]


def test_long_answers_are_shortened():
    with pytest.raises(MeasurementError) as caught:
        evaluation.number("x" * 10_000, "it is")
    assert len(str(caught.value)) < 100
