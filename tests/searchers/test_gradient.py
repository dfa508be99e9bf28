import json
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float

from automl_nas import configs, seeds
from automl_nas.errors import UnknownName, UnsupportedSpace
from automl_nas.identity import describe
from automl_nas.oneshot import bilevel
from automl_nas.oneshot.samplers import SAMPLERS, Darts, Gdas, Uniform
from automl_nas.searchers.base import Searcher
from automl_nas.types import Record
from tests.oneshot import toy
from tests.searchers.gradient_runs import RECIPE, ROUNDS, history, plain_run, propose, searcher


@pytest.fixture(scope="module")
def expected():
    return {name: plain_run(searcher(name)) for name in SAMPLERS}


def test_seeds_differ():
    assert propose(searcher(), 0, seed=1) != propose(searcher(), 0, seed=2)


@pytest.mark.parametrize("name", SAMPLERS)
def test_ends_after_its_rounds(name, expected):
    made = searcher(name)
    assert isinstance(made, Searcher)
    assert made.name == f"gradient:{name}"
    assert [audit for _, audit, _, _ in expected[name]] == [True, True, False]
    assert [attrs["round"] for *_, attrs in expected[name]] == [0, 1, 2]
    assert made.propose(history(ROUNDS, made=made), ROUNDS) is None
    assert json.loads(json.dumps([attrs for *_, attrs in expected[name]])) == [
        attrs for *_, attrs in expected[name]
    ]


def test_pending_proposals_count_as_rounds():
    made = searcher()
    known = history(1, made=made)
    record = Record(1, made.space.get_default_configuration(), made.name)
    assert made.propose(replace(known, pending=[record]), 2).attrs["round"] == 2
    others = [Record(i, record.configuration, "random", "complete") for i in range(5)]
    assert made.propose(replace(known, records=others), 5).attrs["round"] == 0


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_round_of_one_epoch(name):
    proposal = searcher(name, rounds=1, recipe=replace(RECIPE, epochs_per_round=1)).propose(
        history(0), 0
    )
    assert not proposal.audit
    assert proposal.training_flops > 0
    assert proposal.setup_seconds > 0


@pytest.mark.parametrize("name", ["darts", "drnas", "gdas", "uniform"])
def test_finds_the_better_path(name):
    """`keep` on one edge at least keeps the label; both is best."""
    made = searcher(name, candidates=8, recipe=replace(RECIPE, epochs_per_round=10))
    *_, (configuration, audit, _, attrs) = plain_run(made)
    assert not audit
    if name == "uniform":
        assert "keep" in configuration.values()
        assert attrs["accuracy"] > 0.8
    else:
        assert configuration == {"left": "keep", "right": "keep"}
        assert set(attrs) == {"round", "entropy", "probability"}
        assert attrs["probability"]["left"] > 1 / 3


@pytest.mark.parametrize("name", ["darts", "drnas"])
def test_flops_by_hand(name, expected):
    """2 epochs x 4 steps x 3 passes x (16 + 16) images through all choices."""
    assert [flops for _, _, flops, _ in expected[name]] == [2 * 4 * 3 * 32 * 80] * ROUNDS
    assert searcher(name).epoch_flops() == 4 * 3 * 32 * 80


def test_ranking_paths_is_charged():
    """More candidates, more forward FLOPs, the same training."""
    one, many = searcher("uniform", candidates=1), searcher("uniform", candidates=2)
    rng = seeds.rng("gradient", one.name, 1, 0, "candidates")
    costs = []
    for _ in range(2):
        path = configs.to_dict(configs.sample(one.space, rng))
        costs.append(toy.HEAD + sum(toy.COST[toy.CHOICES.index(v)] for v in path.values()))
    first, second = propose(one, 0), propose(many, 0)
    assert second[2] - first[2] == 40 * costs[1]
    assert second[3]["candidates"] == 2


def test_conditions_hold():
    space = toy.space()
    extra = Categorical("extra", ["a", "b"])
    space.add(extra)
    space.add(EqualsCondition(extra, space["left"], "none"))
    for name in SAMPLERS:
        for configuration, *_ in plain_run(searcher(name, space=space)):
            assert ("extra" in configuration) == (configuration["left"] == "none")


def test_refuses_what_it_cannot_search():
    space = ConfigurationSpace()
    space.add(Float("momentum", (0.1, 0.9)))
    with pytest.raises(UnsupportedSpace, match=r"momentum.*outer study"):
        searcher(space=space)
    with pytest.raises(UnknownName, match="drnas"):
        searcher("drna")
    with pytest.raises(ValueError, match="rounds"):
        searcher(rounds=0)
    with pytest.raises(ValueError, match="candidates"):
        searcher(candidates=0)


@dataclass(frozen=True)
class Halves(Uniform):
    name: ClassVar[str] = "halves"


def test_own_sampler_and_other_settings():
    assert searcher(Halves()).name == "gradient:halves"
    assert plain_run(searcher(Halves()))[-1][1] is False
    slow, fast = searcher(Gdas(tau_first=1.0)), searcher("gdas")
    assert slow.name == fast.name
    assert json.dumps(describe(slow)) != json.dumps(describe(fast))
    assert propose(slow, 0)[3] != propose(fast, 0)[3]


@dataclass(frozen=True)
class Watched(Darts):
    name: ClassVar[str] = "watched"
    seen: ClassVar[list[float]] = []

    def draw(self, logits, progress):
        self.seen.append(progress)
        return super().draw(logits, progress)


@pytest.mark.parametrize("rounds", [1, 3])
def test_progress_runs_over_the_epochs_of_the_whole_run(rounds):
    Watched.seen.clear()
    plain_run(searcher(Watched(), rounds=rounds))
    epochs = 2 * rounds
    assert list(dict.fromkeys(Watched.seen)) == [epoch / (epochs - 1) for epoch in range(epochs)]
    assert len(Watched.seen) == epochs * 4 * 2 * len(toy.EDGES)


def test_progress_of_a_single_epoch_is_zero():
    Watched.seen.clear()
    plain_run(searcher(Watched(), rounds=1, recipe=replace(RECIPE, epochs_per_round=1)))
    assert set(Watched.seen) == {0.0}


def test_import_needs_no_torch():
    code = "import sys, automl_nas.searchers.gradient; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_ranking_costs_forward_passes_of_every_candidate_on_the_architecture_split():
    ranked = searcher("uniform")
    images = len(toy.ToyImages().load().architecture.labels)
    network = toy.ToyRecipe().build()
    forward = bilevel.expected_forward(network, toy.space(), Uniform())
    assert ranked.ranking_flops() == pytest.approx((ranked.candidates + 1) * images * forward)
    assert searcher("darts").ranking_flops() == 0
