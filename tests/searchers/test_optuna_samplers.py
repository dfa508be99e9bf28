"""CMA-ES, brute force, constraints, instances, and studies of the user's own."""

from __future__ import annotations

import dataclasses
import json
import pickle
import warnings

import ConfigSpace as cs
import optuna
import pytest

from automl_nas import configs, identity
from automl_nas.errors import (
    MissingPackage,
    SettingError,
    SpaceError,
    SpaceExhausted,
    UnsupportedConstraints,
    UnsupportedObjectives,
    UnsupportedSpace,
)
from automl_nas.searchers.from_optuna import OptunaSearcher
from automl_nas.testing import SearcherContract, cell_space, drive, nasty_space, strangers
from automl_nas.testing.process import plain
from automl_nas.types import Cache, Constraint, History, Metric

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))


def numeric_space():
    """Numbers, an ordinal, a condition and a forbidden pair."""
    space = cs.ConfigurationSpace()
    depth = cs.Integer("depth", (1, 4))
    width = cs.Integer("width", (8, 512), log=True)
    kernel = cs.Categorical("kernel", [3, 5, 7], ordered=True)
    rate, decay = cs.Float("rate", (1e-4, 1.0), log=True), cs.Float("decay", (0.0, 1.0))
    space.add(depth, width, kernel, rate, decay, cs.Constant("classes", 10))
    space.add(
        cs.GreaterThanCondition(decay, depth, 2),
        cs.ForbiddenAndConjunction(
            cs.ForbiddenEqualsClause(kernel, 7), cs.ForbiddenEqualsClause(depth, 1)
        ),
    )
    return space


def finite_space():
    """Nine legal configurations, a condition and a forbidden pair."""
    space = cs.ConfigurationSpace()
    a, b = cs.Categorical("a", ["x", "y", "z"]), cs.Integer("b", (1, 4))
    c = cs.Categorical("c", [1, 2], ordered=True)
    space.add(a, b, c)
    space.add(
        cs.EqualsCondition(b, a, "x"),
        cs.ForbiddenAndConjunction(
            cs.ForbiddenEqualsClause(a, "y"), cs.ForbiddenEqualsClause(c, 1)
        ),
    )
    return space


class TestCmaEs(SearcherContract):
    spaces = {"numeric": numeric_space}  # noqa: RUF012

    def make(self, space):
        return OptunaSearcher(space, "cmaes", {"popsize": 4})


class TestBruteForce(SearcherContract):
    spaces = {"finite": finite_space, "cell": cell_space}  # noqa: RUF012

    def make(self, space):
        return OptunaSearcher(space, "brute-force")


class TestInstance(SearcherContract):
    def make(self, space):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(n_startup_trials=4, gamma=lambda n: min(n, 3))
        return OptunaSearcher(space, sampler)


def test_cmaes_continues_its_generations_and_gets_better():
    space = numeric_space()
    history = drive(OptunaSearcher(space, "cmaes", {"popsize": 6}), space, ONE, 72, seed=0)
    system = [record.attrs.get("system", {}) for record in history.records]
    generations = [one["cma:generation"] for one in system if "cma:generation" in one]
    assert generations == sorted(generations)
    assert generations[-1] >= 6
    found = [history.losses(record)[0] for record in history.selectable()]
    assert min(found[-20:]) < min(found[:10])


def test_cmaes_says_what_it_cannot_do(monkeypatch):
    with pytest.raises(UnsupportedSpace, match="'norm' is categorical"):
        OptunaSearcher(nasty_space(), "cmaes")
    searcher = OptunaSearcher(numeric_space(), "cmaes")
    with pytest.raises(UnsupportedObjectives, match="one metric"):
        searcher.propose(History(searcher.space, TWO, 0), 0)
    limits = (Constraint("loss", at_most=1.0),)
    with pytest.raises(UnsupportedConstraints):
        searcher.propose(History(searcher.space, ONE, 0, constraints=limits), 0)
    assert searcher.packages == ("ConfigSpace", "optuna", "cmaes")
    monkeypatch.setitem(__import__("sys").modules, "cmaes", None)
    with pytest.raises(MissingPackage, match="pip install cmaes"):
        OptunaSearcher(numeric_space(), "cmaes")


