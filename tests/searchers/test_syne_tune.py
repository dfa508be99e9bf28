import dataclasses
import subprocess
import sys
from typing import ClassVar

import ConfigSpace as cs
import numpy as np
import pytest

from automl_nas import configs, pareto, seeds
from automl_nas.errors import (
    MissingPackage,
    SettingError,
    UnknownName,
    UnsupportedConstraints,
    UnsupportedObjectives,
    UnsupportedSpace,
)
from automl_nas.searchers import syne_tune_engines
from automl_nas.searchers.from_syne_tune import SyneTuneSearcher
from automl_nas.searchers.syne_tune_engines import corrected_priority
from automl_nas.searchers.syne_tune_space import Coding
from automl_nas.testing import SearcherContract, cell_space, drive, nasty_space, tiny_space
from automl_nas.types import Constraint, History, Metric, Record

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))
SMALL = {"nasty": nasty_space, "tiny": tiny_space}
QUICK = {
    "random": {},
    "rea": {"population_size": 20},
    "mo-rea": {"population_size": 20},
    "tpe": {"num_candidates": 4, "num_min_data_points": 12, "random_fraction": 0.1},
    "bore": {"feval_acq": 10, "classifier": "logreg"},
    "cqr": {"n_estimators": 2},
    "botorch": {"num_restarts": 1, "num_raw_samples": 4},
    "ehvi": {"num_restarts": 1, "num_raw_samples": 4, "mc_samples": 8},
}


class TestRea(SearcherContract):
    def make(self, space):
        return SyneTuneSearcher(space, "rea", population_size=6, sample_size=3)


class TestMoRea(SearcherContract):
    metrics = TWO

    def make(self, space):
        return SyneTuneSearcher(space, "mo-rea", population_size=6, sample_size=3)


class TestMoReaShipped(SearcherContract):
    metrics = TWO

    def make(self, space):
        return SyneTuneSearcher(space, "mo-rea-shipped", population_size=6, sample_size=3)


class TestRandom(SearcherContract):
    metrics = TWO

    def make(self, space):
        return SyneTuneSearcher(space, "random")


class TestTpe(SearcherContract):
    def make(self, space):
        return SyneTuneSearcher(space, "tpe", settings=QUICK["tpe"])


@pytest.mark.slow
class TestBore(SearcherContract):
    spaces: ClassVar = SMALL
    budget = 12

    def make(self, space):
        return SyneTuneSearcher(space, "bore", settings={"feval_acq": 10, "init_random": 3})


@pytest.mark.slow
class TestCqr(SearcherContract):
    spaces: ClassVar = SMALL
    budget = 12

    def make(self, space):
        return SyneTuneSearcher(space, "cqr", settings={"n_estimators": 2})


@pytest.mark.slow
class TestBotorch(SearcherContract):
    spaces: ClassVar = SMALL
    budget = 7

    def make(self, space):
        settings = {"num_restarts": 1, "num_raw_samples": 4}
        return SyneTuneSearcher(space, "botorch", settings=settings)


@pytest.mark.slow
class TestEhvi(SearcherContract):
    metrics = TWO
    spaces: ClassVar = {"nasty": nasty_space}
    budget = 6

    def make(self, space):
        settings = {"num_restarts": 1, "num_raw_samples": 4, "mc_samples": 8}
        return SyneTuneSearcher(space, "ehvi", settings=settings)


def test_upstream_still_ranks_wrongly_and_ours_does_not():
    """When the shipped count falls to zero, Syne Tune is fixed and our correction can go."""
    from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import (
        NonDominatedPriority,
    )

    rng, shipped, ours = np.random.RandomState(0), 0, 0
    for _ in range(200):
        losses = rng.rand(20, 2)
        front = set(pareto.front(losses))
        shipped += int(np.argmin(NonDominatedPriority()(losses))) not in front
        ours += int(np.argmin(corrected_priority(losses))) not in front
    assert ours == 0
    assert shipped > 100


def test_corrected_priority_is_a_ranking_that_respects_dominance():
    losses = np.random.RandomState(1).rand(30, 3)
    priority = corrected_priority(losses)
    assert sorted(priority) == list(range(30))
    for better, worse in zip(*np.nonzero(pareto.dominates(losses)), strict=True):
        assert priority[better] < priority[worse]


