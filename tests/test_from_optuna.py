"""Going on with a study that somebody began with Optuna alone."""

from __future__ import annotations

import math

import optuna
import pytest
from ConfigSpace import ConfigurationSpace
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from automl_nas import Budget, Study, load
from automl_nas.errors import SpaceError, StorageError, StudyError
from automl_nas.searchers import RandomSearcher


def theirs(trial):
    x = trial.suggest_float("x", -5.0, 5.0)
    step = trial.suggest_float("step", 0.0, 1.0, step=0.25)
    depth = trial.suggest_int("depth", 1, 9)
    if trial.number == 3:
        raise ValueError("by accident")
    return (x - 1) ** 2 + step + (depth - 4) ** 2


def ours(configuration):
    return theirs(optuna.trial.FixedTrial(dict(configuration), number=99))


def begun(storage=None, trials=12, **settings):
    sampler = optuna.samplers.TPESampler(n_startup_trials=5, seed=0)
    study = optuna.create_study(storage=storage, study_name="t", sampler=sampler, **settings)
    study.optimize(theirs, n_trials=trials, catch=ValueError)
    return study


def proposals(study):
    return [(r.number, dict(r.configuration), r.values) for r in study.records]


def test_its_trials_are_the_first_records_and_stay_as_they_are(tmp_path):
    url = f"sqlite:///{tmp_path}/theirs.db"
    study = begun(url)
    before = study.trials
    ran = Study.from_optuna(study, ours, budget=Budget(evaluations=8), seed=1).run()
    assert [r.number for r in ran.records] == list(range(20))
    assert [r.searcher for r in ran.records] == ["optuna"] * 12 + ["optuna:TPESampler"] * 8
    assert ran.records[3].status == "failed"
    assert [r.cost.evaluations for r in ran.records] == [0] * 12 + [1] * 8
    assert ran.best.values["value"] == min(
        trial.value for trial in optuna.load_study(study_name="t", storage=url).trials[:20]
        if trial.value is not None
    )  # fmt: skip
    again = optuna.load_study(study_name="t", storage=url)
    assert again.trials[:12] == before
    assert all(trial.distributions == before[0].distributions for trial in again.trials)
    again.optimize(theirs, n_trials=2)  # Optuna goes on with it too
    (stored,) = load(url)
    assert stored.best.number == ran.best.number
    assert len(stored.records) == 20


def test_a_killed_continuation_goes_on_exactly(tmp_path):
    whole, url = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    expected = Study.from_optuna(begun(whole), ours, budget=Budget(evaluations=8)).run()
    study = begun(url)
    with pytest.raises(KeyboardInterrupt):
        Study.from_optuna(study, ours, budget=Budget(evaluations=8)).run(callbacks=[stop_at_15])
    ran = Study.from_optuna(study, ours, budget=Budget(evaluations=8)).run()
    assert proposals(ran) == proposals(expected)


def stop_at_15(_study, record):
    if record.number == 15:
        raise KeyboardInterrupt


def test_memory_journals_other_searchers_and_several_metrics(tmp_path):
    study = begun()
    ran = Study.from_optuna(study, ours, budget=Budget(evaluations=3)).run()
    assert len(ran.records) == len(study.trials) == 15
    journal = JournalStorage(JournalFileBackend(str(tmp_path / "j.log")))
    study = begun(journal, directions=["maximize"])
    space = ConfigurationSpace({"x": (-9.0, 9.0), "step": [0.0, 0.25, 0.5, 0.75, 1.0]})
    space.add(ConfigurationSpace({"depth": (1, 20)})["depth"])
    ran = Study.from_optuna(
        study, ours, budget=Budget(evaluations=3), space=space, searcher=RandomSearcher(space)
    ).run()
    assert ran.optimize[0].goal == "max"
    assert len(load(f"journal:{tmp_path}/j.log")[0].records) == 15


def test_a_space_that_does_not_hold_its_trials_is_refused():
    space = ConfigurationSpace({"x": (-5.0, 5.0), "step": (0.0, 1.0), "depth": (1, 2)})
    with pytest.raises(StudyError, match="is no configuration of the given space"):
        Study.from_optuna(begun(), ours, budget=Budget(trials=1), space=space).run()
    with pytest.raises(SpaceError, match="no complete trial"):
        Study.from_optuna(optuna.create_study(), ours, budget=Budget(trials=1))


def test_without_it_a_study_of_somebody_else_is_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/theirs.db"
    space = Study.from_optuna(begun(url), ours, budget=Budget(trials=1)).space
    with pytest.raises(StorageError, match="did not write"):
        Study(
            space, ours, RandomSearcher(space), budget=Budget(trials=1), name="t",
            optimize=["value"],
        ).run(url)  # fmt: skip
    assert not math.isnan(optuna.load_study(study_name="t", storage=url).best_value)
