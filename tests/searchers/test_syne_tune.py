import subprocess
import sys

import ConfigSpace as cs
import numpy as np
import pytest

from automl_nas import configs, pareto
from automl_nas.errors import UnknownName, UnsupportedObjectives, UnsupportedSpace
from automl_nas.searchers.from_syne_tune import SyneTuneSearcher
from automl_nas.searchers.syne_tune_engines import corrected_priority
from automl_nas.testing import SearcherContract, cell_space, drive, nasty_space
from automl_nas.types import Metric

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))


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


def test_replaying_the_youngest_records_equals_a_live_engine():
    from syne_tune.optimizer.schedulers.searchers.regularized_evolution import (
        RegularizedEvolution,
    )

    from automl_nas import seeds
    from automl_nas.searchers import engines, from_syne_tune

    space = cell_space()
    searcher = SyneTuneSearcher(space, "rea", population_size=5, sample_size=3)
    history = drive(searcher, space, ONE, 30, seed=0)
    seed = seeds.derive("syne-tune", "rea", 0, 30, 0)
    with engines.contained(seed, "syne_tune"):
        engine = RegularizedEvolution(
            from_syne_tune._domains(space), population_size=5, sample_size=3, random_seed=seed
        )
        for record in history.selectable():
            values = configs.to_dict(record.configuration)
            genes = from_syne_tune._encode(space, values)
            engine.on_trial_complete(record.number, genes, history.losses(record)[0])
        expected = from_syne_tune._decode(space, engine.suggest())
    assert configs.to_dict(searcher.propose(history, 30).configuration) == expected


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
