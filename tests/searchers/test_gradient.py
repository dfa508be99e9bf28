import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float

from automl_nas import configs, seeds
from automl_nas.errors import UnknownName, UnsupportedSpace
from automl_nas.identity import describe
from automl_nas.oneshot.recipe import OneShotRecipe
from automl_nas.oneshot.samplers import SAMPLERS, Gdas, Uniform
from automl_nas.searchers.base import Searcher
from automl_nas.searchers.gradient import GradientSearcher
from automl_nas.types import Cache, History, Metric, Record
from tests.oneshot import toy

ROUNDS = 3
RECIPE = OneShotRecipe(epochs_per_round=2, batch_size=16, architecture_lr=0.05, lr=0.1)
OTHER_PROCESS = """
import json
from tests.searchers import test_gradient as t
print(json.dumps({name: t.plain_run(t.searcher(name)) for name in t.SAMPLERS}))
"""


def searcher(sampler="darts", **changes):
    made = GradientSearcher(
        toy.space(),
        toy.ToyRecipe(),
        sampler,
        data=toy.ToyImages(),
        rounds=ROUNDS,
        recipe=RECIPE,
        candidates=3,
    )
    return replace(made, **changes)


def history(own, cache=None, *, seed=1, made=None):
    """A history with `own` proposals of the searcher; what they were is of no importance."""
    made = made or searcher()
    configuration = made.space.get_default_configuration()
    records = [
        Record(i, configuration, made.name, "complete", values={"error": i}) for i in range(own)
    ]
    return History(made.space, (Metric("error"),), seed, records, cache=cache or Cache())


def plain(proposal):
    return [
        configs.to_dict(proposal.configuration),
        proposal.audit,
        proposal.training_flops,
        dict(proposal.attrs),
    ]


def propose(made, own, cache=None, **options):
    return plain(made.propose(history(own, cache, made=made, **options), own))


def plain_run(made, cache=None):
    cache = cache or Cache()
    return [propose(made, own, cache) for own in range(made.rounds)]


@pytest.fixture(scope="module")
def expected():
    return {name: plain_run(searcher(name)) for name in SAMPLERS}


def files(folder):
    return sorted(path for path in folder.rglob("*.pt"))


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


@pytest.mark.parametrize("name", SAMPLERS)
class TestExact:
    def test_cold_replays_everything(self, name, expected):
        assert [propose(searcher(name), own) for own in reversed(range(ROUNDS))] == [
            *reversed(expected[name])
        ]

    def test_from_files_alone(self, name, expected, tmp_path):
        for own in range(ROUNDS):
            assert propose(searcher(name), own, Cache(tmp_path)) == expected[name][own]
        assert len(files(tmp_path)) == 2

    def test_same_round_again_warm(self, name, expected, tmp_path):
        for cache in (Cache(), Cache(tmp_path)):
            for own in (0, 0, 1, 1, 0, 2, 1):
                assert propose(searcher(name), own, cache) == expected[name][own]

    def test_damaged_files(self, name, expected, tmp_path):
        plain_run(searcher(name, rounds=ROUNDS), Cache(tmp_path))
        for path in files(tmp_path):
            path.write_bytes(path.read_bytes()[:-3])
            assert propose(searcher(name), 2, Cache(tmp_path)) == expected[name][2]
        for path in files(tmp_path):
            path.write_bytes(b"not a checkpoint")
        assert propose(searcher(name), 2, Cache(tmp_path)) == expected[name][2]

    def test_files_of_another_seed_or_recipe(self, name, expected, tmp_path):
        other = replace(RECIPE, lr=0.2)
        propose(searcher(name, recipe=other), 1, Cache(tmp_path))
        assert propose(searcher(name), 2, Cache(tmp_path)) == expected[name][2]
        cache = Cache(tmp_path)
        propose(searcher(name), 1, cache, seed=2)
        assert propose(searcher(name), 2, cache) == expected[name][2]

    def test_interrupted_round_is_not_continued(self, name, expected, monkeypatch):
        cache, soft, calls = Cache(), toy.Toy.soft, []
        propose(searcher(name), 0, cache)

        def interrupted(network, x, mixture):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return soft(network, x, mixture)

        monkeypatch.setattr(toy.Toy, "soft", interrupted)
        with pytest.raises(KeyboardInterrupt):
            propose(searcher(name), 1, cache)
        monkeypatch.undo()
        assert propose(searcher(name), 1, cache) == expected[name][1]

    def test_globals_are_left_alone(self, name):
        before, threads = states(), torch.get_num_threads()
        propose(searcher(name, recipe=replace(RECIPE, threads=2)), 1)
        searcher(name).epoch_flops()
        assert states() == before
        assert torch.get_num_threads() == threads

    def test_caller_generators_do_not_matter(self, name, expected):
        state = torch.get_rng_state()
        torch.manual_seed(99)
        assert propose(searcher(name), 1) == expected[name][1]
        torch.set_rng_state(state)


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_other_process(expected, hash_seed):
    run = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == json.loads(json.dumps(expected))


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


def test_folder_may_vanish_between_rounds(expected, tmp_path):
    cache = Cache(tmp_path / "study")
    for own in range(ROUNDS):
        assert propose(searcher(), own, cache) == expected["darts"][own]
        shutil.rmtree(tmp_path / "study")


def test_a_memory_that_lags_behind_the_files(expected, tmp_path):
    """Another process went on; this one remembers round 0."""
    lagging = Cache(tmp_path)
    propose(searcher(), 0, lagging)
    propose(searcher(), 1, Cache(tmp_path))
    assert propose(searcher(), 2, lagging) == expected["darts"][2]


def test_import_needs_no_torch():
    code = "import sys, automl_nas.searchers.gradient; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
