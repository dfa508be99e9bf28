import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from automl_nas.oneshot.samplers import SAMPLERS
from automl_nas.types import Cache
from tests.oneshot import toy
from tests.searchers.gradient_runs import RECIPE, ROUNDS, plain_run, propose, searcher

OTHER_PROCESS = """
import json
from automl_nas.oneshot.samplers import SAMPLERS
from tests.searchers.gradient_runs import plain_run, searcher
print(json.dumps({name: plain_run(searcher(name)) for name in SAMPLERS}))
"""


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
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == json.loads(json.dumps(expected))


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
