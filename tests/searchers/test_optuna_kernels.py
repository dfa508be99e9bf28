"""The kernels at which GPSampler's fit begins travel with the record."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import optuna
import pytest
from optuna.samplers._gp import sampler as module

from automl_nas.searchers import optuna_kernels as kernels
from automl_nas.searchers.from_optuna import OptunaSearcher
from automl_nas.searchers.optuna_known import Trials
from automl_nas.testing import answer, cell_space, drive
from automl_nas.types import Constraint, History, Metric, Record

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))
EAGER = {"n_startup_trials": 4}


def quick(made=optuna.samplers.GPSampler, **settings):
    """A sampler that fits as usual and looks at few proposals."""
    sampler = made(**{**EAGER, **settings})
    sampler._n_preliminary_samples, sampler._n_local_search = 32, 2
    sampler._n_qmc_samples_ehvi = 4
    return sampler


def gp_history(metrics=ONE, trials=6, constraints=(), **settings):
    searcher = OptunaSearcher(cell_space(), quick(**settings))
    history = History(searcher.space, metrics, 3, constraints=constraints)
    for number in range(trials):
        done = answer(history, searcher.name, number, searcher.propose(history, number))
        done = dataclasses.replace(done, attrs=json.loads(json.dumps(dict(done.attrs))))
        history = dataclasses.replace(history, records=(*history.records, done))
    return searcher, history


def starts_of(searcher, history, number, monkeypatch):
    """Where each fit of the ask began: a row, or None for Optuna's default."""
    begun = []
    fit = module.gp.fit_kernel_params

    def watched(*args, gpr_cache, **settings):
        begun.append(None if gpr_cache is None else [
            *gpr_cache.inverse_squared_lengthscales.tolist(),
            gpr_cache.kernel_scale.item(),
            gpr_cache.noise_var.item(),
        ])  # fmt: skip
        return fit(*args, gpr_cache=gpr_cache, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(module.gp, "fit_kernel_params", watched)
        searcher.propose(history, number)
    return begun


def rows_of(record):
    noted = record.attrs[kernels.KEY]
    return [*noted["metrics"], *noted["constraints"]]


def noted(record, number, rows, status="complete"):
    attrs = {**record.attrs, kernels.KEY: rows}
    return dataclasses.replace(record, number=number, attrs=attrs, status=status)


@pytest.mark.parametrize("metrics", [ONE, TWO])
@pytest.mark.parametrize("constraints", [(), (Constraint("loss", at_most=0.8),)])
def test_a_fit_begins_where_the_last_one_ended(metrics, constraints, monkeypatch):
    searcher, history = gp_history(metrics, constraints=constraints)
    assert all(kernels.KEY not in record.attrs for record in history.records[:4])
    rows = rows_of(history.records[-1])
    assert len(rows) == len(metrics) + len(constraints)
    assert {len(row) for row in rows} == {len(history.space) + 2}
    assert starts_of(searcher, history, 6, monkeypatch) == rows


def test_the_first_fit_begins_at_the_default(monkeypatch):
    searcher, history = gp_history(trials=4)
    assert starts_of(searcher, history, 4, monkeypatch) == [None]


def test_starts_are_those_of_a_long_lived_sampler(monkeypatch):
    """The same trials told to both, whatever either proposes; six digits are kept."""
    searcher, history = gp_history(trials=4)
    study = optuna.create_study(sampler=quick(seed=0))
    trials, nowhere = Trials(searcher._recipe, ONE, ()), [0.0] * len(history.space)
    monkeypatch.setattr(study._storage, "set_trial_system_attr", lambda *_: None)
    monkeypatch.setattr(study.sampler, "_optimize_acqf", lambda *_: np.array(nowhere))
    for number in range(4, 9):
        for told in history.records[len(study.trials) :]:
            study.add_trial(trials.of(told))
        trial = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
        space = study.sampler.infer_relative_search_space(study, trial)
        study.sampler.sample_relative(study, trial, space)
        done = answer(history, searcher.name, number, searcher.propose(history, number))
        history = dataclasses.replace(history, records=(*history.records, done))
        theirs = study.sampler._gprs_cache_list[0]
        expected = [
            *theirs.inverse_squared_lengthscales.tolist(),
            theirs.kernel_scale.item(),
            theirs.noise_var.item(),
        ]
        assert rows_of(done)[0] == pytest.approx(expected, rel=1e-3)


def test_the_highest_number_counts_finished_or_not(monkeypatch):
    searcher, history = gp_history()
    last, length = history.records[-1], len(history.space) + 2
    rows = [{"metrics": [[0.5 + i] * length], "constraints": []} for i in range(3)]
    records = (*history.records, noted(last, 9, rows[0]), noted(last, 8, rows[1]))
    history = dataclasses.replace(history, records=records)
    assert starts_of(searcher, history, 12, monkeypatch) == rows[0]["metrics"]
    open_one = Record(11, last.configuration, searcher.name, attrs={kernels.KEY: rows[2]})
    history = dataclasses.replace(history, pending=(open_one,))
    assert starts_of(searcher, history, 12, monkeypatch) == rows[2]["metrics"]


@pytest.mark.parametrize(
    "rows",
    [
        {"metrics": [[1.0] * 3], "constraints": []},
        {"metrics": [], "constraints": []},
        {"metrics": [[1.0] * 8] * 2, "constraints": []},
        {"metrics": [[1.0] * 8], "constraints": [[1.0] * 8]},
    ],
)
def test_kernels_of_another_problem_are_passed_over(rows, monkeypatch):
    searcher, history = gp_history()
    assert len(history.space) + 2 == 8
    history = dataclasses.replace(
        history, records=(*history.records, noted(history.records[-1], 9, rows))
    )
    assert starts_of(searcher, history, 10, monkeypatch) == [None]


@pytest.mark.filterwarnings("ignore:Argument ``deterministic")
def test_noise_that_was_not_fitted_is_not_handed_on():
    _, history = gp_history(deterministic_objective=True)
    assert rows_of(history.records[-1])[0][-1] == 1.0


class Elsewhere(optuna.samplers.GPSampler):
    """Fits in its own way, as far as anyone knows."""

    def _sample_relative_impl(self, *args):
        assert self._gprs_cache_list is None
        return super()._sample_relative_impl(*args)


def test_a_sampler_that_fits_in_its_own_way_is_left_alone():
    space = cell_space()
    history = drive(OptunaSearcher(space, quick(Elsewhere)), space, ONE, 7, seed=0)
    assert all(kernels.KEY not in record.attrs for record in history.records)


@pytest.mark.filterwarnings("ignore:PartialFixed")
def test_fixed_parameters_have_no_lengthscale(monkeypatch):
    space = cell_space()
    fixed = optuna.samplers.PartialFixedSampler({"edge0": space["edge0"].choices[1]}, quick())
    searcher = OptunaSearcher(space, fixed)
    history = drive(searcher, space, ONE, 6, seed=0)
    assert len(rows_of(history.records[-1])[0]) == len(space) - 1 + 2
    assert starts_of(searcher, history, 6, monkeypatch) == rows_of(history.records[-1])
