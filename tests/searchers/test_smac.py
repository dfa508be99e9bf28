import dataclasses
import subprocess
import sys

import pytest

from automl_nas import configs
from automl_nas.errors import (
    SettingError,
    UnknownName,
    UnsupportedConstraints,
    UnsupportedObjectives,
)
from automl_nas.searchers.from_smac import SmacSearcher
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import SearcherContract, cell_space, drive
from automl_nas.types import Cache, Constraint, History, Metric

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))


@pytest.mark.slow
class TestSmac(SearcherContract):
    budget = 11

    def make(self, space):
        return SmacSearcher(space, "rf", initial=4, batch=4, challengers=50)


@pytest.mark.slow
class TestParego(SearcherContract):
    metrics = TWO
    budget = 11

    def make(self, space):
        return SmacSearcher(space, "parego", initial=4, batch=4, challengers=50)


def test_the_first_numbers_are_smacs_own_sobol_design():
    space = cell_space()
    history = drive(SmacSearcher(space, initial=5), space, ONE, 5, seed=0)
    assert len({configs.digest(r.configuration) for r in history.records}) == 5
    late = SmacSearcher(space, initial=5).propose(dataclasses.replace(history, records=[]), 3)
    assert late.configuration == history.records[3].configuration


def test_a_block_learns_only_from_records_below_it():
    space = cell_space()
    searcher = SmacSearcher(space, initial=4, batch=4, challengers=50)
    history = drive(searcher, space, ONE, 12, seed=0)
    known = [record for record in history.records if record.number < 8]
    alone = dataclasses.replace(history, records=known, cache=Cache())
    for number in range(8, 12):
        expected = history.records[number].configuration
        assert searcher.propose(alone, number).configuration == expected
    assert len({configs.digest(r.configuration) for r in history.records[4:]}) == 8


def test_failed_records_count_as_the_worst_loss():
    space = cell_space()
    searcher = SmacSearcher(space, challengers=50)
    history = drive(RandomSearcher(space), space, ONE, 20, seed=0)
    lessons = searcher._told(history, 20).lessons
    assert {losses is None for _, losses in lessons} == {True, False}
    told = {digest for digest, _ in lessons}
    for number in range(20, 24):
        proposal = searcher.propose(history, number)
        assert configs.digest(proposal.configuration) not in told


def test_what_was_told_is_remembered_only_while_the_same_records_are_there():
    space = cell_space()
    searcher = SmacSearcher(space)
    history = drive(RandomSearcher(space), space, ONE, 12, seed=0)
    told = searcher._told(history, 8)
    fewer = dataclasses.replace(history, records=history.records[:9])
    assert searcher._told(fewer, 8) == told
    assert searcher._told(history, 8) is searcher._told(history, 8)
    late = dataclasses.replace(history, records=[*history.records[:3], *history.records[4:]])
    without = searcher._told(late, 8)
    assert len(without.lessons) == 7
    back = dataclasses.replace(late, records=[*late.records, history.records[3]])
    assert searcher._told(back, 8) == told


def test_without_a_learnable_record_the_proposal_is_random_and_says_so():
    space = cell_space()
    history = drive(RandomSearcher(space), space, ONE, 10, seed=0)
    failed = [dataclasses.replace(r, status="failed", values={}) for r in history.records]
    broken = dataclasses.replace(history, records=failed)
    assert SmacSearcher(space).propose(broken, 10).attrs == {"fallback": True}


def test_the_cache_depends_on_everything_that_matters():
    space = cell_space()
    searcher = SmacSearcher(space, initial=4, batch=4, challengers=50)
    history = drive(searcher, space, ONE, 8, seed=0)
    first = searcher.propose(history, 8)
    better = dataclasses.replace(history.records[0], values={"loss": -100.0})
    changed = dataclasses.replace(history, records=[better, *history.records[1:]])
    cold = dataclasses.replace(changed, cache=Cache())
    assert searcher.propose(changed, 8) == searcher.propose(cold, 8)
    assert searcher.propose(history, 8) == first


def test_smac_is_silent_and_leaves_root_logging_alone(tmp_path):
    code = (
        "import logging; from automl_nas.testing import *; from automl_nas.types import Metric\n"
        "from automl_nas.searchers.from_smac import SmacSearcher\n"
        "s = SmacSearcher(tiny_space(), initial=2, batch=2, challengers=20)\n"
        "assert len(drive(s, tiny_space(), (Metric('a'),), 9, 0).records) < 9\n"
        "assert logging.getLogger().handlers == [] and logging.getLogger().level == 30\n"
    )
    path = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    command = [sys.executable, "-W", "default", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_done_is_refused():
    space = cell_space()
    with pytest.raises(UnknownName, match="parego"):
        SmacSearcher(space, "hyperband")
    with pytest.raises(UnknownName, match="sobol"):
        SmacSearcher(space, design="latin")
    with pytest.raises(SettingError, match="trees is no setting of smac:gp's model"):
        SmacSearcher(space, "gp", trees=5)
    with pytest.raises(SettingError, match="restarts is no setting of smac:ac's model"):
        SmacSearcher(space, "ac", restarts=5)
    with pytest.raises(SettingError, match="interleave must be between 0 and 1"):
        SmacSearcher(space, interleave=1.5)
    with pytest.raises(SettingError, match="xi must be between"):
        SmacSearcher(space, xi=-1.0)
    with pytest.raises(UnsupportedObjectives, match='facade="gp-parego"'):
        drive(SmacSearcher(space, "gp"), space, TWO, 1, seed=0)
    history = History(space, ONE, 0, constraints=(Constraint("size", at_most=1.0),))
    with pytest.raises(UnsupportedConstraints, match="smac:rf"):
        SmacSearcher(space).propose(history, 0)
    with pytest.raises(UnsupportedObjectives, match='facade="parego"'):
        drive(SmacSearcher(space), space, TWO, 1, seed=0)
    with pytest.raises(UnsupportedObjectives, match="two metrics or more, got 1"):
        drive(SmacSearcher(space, "parego"), space, ONE, 1, seed=0)
    with pytest.raises(ValueError, match="batch"):
        SmacSearcher(space, batch=0)