def test_brute_force_measures_everything_once():
    space = finite_space()
    size = configs.count(space)
    history = drive(OptunaSearcher(space, "brute-force"), space, ONE, size + 5, seed=3)
    assert len(history.records) == size
    assert len({record.digest for record in history.records}) == size
    with pytest.raises(SpaceExhausted):
        OptunaSearcher(space, "brute-force").propose(history, size)
    with pytest.raises(UnsupportedSpace, match="'rate' is continuous"):
        OptunaSearcher(numeric_space(), "brute-force")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("tpe", {"n_startup_trials": 6}),
        ("nsga2", {"population_size": 6}),
        ("nsga3", {"population_size": 6}),
        pytest.param("gp", {"n_startup_trials": 6}, marks=pytest.mark.slow),
    ],
)
def test_constraints_make_feasible_proposals_more_frequent(name, settings):
    """The second metric pulls elsewhere than the first."""
    space, limits = cell_space(4, 3), (Constraint("accuracy", at_least=-0.5),)
    feasible = {}
    for constraints in ((), limits):
        found = 0
        for seed in range(1 if name == "gp" else 4):
            searcher = OptunaSearcher(space, name, settings)
            history = History(space, ONE, seed, constraints=constraints)
            found += count_feasible(searcher, history, 20 if name == "gp" else 40, limits)
        feasible[bool(constraints)] = found
    assert feasible[True] > feasible[False]


def count_feasible(searcher, history, n, limits):
    from automl_nas.testing import answer

    judged = dataclasses.replace(history, metrics=TWO)
    for number in range(n):
        proposal = searcher.propose(history, number)
        record = answer(judged, searcher.name, number, proposal)
        judged = dataclasses.replace(judged, records=(*judged.records, record))
        history = dataclasses.replace(history, records=judged.records)
    return sum(r.status == "complete" and r.feasible(limits) for r in history.records)


@pytest.mark.parametrize("name", ["random", "qmc", "brute-force"])
def test_samplers_that_learn_nothing_take_constraints(name):
    space = cell_space()
    limits = (Constraint("loss", at_most=1.0),)
    history = History(space, ONE, 0, constraints=limits)
    assert OptunaSearcher(space, name).propose(history, 0) is not None


def test_a_value_that_is_no_number_violates_and_teaches_nothing():
    space = cell_space()
    limits = (Constraint("accuracy", at_least=0.0),)
    history = History(space, ONE, 0, constraints=limits)
    records = [
        dataclasses.replace(r, values={**r.values, "accuracy": float("nan")})
        for r in strangers(history, 12)
    ]
    history = dataclasses.replace(history, records=tuple(records))
    assert OptunaSearcher(space, "nsga2").propose(history, 12) is not None


def test_an_instance_proposes_what_its_name_does_and_is_left_alone():
    space, own = cell_space(), optuna.samplers.TPESampler(n_startup_trials=4, seed=3)
    before = pickle.dumps(own)
    given = OptunaSearcher(space, own)
    assert given.name == "optuna:TPESampler"
    named = OptunaSearcher(space, "tpe", {"n_startup_trials": 4})
    made = drive(given, space, ONE, 14, 0)
    assert pickle.dumps(own) == before
    expected = drive(named, space, ONE, 14, 0)
    assert [r.digest for r in made.records] == [r.digest for r in expected.records]


def test_an_instance_that_has_seen_a_study_is_as_good_as_new():
    space = cell_space()
    own = optuna.samplers.GPSampler(n_startup_trials=2)
    study = optuna.create_study(sampler=own)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
    fresh = OptunaSearcher(space, optuna.samplers.GPSampler(n_startup_trials=2))
    used = OptunaSearcher(space, own)
    assert identity.describe(used) == identity.describe(fresh)
    history = History(space, ONE, 0)
    history = dataclasses.replace(history, records=tuple(strangers(history, 6)))
    other = dataclasses.replace(history, cache=Cache())
    assert plain(used.propose(history, 6)) == plain(fresh.propose(other, 6))


def instances():
    samplers = optuna.samplers
    yield samplers.TPESampler()
    yield samplers.TPESampler(n_startup_trials=5)
    yield samplers.TPESampler(gamma=lambda n: 3)
    yield samplers.TPESampler(gamma=lambda n: 4)
    yield samplers.NSGAIISampler()
    yield samplers.NSGAIISampler(crossover=samplers.nsgaii.SBXCrossover())
    yield samplers.NSGAIISampler(crossover=samplers.nsgaii.SBXCrossover(eta=3))
    yield samplers.NSGAIIISampler(population_size=7)
    yield samplers.QMCSampler(scramble=True)
    yield samplers.PartialFixedSampler({"edge0": "op1"}, samplers.RandomSampler())
    yield samplers.PartialFixedSampler({"edge0": "op2"}, samplers.RandomSampler())


@pytest.mark.filterwarnings("ignore")
def test_instances_are_told_apart_by_their_settings():
    space = cell_space()
    told = [json.dumps(identity.describe(OptunaSearcher(space, one))) for one in instances()]
    again = [json.dumps(identity.describe(OptunaSearcher(space, one))) for one in instances()]
    assert told == again
    assert len(set(told)) == len(told)


