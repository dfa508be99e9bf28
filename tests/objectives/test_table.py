"""Looking up instead of training: what is observed, what is charged, and what is no answer."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace

from automl_nas import Budget, Study, configs
from automl_nas.errors import SettingError, StudyMismatch, TableError, UnknownName
from automl_nas.objectives.table import Reading, TableObjective
from automl_nas.searchers import HalvingSearcher, RandomSearcher
from automl_nas.tables import Column, Table
from automl_nas.types import Cost, Fidelity, Metric, Trial

SPACE = ConfigurationSpace(name="toy")
SPACE.add([Categorical("x", tuple(range(12))), Categorical("y", tuple(range(12)))])
EPOCHS = (1, 3, 9)
SEEDS = (777, 888, 999)
RNG = np.random.RandomState(7)
ERRORS = 100 * RNG.uniform(size=(144, 3, 3))
SECONDS = np.cumsum(1 + RNG.uniform(size=(144, 3)), axis=1)


def key(configuration):
    return 12 * configuration["x"] + configuration["y"]


def table(**changes):
    columns = {
        "validation_error": Column(
            Metric("validation_error", unit="%"), ERRORS, ("fidelity", "seed"), "validation"
        ),
        "test_error": Column(
            Metric("test_error", unit="%"), ERRORS + 1, ("fidelity", "seed"), "test"
        ),
        "training_seconds": Column(Metric("training_seconds", unit="s"), SECONDS, ("fidelity",)),
        "flops": Column(Metric("flops"), 1000.0 + np.arange(144)),
    }
    settings = {
        "name": "toy/one",
        "keys": np.arange(144),
        "columns": columns,
        "fidelity": Fidelity("epochs", 9),
        "fidelities": EPOCHS,
        "seeds": SEEDS,
    }
    return Table(**{**settings, **changes})


def objective(**changes):
    readings = (Reading("validation_error"), Reading("test_error", fidelity="full"))
    made = TableObjective(table(), key, readings, seconds="training_seconds", continues=True)
    return replace(made, **changes)


def ask(made, row=17, *, fidelity=None, seed=0, continued=0):
    configuration = configs.from_dict(SPACE, {"x": row // 12, "y": row % 12})
    return made(configuration, fidelity, Trial(0, seed, continued=continued))


def run(made, searcher=None, *, budget, **settings):
    searcher = searcher or RandomSearcher(SPACE)
    return Study(SPACE, made, searcher, budget=budget, seed=1, **settings).run()


def test_values_are_those_of_the_row_at_the_asked_fidelity():
    got = ask(objective(), fidelity=3)
    assert got.values["validation_error"] == pytest.approx(ERRORS[17, 1].mean(), rel=1e-12)
    assert got.values["test_error"] == pytest.approx(ERRORS[17, 2].mean() + 1, rel=1e-12)


def test_a_fidelity_that_was_not_measured_is_refused():
    with pytest.raises(SettingError, match="epochs 1, 3, 9, got fidelity=2"):
        ask(objective(), fidelity=2)


@pytest.mark.parametrize(
    ("continues", "fidelity", "continued", "expected"),
    [
        (True, 1, 0, SECONDS[17, 0]),
        (True, 9, 3, SECONDS[17, 2] - SECONDS[17, 1]),
        (True, None, 1, SECONDS[17, 2] - SECONDS[17, 0]),
        (False, 9, 3, SECONDS[17, 2]),
        (True, 3, 3, 0.0),
    ],
)
def test_a_continued_training_is_charged_the_rest(continues, fidelity, continued, expected):
    got = ask(objective(continues=continues), fidelity=fidelity, continued=continued)
    assert got.simulated_seconds == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert got.training_flops == 0


def test_a_cost_without_fidelities_grows_in_proportion():
    made = objective(training_flops="flops")
    assert ask(made).training_flops == 1017
    assert ask(made, fidelity=3).training_flops == pytest.approx(1017 / 3)
    assert ask(made, fidelity=9, continued=3).training_flops == pytest.approx(1017 * 2 / 3)
    assert made.full_training_flops == pytest.approx(1000 + 143 / 2)


def test_a_drawn_seed_is_one_of_the_repeats_and_depends_on_the_trial_alone():
    made = objective(readings=(Reading("validation_error", seed="drawn"),))
    drawn = [ask(made, seed=seed).values["validation_error"] for seed in range(30)]
    assert set(drawn) == set(ERRORS[17, 2])
    assert drawn == [ask(made, seed=seed).values["validation_error"] for seed in range(30)]


def test_a_drawn_seed_is_one_that_the_row_has():
    errors = ERRORS.copy()
    errors[17, :, 1:] = np.nan
    column = Column(Metric("validation_error"), errors, ("fidelity", "seed"))
    made = TableObjective(
        table(columns={"validation_error": column}), key, (Reading("validation_error", "drawn"),)
    )
    for seed in range(5):
        assert ask(made, seed=seed).values["validation_error"] == errors[17, 2, 0]


def test_a_named_seed_and_several_are_observed():
    one = Reading("validation_error", seed=888, name="one")
    two = Reading("validation_error", seed=(777, 999), name="two")
    got = ask(objective(readings=(one, two))).values
    assert got["one"] == ERRORS[17, 2, 1]
    assert got["two"] == pytest.approx(ERRORS[17, 2, [0, 2]].mean(), rel=1e-12)


def test_what_was_not_measured_is_no_answer():
    errors = ERRORS.copy()
    errors[17, 0] = np.nan
    column = Column(Metric("validation_error"), errors, ("fidelity", "seed"))
    made = TableObjective(
        table(columns={"validation_error": column}), key, (Reading("validation_error"),)
    )
    assert math.isfinite(ask(made).values["validation_error"])
    with pytest.raises(TableError, match="row 17 was not measured at fidelity 1"):
        ask(made, fidelity=1)


def test_wrong_readings_are_refused_when_the_objective_is_made():
    with pytest.raises(UnknownName, match="did you mean test_error"):
        objective(readings=(Reading("tests_error"),))
    with pytest.raises(SettingError, match="different names"):
        objective(readings=(Reading("test_error"), Reading("test_error", seed=777)))


def test_a_missing_row_is_a_failed_record_with_its_reason():
    made = objective(table=table(), key=lambda c: -1 if c["x"] < 6 else key(c))
    records = run(made, budget=Budget(trials=30), max_failures=30).records
    failed = [record for record in records if record.status == "failed"]
    assert {record.configuration["x"] < 6 for record in failed} == {True}
    assert all(record.failure == "TableError: table toy/one has no row -1 among its 144."
               for record in failed)  # fmt: skip
    assert all(record.simulated_seconds == 0 for record in failed)
    assert len(failed) < len(records)


def test_a_study_is_charged_simulated_seconds_apart_from_real_ones():
    records = run(objective(), budget=Budget(evaluations=20)).records
    expected = 0.0
    for record in records:
        row = key(record.configuration)
        assert record.values["validation_error"] == pytest.approx(ERRORS[row, 2].mean())
        if record.duplicate_of is None:
            assert record.cost.simulated_seconds == pytest.approx(SECONDS[row, 2], rel=1e-12)
            expected += SECONDS[row, 2]
        real = record.ask_seconds + record.setup_seconds + record.evaluate_seconds
        assert record.cost.seconds == pytest.approx(real)
        assert record.cost.seconds < 1
    total = sum((record.cost for record in records), Cost())
    assert total.simulated_seconds == pytest.approx(expected, rel=1e-9)
    assert total.seconds < 10
    assert total.training_flops == 0


def test_a_budget_in_simulated_seconds_ends_a_study():
    records = run(objective(), budget=Budget(simulated_seconds=40)).records
    charged = [record.cost.simulated_seconds for record in records]
    assert sum(charged[:-1]) < 40 <= sum(charged)


def test_a_budget_in_real_seconds_is_not_reached_by_simulated_ones():
    records = run(objective(), budget=Budget(seconds=3600, evaluations=25)).records
    assert sum(record.cost.simulated_seconds for record in records) > 50
    assert sum(record.cost.evaluations for record in records) == 25


def test_halving_on_a_table_pays_each_epoch_once():
    made = objective()
    searcher = HalvingSearcher(RandomSearcher(SPACE), minimum=1, eta=3)
    records = run(made, searcher, budget=Budget(evaluations=30)).records
    promoted = [record for record in records if record.parent is not None]
    assert promoted
    for record in promoted:
        parent = next(other for other in records if other.number == record.parent)
        row = key(record.configuration)
        amount, before = record.fidelity or 9, parent.fidelity
        assert row == key(parent.configuration)
        assert record.cost.simulated_seconds == pytest.approx(
            SECONDS[row, EPOCHS.index(amount)] - SECONDS[row, EPOCHS.index(before)], rel=1e-9
        )


def test_a_study_goes_on_with_an_equal_table_and_not_with_another(tmp_path):
    storage = f"sqlite:///{tmp_path}/s.db"

    def go(made, trials):
        searcher, budget = RandomSearcher(SPACE), Budget(trials=trials)
        return Study(SPACE, made, searcher, budget=budget, seed=1, name="s").run(storage)

    go(objective(), 3)
    joined = {**table().columns, "latency_raspi4": Column(Metric("latency"), np.zeros(144))}
    assert len(go(objective(table=table(columns=joined)), 5).records) == 5
    other = Column(Metric("test_error", unit="%"), ERRORS + 2, ("fidelity", "seed"), "test")
    changed = table(columns={**table().columns, "test_error": other})
    with pytest.raises(StudyMismatch, match="digest"):
        go(objective(table=changed), 7)


def test_other_processes_get_only_what_answers_depend_on():
    wide = {f"latency_{i}": Column(Metric("latency"), np.zeros(144)) for i in range(99)}
    made = objective(table=table(columns={**table().columns, **wide}))
    made.table.row(3)  # what is worked out once is not sent either
    copy = pickle.loads(pickle.dumps(made))
    assert sorted(copy.table.columns) == ["test_error", "training_seconds", "validation_error"]
    assert ask(copy, 40, fidelity=3) == ask(made, 40, fidelity=3)
    assert copy.identity_json() == made.identity_json()
    assert len(made.table.columns) == 103


def test_the_name_says_what_is_searched_on():
    assert objective().name == "table:toy/one"
    assert objective(label="search on test").name == "table:toy/one (search on test)"
