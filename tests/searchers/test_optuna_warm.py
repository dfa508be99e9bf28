"""Warm and cold are one: what is kept between asks never changes a proposal."""

from __future__ import annotations

import dataclasses
import json
import random

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_nas.searchers.from_optuna import OptunaSearcher
from automl_nas.testing import answer, cell_space, nasty_space, strangers
from automl_nas.testing.process import plain
from automl_nas.types import Cache, Constraint, History, Metric, Proposal, Record

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))
SAMPLERS = {
    "tpe": (ONE, {"n_startup_trials": 4}),
    "tpe two": (TWO, {"n_startup_trials": 4}),
    "nsga2": (TWO, {"population_size": 4}),
    "nsga3": (TWO, {"population_size": 4}),
    "qmc": (ONE, {}),
    "random": (ONE, {}),
}


class Run:
    """A study with trials abreast: some fail, and they end in another order than they began."""

    def __init__(self, searcher, metrics, seed, constraints=(), start=0):
        self.searcher, self.random = searcher, random.Random(seed)
        self.history = History(searcher.space, metrics, seed, constraints=constraints)
        self.history = dataclasses.replace(
            self.history, records=tuple(strangers(self.history, start))
        )
        self.number, self.cache = start, Cache()

    def turn(self):
        """Asks warm and cold, opens the trial, and ends some of the open ones."""
        cold = dataclasses.replace(self.history, cache=Cache())
        warm = dataclasses.replace(self.history, cache=self.cache)
        proposal = self.searcher.propose(warm, self.number)
        assert plain(proposal) == plain(self.searcher.propose(cold, self.number))
        opened = self.record(proposal)
        self.number += 1
        pending = [*self.history.pending, opened]
        self.history = dataclasses.replace(self.history, pending=tuple(pending))
        while self.history.pending and (
            len(self.history.pending) > 3 or self.random.random() < 0.6
        ):
            self.end(self.random.choice(self.history.pending))

    def record(self, proposal):
        attrs = json.loads(json.dumps(dict(proposal.attrs)))
        return Record(self.number, proposal.configuration, self.searcher.name, attrs=attrs)

    def end(self, record):
        told = Proposal(record.configuration, attrs=record.attrs)
        done = answer(self.history, record.searcher, record.number, told)
        done = dataclasses.replace(done, order=len(self.history.records))
        pending = [other for other in self.history.pending if other is not record]
        self.history = dataclasses.replace(
            self.history, records=(*self.history.records, done), pending=tuple(pending)
        )


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("make", [cell_space, nasty_space])
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**31 - 2), start=st.integers(0, 9))
def test_warm_equals_cold_whatever_happens(name, make, seed, start):
    metrics, chosen = SAMPLERS[name]
    run = Run(OptunaSearcher(make(), name.split()[0], chosen), metrics, seed, start=start)
    for _ in range(16):
        run.turn()


@pytest.mark.parametrize("limits", [(), (Constraint("loss", at_most=0.8),)])
@pytest.mark.parametrize("metrics", [ONE, TWO])
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**31 - 2), start=st.integers(0, 9))
def test_warm_equals_cold_for_gp(metrics, limits, seed, start):
    """With kernels handed on from ask to ask."""
    sampler = optuna.samplers.GPSampler(n_startup_trials=3)
    sampler._n_preliminary_samples, sampler._n_local_search = 32, 2
    sampler._n_qmc_samples_ehvi = 4
    run = Run(OptunaSearcher(cell_space(), sampler), metrics, seed, limits, start)
    for _ in range(9):
        run.turn()
    assert any("gp_kernels" in record.attrs for record in run.history.records)


@pytest.mark.parametrize("name", ["tpe", "nsga2", "nsga3"])
def test_warm_equals_cold_with_constraints(name):
    limits = (Constraint("loss", at_most=0.8), Constraint("accuracy", at_least=-0.9))
    _, chosen = SAMPLERS[name]
    run = Run(OptunaSearcher(nasty_space(), name, chosen), TWO, 5, limits)
    for _ in range(20):
        run.turn()


def test_a_late_trial_changes_the_parents_of_later_generations():
    """Open since generation 0, complete in generation 2."""
    searcher = OptunaSearcher(cell_space(), "nsga2", {"population_size": 3})
    run = Run(searcher, TWO, 1)
    run.turn()
    late = Record(99, run.history.space.sample_configuration(), searcher.name)
    for _ in range(14):
        run.turn()
    done = answer(run.history, searcher.name, 0, Proposal(late.configuration))
    late = dataclasses.replace(done, number=99)
    run.history = dataclasses.replace(run.history, records=(*run.history.records, late))
    run.number = 100
    for _ in range(6):
        run.turn()


def test_other_values_under_the_same_numbers_never_meet_the_cache():
    space, cache = cell_space(), Cache()
    searcher = OptunaSearcher(space, "tpe", {"n_startup_trials": 2})
    first = Run(searcher, ONE, 1)
    for _ in range(12):
        first.turn()
    other = dataclasses.replace(
        first.history,
        records=tuple(
            dataclasses.replace(r, values={"loss": -r.values["loss"]} if r.values else {})
            for r in first.history.records
        ),
    )
    for history in (first.history, other, first.history):
        cold = searcher.propose(dataclasses.replace(history, cache=Cache()), 50)
        warm = searcher.propose(dataclasses.replace(history, cache=cache), 50)
        assert plain(warm) == plain(cold)


def test_a_trial_is_built_once_for_each_record(monkeypatch):
    from automl_nas.searchers.optuna_known import Trials

    built: list[int] = []
    original = Trials.of
    monkeypatch.setattr(Trials, "of", lambda self, r: built.append(r.number) or original(self, r))
    searcher = OptunaSearcher(cell_space(), "tpe")
    history = History(searcher.space, ONE, 0)
    history = dataclasses.replace(history, records=tuple(strangers(history, 20)))
    for number in (20, 21, 22):
        searcher.propose(history, number)
    learnable = [r.number for r in history.records if r.fidelity is None and not r.audit]
    assert built == learnable