def parents_on_the_front(method):
    """How often the parent is on the front of the population, with every member sampled."""
    space = cell_space()
    searcher = SyneTuneSearcher(space, method, population_size=8, sample_size=60)
    history = drive(searcher, space, TWO, 60, seed=0)
    hits = total = 0
    for number in range(20, len(history.records)):
        told = [record for record in history.records[:number] if record.selectable]
        population = told[-8:]
        front = pareto.front([history.losses(record) for record in population])
        child = history.records[number].configuration.get_array()
        gaps = [(child != r.configuration.get_array()).sum() for r in population]
        parents = [index for index, gap in enumerate(gaps) if gap == 1]
        total += 1
        hits += any(index in front for index in parents)
    return hits / total


def test_parents_are_on_the_front_only_with_corrected_ranks():
    assert parents_on_the_front("mo-rea") == 1.0
    assert parents_on_the_front("mo-rea-shipped") < 0.9


def drawn(space, metrics, n, seed=0):
    return drive(SyneTuneSearcher(space, "random"), space, metrics, n, seed)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("rea", {"population_size": 5, "sample_size": 3}),
        ("mo-rea-shipped", {"population_size": 5, "sample_size": 3}),
        ("tpe", {"num_min_data_points": 7, "random_fraction": 0.0, "num_candidates": 8}),
        ("bore", {"feval_acq": 20}),
        ("cqr", {"n_estimators": 3}),
    ],
)
def test_a_proposal_is_what_a_live_engine_suggests(method, settings):
    """Told one by one in Syne Tune's own way, and asked under the same generators."""
    space, metrics = cell_space(), TWO if method.startswith("mo") else ONE
    history = drawn(space, metrics, 40)
    searcher = SyneTuneSearcher(space, method, settings=settings)
    proposal = searcher.propose(history, 40)
    seed = seeds.derive("syne-tune", method, 0, 40, 0)
    coding = Coding(space, unit=method == "tpe")
    with syne_tune_engines.sealed(method, seed, settings):
        engine = syne_tune_engines.build(method, coding.domains, seed, settings)
        for record in history.selectable():
            losses = history.losses(record)
            metric = list(losses) if len(losses) > 1 else losses[0]
            encoded = coding.encode(configs.to_dict(record.configuration))
            engine.on_trial_complete(record.number, encoded, metric)
        expected = coding.decode(engine.suggest())
    assert configs.to_dict(proposal.configuration) == expected


def test_inactive_genes_are_kept():
    space = nasty_space()
    searcher = SyneTuneSearcher(space, "mo-rea", population_size=5, sample_size=2)
    for record in drive(searcher, space, TWO, 15, seed=0).records:
        assert set(record.attrs["flat"]) == set(space)
        assert configs.to_dict(record.configuration).items() <= record.attrs["flat"].items()


