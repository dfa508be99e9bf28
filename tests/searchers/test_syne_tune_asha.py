import dataclasses

import numpy as np
import pytest

from automl_nas import configs
from automl_nas.errors import SettingError, UnsupportedObjectives
from automl_nas.searchers import syne_tune_asha, syne_tune_engines
from automl_nas.searchers.from_syne_tune import SyneTuneSearcher
from automl_nas.searchers.syne_tune_space import Coding
from automl_nas.testing import cell_space, losses, nasty_space
from automl_nas.types import Cache, Fidelity, History, Metric, Record

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))
METHODS = {
    "asha": {},
    "asha-bore": {"feval_acq": 5, "classifier": "logreg"},
    "asha-cqr": {"n_estimators": 1, "quantiles": 3},
    "bohb": {"num_candidates": 2, "num_min_data_points": 12},
    "moasha": {},
    "moasha-shipped": {"brackets": 2},
}


def evaluated(history, number, proposal, searcher):
    """Cheaper measurements are noisier; every seventh fails."""
    failed = number % 7 == 6
    values = losses(proposal.configuration, history.metrics)
    shift = 0.3 / (proposal.fidelity or history.fidelity.full)
    return Record(
        number=number,
        configuration=proposal.configuration,
        searcher=searcher.name,
        status="failed" if failed else "complete",
        fidelity=proposal.fidelity,
        parent=proposal.parent,
        attrs=proposal.attrs,
        values={} if failed else {k: v + shift for k, v in values.items()},
        order=len(history.records),
    )


def run(searcher, space, metrics, n, full=27, *, warm=True):
    history = History(space, metrics, 5, fidelity=Fidelity("epochs", full))
    for number in range(n):
        proposal = searcher.propose(history, number)
        record = evaluated(history, number, proposal, searcher)
        cache = history.cache if warm else Cache()
        records = [*history.records, record]
        history = dataclasses.replace(history, records=records, cache=cache)
    return history


def trace(history):
    return [
        (configs.to_dict(r.configuration), r.fidelity, r.parent, r.attrs) for r in history.records
    ]


SLOW = ("asha-cqr", "bohb")


@pytest.mark.parametrize(
    "method", [pytest.param(m, marks=pytest.mark.slow) if m in SLOW else m for m in METHODS]
)
def test_halving_is_a_function_of_the_record(method):
    """With the scheduler kept, and rebuilt from the record for every proposal: the same run."""
    space, metrics = nasty_space(), TWO if method.startswith("moasha") else ONE
    searcher = SyneTuneSearcher(space, method, settings=METHODS[method])
    n = 12 if method in ("asha-bore", "asha-cqr") else 60
    state = np.random.get_state()[1].tolist()  # noqa: NPY002 - the global state is watched
    first = run(searcher, space, metrics, n)
    assert trace(first) == trace(run(searcher, space, metrics, n, warm=False))
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


@pytest.mark.parametrize("method", ["asha", "moasha", "moasha-shipped"])
def test_trials_climb_the_rungs_one_by_one_and_are_not_forked(method):
    space, metrics = cell_space(), TWO if method.startswith("moasha") else ONE
    history = run(SyneTuneSearcher(space, method), space, metrics, 150)
    below = {None: 9, 9: 3, 3: 1}
    parents = [r.parent for r in history.records if r.parent is not None]
    assert len(parents) == len(set(parents))
    for record in history.records:
        assert record.fidelity in (None, 9, 3, 1)
        if record.parent is None:
            assert record.fidelity == 1
            continue
        parent = history.records[record.parent]
        assert parent.status == "complete"
        assert parent.fidelity == below[record.fidelity]
        assert parent.configuration == record.configuration
    amounts = [record.fidelity for record in history.records]
    assert amounts.count(1) > amounts.count(3) > amounts.count(9) > 0


@pytest.mark.parametrize("method", ["asha", "moasha-shipped"])
def test_decisions_are_those_of_a_live_scheduler(method):
    """The shipped scheduler, told as a tuner tells it, lets go on exactly what went on here."""
    from syne_tune.backend.trial_status import Trial
    from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving
    from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA

    space, metrics = cell_space(), TWO if method.startswith("moasha") else ONE
    history = run(SyneTuneSearcher(space, method), space, metrics, 120)
    coding = Coding(space)
    common = {"time_attr": "t", "max_t": 27}
    if method == "asha":
        live = AsynchronousSuccessiveHalving(coding.domains, metric="0", **common)
    else:
        live = MOASHA(coding.domains, metrics=["0", "1"], **common)
    trials, continued = {}, {record.parent for record in history.records}
    for record in history.records:
        trial = trials.get(record.parent)
        if trial is None:
            encoded = coding.encode(configs.to_dict(record.configuration))
            trial = Trial(record.number, encoded, None)
            live.on_trial_add(trial)
        trials[record.number] = trial
        if record.status == "failed":
            assert record.number not in continued
            continue
        result = {str(i): loss for i, loss in enumerate(history.losses(record))}
        decision = live.on_trial_result(trial, {**result, "t": record.fidelity or 27})
        if record.number < 110:
            assert (decision == "CONTINUE") == (record.number in continued)


def test_a_trial_under_way_is_not_continued_twice():
    space = cell_space()
    searcher = SyneTuneSearcher(space, "asha")
    history = run(searcher, space, ONE, 1)
    proposal = searcher.propose(history, 1)
    assert (proposal.parent, proposal.fidelity) == (0, 3)
    pending = [Record(1, proposal.configuration, searcher.name, fidelity=3, parent=0)]
    other = searcher.propose(dataclasses.replace(history, pending=pending), 2)
    assert (other.parent, other.fidelity) == (None, 1)


def test_the_rung_that_the_float_logarithm_loses_decides_nothing():
    """243 and factor 3: five rungs instead of six, and the sixth is the full amount."""
    space = cell_space()
    history = run(SyneTuneSearcher(space, "asha"), space, ONE, 40, full=243)
    assert {record.fidelity for record in history.records} == {1, 3, 9, 27, 81, None}


def test_halving_needs_a_fidelity_and_its_number_of_metrics():
    space = cell_space()
    with pytest.raises(SettingError, match="no fidelity"):
        SyneTuneSearcher(space, "asha").propose(History(space, ONE, 0), 0)
    small = History(space, ONE, 0, fidelity=Fidelity("epochs", 3))
    with pytest.raises(SettingError, match="grace_period must be <= max_t"):
        SyneTuneSearcher(space, "asha", settings={"grace_period": 9}).propose(small, 0)
    with pytest.raises(UnsupportedObjectives, match="moasha"):
        SyneTuneSearcher(space, "bohb").propose(History(space, TWO, 0), 0)
    with pytest.raises(UnsupportedObjectives, match='"asha"'):
        SyneTuneSearcher(space, "moasha").propose(small, 0)


def test_every_halving_method_has_an_engine():
    assert set(syne_tune_asha.INNER.values()) <= set(syne_tune_engines.KINDS)
