import dataclasses

import pytest

from automl_nas import configs, pareto
from automl_nas.searchers.local import LocalSearcher
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import SearcherContract, cell_space, drive
from automl_nas.types import History, Metric

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))


class TestLocalSearcher(SearcherContract):
    def make(self, space):
        return LocalSearcher(space, initial=5)


class TestLocalSearcherWithTwoMetrics(TestLocalSearcher):
    metrics = TWO


def digests(records):
    return {configs.digest(record.configuration) for record in records}


def best(history, records):
    return min((r for r in records if r.selectable), key=lambda r: history.losses(r)[0])


def test_every_neighbour_of_the_centre_is_measured_before_a_restart():
    space = cell_space(4, 3)
    history = drive(LocalSearcher(space, initial=3), space, ONE, 70, seed=2)
    restarts = [r.number for r in history.records if r.attrs.get("restart")]
    assert restarts
    begin = 0
    for restart in restarts:
        centre = best(history, history.records[begin:restart])
        around = configs.neighbours(centre.configuration, configs.Generator(0))
        measured = digests(history.records[:restart])
        assert {configs.digest(neighbour) for neighbour in around} <= measured
        begin = restart


def test_moves_on_at_the_first_improvement():
    space = cell_space()
    history = drive(LocalSearcher(space, initial=3), space, ONE, 60, seed=0)
    begin = 0
    for record in history.records[3:]:
        if record.attrs.get("restart"):
            begin = record.number
        elif "centre" in record.attrs:
            since = history.records[begin : record.number]
            assert record.attrs["centre"] == best(history, since).number
            centre = history.records[record.attrs["centre"]].configuration.get_array()
            assert (centre != record.configuration.get_array()).sum() == 1


def test_nothing_is_measured_twice_after_the_initial_records():
    space = cell_space(4, 3)
    history = drive(LocalSearcher(space, initial=1), space, ONE, 70, seed=4)
    assert len(digests(history.records)) == 70


def test_records_of_others_are_centres_too():
    space = cell_space()
    others = drive(RandomSearcher(space), space, ONE, 12, seed=0)
    proposal = LocalSearcher(space, initial=10).propose(others, 12)
    assert proposal.attrs == {"centre": best(others, others.records).number}


def test_with_two_metrics_centres_are_on_the_front():
    space = cell_space()
    history = drive(LocalSearcher(space, initial=3), space, TWO, 60, seed=0)
    begin, centres = 0, set()
    for record in history.records:
        if record.attrs.get("restart"):
            begin = record.number
        elif "centre" in record.attrs:
            since = [r for r in history.records[begin : record.number] if r.selectable]
            front = pareto.front([history.losses(r) for r in since])
            assert record.attrs["centre"] in {since[i].number for i in front}
            centres.add(record.attrs["centre"])
    assert len(centres) > 1


def test_a_restart_that_failed_is_followed_by_another():
    space = cell_space()
    others = drive(RandomSearcher(space), space, ONE, 12, seed=0)
    failed = dataclasses.replace(
        others.records[-1], searcher="local-search", attrs={"restart": True}, status="failed"
    )
    history = History(space, ONE, 0, [*others.records[:-1], failed])
    assert LocalSearcher(space).propose(history, 12).attrs == {"restart": True}


def test_settings_are_checked():
    with pytest.raises(ValueError, match="initial"):
        LocalSearcher(cell_space(), initial=0)
