"""Trials written in a few statements are the trials that Optuna writes."""

from __future__ import annotations

from collections import Counter

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy import event

from automl_nas import configs, seeds, storages, trials
from automl_nas.database import Database
from automl_nas.distributions import distribution
from automl_nas.testing.spaces import SPACES
from automl_nas.types import Record
from tests.postgres import postgres  # noqa: F401


def template(space, number):
    drawn = configs.sample(space, seeds.rng("template", number))
    record = Record(number=number, configuration=drawn, searcher="random", attrs={"a": [1, None]})
    known = {name: distribution(hyperparameter) for name, hyperparameter in space.items()}
    return trials.to_template(record, known, 3, {"token": str(number)})


def shown(trial):
    return (
        trial.number, trial.state, trial.params, trial.distributions, trial.user_attrs,
        trial.system_attrs, trial.values, trial.intermediate_values, trial.datetime_start,
    )  # fmt: skip


def check_same(urls, templates):
    """Both storages have the same trials afterwards."""
    found = []
    for kind, url in zip((RDBStorage, Database), urls, strict=True):
        storage = kind(url)
        study = storage.create_new_study([StudyDirection.MINIMIZE], "s")
        ids = [storage.create_new_trial(study, one) for one in templates]
        assert storage.set_trial_state_values(ids[0], TrialState.COMPLETE, [1.0])
        found.append([shown(storage.get_trial(i)) for i in ids])
        assert [t.number for t in storage.get_all_trials(study)] == list(range(len(templates)))
        storage.engine.dispose()
    assert found[0] == found[1]


@pytest.mark.parametrize("name", SPACES)
def test_a_trial_is_the_one_that_optuna_writes(tmp_path, name):
    space = SPACES[name]()
    templates = [template(space, i) for i in range(4)]
    templates[1].system_attrs = {"NSGAIISampler:generation": 2}
    templates[2] = optuna.trial.create_trial(value=1.0, intermediate_values={1: 0.5})
    templates[3].intermediate_values = {2: 0.5}
    check_same([f"sqlite:///{tmp_path}/{i}.db" for i in range(2)], templates)


@pytest.mark.slow
def test_postgresql_keeps_the_same(postgres):  # noqa: F811
    templates = [template(SPACES["nasty"](), i) for i in range(3)]
    storage = storages.open_storage(postgres.url)
    study = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    ids = [storage.create_new_trial(study, one) for one in templates]
    kept = [storage.get_trial(i) for i in ids]
    storage.engine.dispose()
    assert [t.number for t in kept] == [0, 1, 2]
    assert [(t.params, t.user_attrs) for t in kept] == [(t.params, t.user_attrs) for t in templates]


def test_a_trial_takes_few_statements(tmp_path):
    storage, counts = storages.open_storage(f"sqlite:///{tmp_path}/s.db"), Counter()
    study = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    one = template(SPACES["cell"](20), 0)
    event.listen(
        storage.engine, "before_cursor_execute", lambda *given: counts.update(given[2].split()[:1])
    )
    storage.create_new_trial(study, one)
    storage.engine.dispose()
    assert counts["INSERT"] == 3
    assert counts["SELECT"] <= 3