def test_importing_syne_tune_leaves_root_logging_alone():
    code = (
        "import logging; from automl_nas.testing import *; from automl_nas.types import Metric\n"
        "from automl_nas.searchers.from_syne_tune import SyneTuneSearcher as S\n"
        "s = S(cell_space(), 'rea', 2, 2)\n"
        "assert len(drive(s, cell_space(), (Metric('a'),), 5, 0).records) == 5\n"
        "assert logging.getLogger().handlers == [] and logging.getLogger().level == 30\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_cannot_be_expressed_is_refused():
    with pytest.raises(UnknownName, match="did you mean mo-rea"):
        SyneTuneSearcher(cell_space(), "morea")
    with pytest.raises(UnsupportedObjectives, match="one metric, got 2"):
        drive(SyneTuneSearcher(cell_space(), "rea"), cell_space(), TWO, 1, seed=0)
    with pytest.raises(ValueError, match="sample_size"):
        SyneTuneSearcher(cell_space(), sample_size=0)
    space = cs.ConfigurationSpace()
    space.add(cs.Constant("c", 1))
    with pytest.raises(UnsupportedSpace, match="two values"):
        SyneTuneSearcher(space)
    space.add(cs.Categorical("w", [1, 2], weights=[0.1, 0.9]))
    with pytest.raises(UnsupportedSpace, match="'w' has weights"):
        SyneTuneSearcher(space)


@pytest.mark.parametrize(
    ("method", "proposals"),
    [
        ("random", 500),
        ("rea", 500),
        ("mo-rea", 500),
        ("tpe", 30),
        ("bore", 8),
        pytest.param("cqr", 2, marks=pytest.mark.slow),
        pytest.param("botorch", 3, marks=pytest.mark.slow),
        pytest.param("ehvi", 2, marks=pytest.mark.slow),
    ],
)
def test_every_proposal_for_a_nasty_space_is_legal(method, proposals):
    """Legal is what ConfigSpace accepts; and it is the method that proposes, not the fallback."""
    space = nasty_space()
    history = drawn(space, TWO if method in ("mo-rea", "ehvi") else ONE, 45)
    searcher = SyneTuneSearcher(space, method, settings=QUICK[method])
    made = [searcher.propose(history, 45 + i) for i in range(proposals)]
    for proposal in made:
        assert "fallback" not in proposal.attrs
        values = configs.to_dict(proposal.configuration)
        assert configs.from_dict(space, values) == proposal.configuration
    digests = {configs.digest(proposal.configuration) for proposal in made}
    assert len(digests) >= min(proposals, 10) or method in ("botorch", "ehvi")


def bowl(method, n, settings, seed=0):
    """The median loss of the last ten of n proposals for a bowl in two numbers."""
    space = cs.ConfigurationSpace()
    space.add(cs.Float("x", (1e-4, 1.0), log=True), cs.Integer("k", (1, 64), log=True))
    searcher = SyneTuneSearcher(space, method, settings=settings)
    history = History(space, ONE, seed)
    for number in range(n):
        configuration = searcher.propose(history, number).configuration
        x, k = configuration.get_array()
        loss = float((x - 0.7) ** 2 + (k - 0.2) ** 2)
        record = Record(
            number, configuration, method, "complete", values={"loss": loss}, order=number
        )
        history = dataclasses.replace(history, records=[*history.records, record])
    return float(np.median([record.values["loss"] for record in history.records[-10:]]))


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("rea", {"population_size": 8, "sample_size": 8}),
        ("tpe", {"num_min_data_points": 3, "random_fraction": 0.0}),
        pytest.param("bore", {"feval_acq": 50}, marks=pytest.mark.slow),
        pytest.param("cqr", {"n_estimators": 10}, marks=pytest.mark.slow),
        pytest.param("botorch", {"num_restarts": 2}, marks=pytest.mark.slow),
    ],
)
def test_learning_beats_drawing(method, settings):
    assert bowl(method, 35, settings) < 0.5 * bowl("random", 35, {})


def test_ehvi_is_told_losses_whose_worst_front_corner_is_just_inside_the_reference():
    losses = [(5.0, 100.0), (6.0, 90.0), (9.0, 200.0)]
    moved = np.asarray(syne_tune_engines._shifted(losses))
    assert np.allclose(moved, [[-3.1, -2.1], [-2.1, -3.1], [0.9, 7.9]])
    assert np.isfinite(syne_tune_engines._shifted([(1.0, 1.0), (1.0, 1.0)])).all()
    assert syne_tune_engines._shifted([]) == []


@pytest.mark.parametrize("method", ["botorch", "ehvi"])
def test_pending_configurations_are_avoided(method):
    """The same generators, one trial under way at the very place: another proposal."""
    space = cs.ConfigurationSpace()
    space.add(cs.Float("x", (0.0, 1.0)), cs.Float("y", (0.0, 1.0)))
    metrics = TWO if method == "ehvi" else ONE
    history = drawn(space, metrics, 8)
    searcher = SyneTuneSearcher(space, method, settings=QUICK[method])
    first = searcher.propose(history, 8).configuration
    audit = Record(9, first, searcher.name, audit=True)
    same = dataclasses.replace(history, pending=[audit])
    assert searcher.propose(same, 8).configuration == first
    busy = dataclasses.replace(history, pending=[Record(9, first, searcher.name)])
    assert searcher.propose(busy, 8).configuration != first


