"""Evaluations on Dask workers: the same records, exact resume, deaths, limits."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections import Counter

import pytest
from ConfigSpace import ConfigurationSpace

from automl_nas import Budget, Metric, Study, configs, load
from automl_nas.errors import MeasurementError, SettingError, TooManyFailures
from automl_nas.searchers import EvolutionSearcher, RandomSearcher

SPACE = ConfigurationSpace({"x": (0.0, 1.0), "y": [1, 2, 3]})


def loss(configuration):
    return configuration["x"] * configuration["y"]


def slowly(configuration):
    """The better, the longer: trials finish in another order than they began."""
    time.sleep(0.3 * (1 - configuration["x"]))
    return loss(configuration)


def few(configuration):
    time.sleep(0.05)
    return configuration["a"]


def deadly(marks, configuration):
    """Above 0.8 it kills its worker always, from 0.6 to 0.8 the first time only."""
    x = configuration["x"]
    mark = marks / f"{x}"
    if x > 0.8 or (x > 0.6 and not mark.exists()):
        mark.touch()
        os._exit(1)
    return loss(configuration)


def endless(configuration):
    if configuration["x"] > 0.7:
        time.sleep(600)
    return loss(configuration)


def hungry(configuration):
    kept = bytearray(2**30) if configuration["x"] > 0.8 else b""
    time.sleep(1.0)
    return loss(configuration) + 0 * len(kept)


def broken(configuration):
    if configuration["y"] == 1:
        raise RuntimeError("no data")
    return float("nan")


def leaving(configuration):
    raise SystemExit(3)


def wrong(configuration):
    return {"other": 1.0}


def study(objective=loss, searcher=None, **settings):
    settings = {"budget": Budget(evaluations=20), **settings}
    searcher = searcher or EvolutionSearcher(SPACE, population_size=6, sample_size=3)
    optimize = [Metric("error")]
    return Study(SPACE, objective, searcher, optimize=optimize, name="s", **settings)


def shown(ran):
    return [
        (r.number, r.order, configs.to_dict(r.configuration), r.values, r.attrs, r.status,
         r.duplicate_of, r.cost.evaluations)
        for r in ran.records
    ]  # fmt: skip


@pytest.fixture(scope="module")
def client():
    from automl_nas.dask_executor import local_cluster

    with local_cluster(3, None) as client:
        yield client


@pytest.mark.slow
def test_one_worker_and_none_give_the_same_records(client):
    here, there = study().run(), study().run(client=client, workers=1)
    assert shown(here) == shown(there)
    assert here.stopped == there.stopped == "budget: evaluations"


@pytest.mark.slow
def test_the_budget_counts_what_is_under_way(client):
    seen = []
    ran = study(slowly).run(client=client, callbacks=[lambda s, r: seen.append(r.number)])
    assert sum(record.cost.evaluations for record in ran.records) == 20
    assert seen == [record.number for record in ran.records] != sorted(seen)
    assert [record.order for record in ran.records] == list(range(len(ran.records)))


@pytest.mark.slow
def test_a_duplicate_of_a_trial_under_way_waits_for_it(client):
    space = ConfigurationSpace({"a": [1, 2, 3, 4]})
    ran = Study(
        space, few, RandomSearcher(space), budget=Budget(trials=300), optimize=[Metric("e")]
    ).run(client=client)
    assert "all 4 configurations" in ran.stopped
    assert Counter(r.digest for r in ran.records if r.cost.evaluations) == Counter(
        {record.digest: 1 for record in ran.records}
    )


@pytest.mark.slow
def test_deterministic_runs_agree_whoever_finishes_first(client, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    expected = shown(study(loss).run(client=client, workers=3, deterministic=True))
    assert shown(study(slowly).run(client=client, workers=3, deterministic=True)) == expected
    assert [record[0] for record in expected] == [record[1] for record in expected]
    for stop in (4, 9, 100):  # what was under way is evaluated again
        ran = study(loss)
        with contextlib.suppress(KeyboardInterrupt):
            ran.run(url, client=client, workers=3, deterministic=True, callbacks=[stop_after(stop)])
    assert shown(ran) == expected
    assert shown(load(url)[0]) == expected


def stop_after(count):
    seen = []

    def stop(_study, record):
        seen.append(record)
        if len(seen) >= count:
            raise KeyboardInterrupt

    return stop


@pytest.mark.slow
def test_a_trial_whose_worker_dies_is_tried_once_more(client, tmp_path):
    ran = study(
        functools.partial(deadly, tmp_path),
        RandomSearcher(SPACE),
        budget=Budget(evaluations=9),
        seed=1,
    ).run(client=client)
    places = {r.number: r.configuration["x"] for r in ran.records}
    assert sorted(places) == list(range(len(places)))
    for record in ran.records:
        x = record.configuration["x"]
        assert record.interrupted == (2 if x > 0.8 else 1 if x > 0.6 else 0)
        assert record.failure.startswith("WorkerDied") is (x > 0.8)
    assert any(x > 0.8 for x in places.values())
    assert any(0.6 < x <= 0.8 for x in places.values())


@pytest.mark.slow
def test_a_time_limit_ends_an_evaluation(client):
    ran = study(endless, RandomSearcher(SPACE), budget=Budget(evaluations=6), seed=1).run(
        client=client, time_limit=0.5
    )
    late = [record for record in ran.records if record.configuration["x"] > 0.7]
    assert late
    assert {record.failure for record in late} == {"TimeLimit: more than 0.5 s"}
    assert all(record.status == "complete" for record in ran.records if record not in late)


@pytest.mark.slow
def test_a_worker_that_outgrows_its_memory_is_a_failed_record():
    ran = study(hungry, RandomSearcher(SPACE), budget=Budget(evaluations=5), seed=1).run(
        workers=2, memory_limit="700MiB"
    )
    failed = {r.number for r in ran.records if r.failure.startswith("WorkerDied")}
    assert failed == {r.number for r in ran.records if r.configuration["x"] > 0.8} != set()


@pytest.mark.slow
def test_failures_stop_it_with_a_summary(client):
    with pytest.raises(TooManyFailures, match=r"(?s)in a row failed:.* x error = nan .* x Runtime"):
        study(broken, RandomSearcher(SPACE), max_failures=12).run(client=client)
    with pytest.raises(MeasurementError, match="expected the metrics error"):
        study(wrong).run(client=client)
    for settings in ({}, {"client": client}, {"client": client, "time_limit": 9.0}):
        with pytest.raises(TooManyFailures, match="2 x SystemExit: 3"):
            study(leaving, max_failures=2).run(**settings)


def test_settings_that_do_not_go_together(tmp_path):
    for settings in (
        {"workers": 0},
        {"time_limit": 0},
        {"resources": {"GPU": 1}},
        {"deterministic": True, "shared": True, "workers": 2},
    ):
        with pytest.raises(SettingError):
            study().run(**settings)