@pytest.mark.filterwarnings("ignore")
def test_fixed_parameters_stay_fixed():
    space = nasty_space()
    base = optuna.samplers.NSGAIISampler(population_size=4)
    fixed = optuna.samplers.PartialFixedSampler({"kernel": 5, "norm": None}, base)
    history = drive(OptunaSearcher(space, fixed), space, TWO, 16, 0)
    assert {record.configuration["kernel"] for record in history.records} == {5}
    assert {record.attrs["flat"]["norm"] for record in history.records} == {None}
    with pytest.raises(SettingError, match="kernel = 4"):
        OptunaSearcher(space, optuna.samplers.PartialFixedSampler({"kernel": 4}, base))


def test_a_grid_of_the_users_is_walked_once():
    space = cs.ConfigurationSpace()
    space.add(cs.Float("x", (0, 1)), cs.Categorical("k", ["s", "m", "l"], ordered=True))
    grid = optuna.samplers.GridSampler({"x": [0.0, 0.5], "k": ["s", "l"]})
    history = drive(OptunaSearcher(space, grid), space, ONE, 4, 0)
    found = {(r.configuration["x"], r.configuration["k"]) for r in history.records}
    assert found == {(0.0, "s"), (0.0, "l"), (0.5, "s"), (0.5, "l")}


class Own(optuna.samplers.RandomSampler):
    """A sampler of the user's."""


@pytest.mark.filterwarnings("ignore")
def test_an_instance_travels_and_takes_no_settings():
    space = cell_space()
    searcher = OptunaSearcher(space, optuna.samplers.NSGAIIISampler(population_size=4))
    searcher.propose(History(space, TWO, 0), 0)
    copied = pickle.loads(pickle.dumps(searcher))
    assert identity.describe(copied) == identity.describe(searcher)
    history = History(space, TWO, 1)
    assert plain(copied.propose(history, 3)) == plain(searcher.propose(history, 3))
    assert OptunaSearcher(space, Own()).name == "optuna:Own"
    with pytest.raises(SettingError, match="n_startup_trials"):
        OptunaSearcher(space, optuna.samplers.TPESampler(), {"n_startup_trials": 3})


def test_a_study_of_optunas_tells_space_and_sampler():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))

    def objective(trial):
        x = trial.suggest_float("x", 1e-3, 1.0, log=True)
        return (
            x + trial.suggest_int("n", 2, 8, step=2) + (trial.suggest_categorical("c", "ab") == "a")
        )

    study.optimize(objective, n_trials=5)
    searcher = OptunaSearcher.from_study(study)
    assert searcher.name == "optuna:RandomSampler"
    space = searcher.space
    assert list(space["n"].sequence) == [2, 4, 6, 8]
    assert (space["x"].lower, space["x"].upper, space["x"].log) == (1e-3, 1.0, True)
    assert set(space["c"].choices) == {"a", "b"}
    assert searcher.propose(History(space, ONE, 0), 5) is not None
    with pytest.raises(SpaceError, match="no complete trial"):
        OptunaSearcher.from_study(optuna.create_study())


def relations_space():
    space = cs.ConfigurationSpace()
    low, high = cs.Integer("low", (1, 8)), cs.Integer("high", (1, 8))
    mode, kind = cs.Categorical("mode", ["a", "b", "c"]), cs.Categorical("kind", ["u", "v"])
    rate, extra = cs.Float("rate", (1e-3, 1), log=True), cs.Float("extra", (0, 1))
    space.add(low, high, mode, kind, rate, extra, cs.Constant("fixed", "k"))
    space.add(
        cs.OrConjunction(cs.EqualsCondition(rate, mode, "a"), cs.InCondition(rate, kind, ["v"])),
        cs.GreaterThanCondition(extra, rate, 0.01),
        cs.ForbiddenGreaterThanRelation(low, high),
    )
    return space


@pytest.mark.parametrize("name", ["tpe", "nsga2", "nsga3", "qmc", "random"])
def test_conditions_and_relations_are_honoured(name):
    space = relations_space()
    settings = {"n_startup_trials": 5} if name == "tpe" else {}
    history = drive(OptunaSearcher(space, name, settings), space, ONE, 30, 0)
    assert len(history.records) == 30
    for record in history.records:
        values = configs.to_dict(record.configuration)
        assert configs.from_dict(space, values) == record.configuration
        assert values["low"] <= values["high"]
        assert ("rate" in values) == (values["mode"] == "a" or values["kind"] == "v")
        assert values["fixed"] == "k"