def test_botorch_says_when_it_could_not_fit(monkeypatch):
    space = cell_space()
    history = drawn(space, ONE, 8)
    searcher = SyneTuneSearcher(space, "botorch", settings=QUICK["botorch"])
    from syne_tune.optimizer.schedulers.searchers.botorch import botorch_searcher

    def broken(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(botorch_searcher, "fit_gpytorch_mll", broken)
    assert searcher.propose(history, 8).attrs["fallback"] is True


def test_torch_is_left_as_it_was():
    import torch

    space, before = cell_space(), (torch.get_num_threads(), torch.get_default_dtype())
    history = drawn(space, TWO, 8)
    state = torch.get_rng_state()
    SyneTuneSearcher(space, "ehvi", settings=QUICK["ehvi"]).propose(history, 8)
    assert torch.equal(torch.get_rng_state(), state)
    assert (torch.get_num_threads(), torch.get_default_dtype()) == before


def test_metrics_that_a_method_cannot_take_are_refused_with_advice():
    space = cell_space()
    for method in ("rea", "tpe", "bore", "cqr", "botorch"):
        with pytest.raises(UnsupportedObjectives, match="mo-rea"):
            SyneTuneSearcher(space, method).propose(History(space, TWO, 0), 0)
    with pytest.raises(UnsupportedObjectives, match='"botorch"'):
        SyneTuneSearcher(space, "ehvi").propose(History(space, ONE, 0), 0)
    for method in ("random", "mo-rea"):
        for metrics in (ONE, TWO):
            SyneTuneSearcher(space, method).propose(History(space, metrics, 0), 0)


def test_constraints_are_refused_by_what_learns():
    space, limit = cell_space(), (Constraint("loss", at_most=1.0),)
    for method in sorted(set(SyneTuneSearcher.variants) - {"random"}):
        several = method.startswith(("ehvi", "moasha"))
        history = History(space, TWO if several else ONE, 0, constraints=limit)
        with pytest.raises(UnsupportedConstraints, match="loss"):
            SyneTuneSearcher(space, method).propose(history, 0)
    SyneTuneSearcher(space, "random").propose(History(space, ONE, 0, constraints=limit), 0)


@pytest.mark.parametrize(
    ("method", "settings", "error", "says"),
    [
        ("bore", {"feval_ack": 1}, UnknownName, "feval_acq"),
        ("bore", {"random_seed": 1}, UnknownName, "setting of syne-tune:bore"),
        ("cqr", {"update_frequency": 2}, UnknownName, "setting"),
        ("bore", {"acq_optimizer": "de"}, SettingError, "np.float"),
        ("bore", {"acq_optimizer": "no"}, SettingError, "refuses"),
        ("bore", {"classifier": "mlp"}, SettingError, "worst"),
        ("bore", {"classifier": "gp"}, SettingError, "'xgboost', 'rf' or 'logreg'"),
        ("bore", {"classifier_kwargs": {"a": 1}}, SettingError, "ignored"),
        ("botorch", {"input_warping": True}, SettingError, "Warp"),
        ("botorch", {"num_init_random": 1}, SettingError, "refuses"),
        ("tpe", {"num_min_data_points": 1}, SettingError, "must be >= 6"),
        ("asha", {"feval_acq": 1}, UnknownName, "grace_period|setting"),
    ],
)
def test_settings_are_checked_when_it_is_made(method, settings, error, says):
    with pytest.raises(error, match=says):
        SyneTuneSearcher(cell_space(), method, settings=settings)


def test_settings_reach_the_engine():
    space = cell_space()
    history = drawn(space, ONE, 4)
    few = SyneTuneSearcher(space, "rea", settings={"population_size": 2, "sample_size": 9})
    fields = SyneTuneSearcher(space, "rea", population_size=2, sample_size=9)
    usual = SyneTuneSearcher(space, "rea")
    assert few.propose(history, 4) == fields.propose(history, 4) != usual.propose(history, 4)
    with pytest.raises(UnknownName, match="population_size"):
        SyneTuneSearcher(space, "bore", population_size=5)


@pytest.mark.parametrize(
    ("method", "module"),
    [("botorch", "botorch"), ("ehvi", "botorch"), ("cqr", "huggingface_hub"), ("bore", "xgboost")],
)
def test_a_package_that_is_not_installed_is_named(method, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackage, match=f"{method} needs {module.replace('_', '-')}"):
        SyneTuneSearcher(cell_space(), method)


def test_upstream_evolution_of_differences_still_fails():
    """When this passes no more, acq_optimizer="de" can be allowed."""
    assert not hasattr(np, "float")
