"""The loop: budgets, duplicates, failures, audits, resume, identity, own loops."""

from __future__ import annotations

import json
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import optuna
import pytest
from ConfigSpace import ConfigurationSpace

from automl_nas import (
    Budget,
    Fidelity,
    Measurement,
    Metric,
    Proposal,
    Study,
    configs,
    load,
    seeds,
)
from automl_nas.errors import (
    MeasurementError,
    SettingError,
    SpaceError,
    StorageError,
    StudyBusy,
    StudyError,
    StudyMismatch,
    TooManyFailures,
    UnknownName,
    UnsupportedSpace,
)
from automl_nas.searchers import RandomSearcher


def error(configuration) -> float:
    return configuration["width"] / 64 + configuration.get("momentum", 0.5)


def size_and_error(configuration) -> dict[str, float]:
    return {"error": error(configuration), "accuracy": 1 - error(configuration)}


ERROR = (Metric("error"),)


def study(space, objective=error, *, budget=None, optimize=ERROR, **settings) -> Study:
    searcher = settings.pop("searcher", None) or RandomSearcher(space)
    budget = budget or Budget(evaluations=10)
    return Study(space, objective, searcher, budget=budget, optimize=optimize, **settings)


@dataclass(frozen=True)
class Scripted:
    """Proposes what it is told, then has finished."""

    space: ConfigurationSpace
    script: tuple = ()
    name: ClassVar[str] = "scripted"
    packages: ClassVar[tuple[str, ...]] = ()

    def propose(self, history, number):
        own = history.own(self.name)
        return self.script[own] if own < len(self.script) else None


@dataclass(frozen=True)
class Flops:
    """An objective with training FLOPs: one equivalent is 100."""

    metrics: tuple[Metric, ...] = (Metric("error"), Metric("test_error"))
    fidelity: ClassVar[Fidelity] = Fidelity("epochs", 8)
    full_training_flops: float | None = 100.0
    packages: tuple[str, ...] = ()
    name: str = "flops"

    def __call__(self, configuration, fidelity, trial):
        values = {"error": error(configuration), "test_error": 2 * error(configuration)}
        return Measurement(values, training_flops=100.0 * (fidelity or 8) / 8)


def some(space, count, seed=0):
    return [configs.sample(space, seeds.rng("test", seed, i)) for i in range(count)]


def essence(records):
    """Everything of a record that is not a measured second."""
    return [
        (
            *(r.number, configs.to_dict(r.configuration), r.status, dict(r.values), r.order),
            *(r.audit, r.cost.evaluations, r.cost.training_flops, r.duplicate_of, dict(r.attrs)),
        )
        for r in records
    ]


def test_a_plain_function_is_minimised(space):
    ran = study(space).run()
    assert len(ran.records) == 10
    assert ran.stopped == "budget: evaluations"
    assert ran.best.values["error"] == min(error(r.configuration) for r in ran.records)


def test_a_maximised_metric_keeps_its_direction_outside(space):
    metrics = [Metric("accuracy", "max")]
    ran = study(space, lambda c: {"accuracy": 1 - error(c)}, optimize=metrics).run()
    assert ran.best.values["accuracy"] == max(1 - error(r.configuration) for r in ran.records)


def test_the_function_takes_as_many_arguments_as_it_names(space):
    seen = []
    study(space, lambda c, f, trial: seen.append((f, trial.number)) or 1.0).run()
    assert seen == [(None, number) for number in range(10)]


def test_optional_parameters_called_fidelity_and_trial_are_filled(space):
    seen = []

    def function(configuration, rate=0.1, fidelity=-1, *, trial=None):
        seen.append((rate, fidelity, trial.number))
        return 1.0

    study(space, function, budget=Budget(trials=2)).run()
    assert seen == [(0.1, None, 0), (0.1, None, 1)]


@pytest.mark.parametrize(
    ("budget", "reason", "count"),
    [
        (Budget(trials=4, evaluations=9), "budget: trials", 4),
        (Budget(trials=9, evaluations=4), "budget: evaluations", 4),
        (Budget(equivalents=3.5, trials=9), "budget: equivalents", 4),
        (Budget(seconds=1e-9), "budget: seconds", 1),
    ],
)
def test_the_first_limit_stops(space, budget, reason, count):
    ran = study(space, Flops(), budget=budget, optimize=()).run()
    assert (ran.stopped, len(ran.records)) == (reason, count)


def test_simulated_seconds_are_a_budget_of_their_own(space):
    def slow(configuration):
        return Measurement({"error": 1.0}, simulated_seconds=100.0)

    ran = study(space, slow, budget=Budget(simulated_seconds=250)).run()
    assert len(ran.records) == 3
    assert sum(r.cost.seconds for r in ran.records) < 10


@pytest.mark.parametrize("budget", [Budget(simulated_seconds=9), Budget(equivalents=9)])
def test_a_budget_that_nothing_is_charged_to_would_never_end(space, budget):
    @dataclass(frozen=True)
    class Free(Flops):
        def __call__(self, configuration, fidelity, trial):
            return {"error": 1.0, "test_error": 1.0}

    endless = study(space, Free(), budget=budget, optimize=())
    with pytest.raises(StudyError, match="would never end"):
        endless.run()
    assert len(endless.records) == 1


def test_a_budget_needs_a_positive_limit():
    with pytest.raises(SettingError, match="needs a limit"):
        Budget()
    with pytest.raises(SettingError, match="positive"):
        Budget(trials=0)


def test_duplicates_are_answered_from_the_ledger_and_charged_nothing(space):
    calls = []
    a, b = some(space, 2)
    script = tuple(map(Proposal, (a, b, a, a)))
    ran = study(space, lambda c: calls.append(c) or 1.0, searcher=Scripted(space, script)).run()
    assert len(calls) == 2
    assert [r.duplicate_of for r in ran.records] == [None, None, 0, 0]
    assert [r.cost.evaluations for r in ran.records] == [1, 1, 0, 0]
    assert ran.stopped == "scripted is finished"


def test_an_audit_is_not_charged_but_the_final_answer_is(space):
    a, b = some(space, 2)
    script = (
        Proposal(b, audit=True, training_flops=10.0),
        Proposal(a, audit=True, training_flops=10.0),
        Proposal(a, training_flops=10.0),
    )
    ran = study(space, Flops(), searcher=Scripted(space, script), optimize=()).run()
    assert [r.cost.training_flops for r in ran.records] == [10.0, 10.0, 110.0]
    assert [r.cost.evaluations for r in ran.records] == [0, 0, 1]
    assert ran.records[2].duplicate_of == 1
    assert ran.best.number == 2
    assert [answer.number for answer in ran.results().answers()] == [0, 1, 2]


def test_the_current_audit_is_the_answer_not_the_best_one(space):
    good, bad = sorted(some(space, 2), key=error)
    script = (Proposal(good, audit=True), Proposal(bad, audit=True))
    ran = study(space, searcher=Scripted(space, script)).run()
    assert ran.best.configuration == bad


def test_a_searcher_stuck_on_known_configurations_is_nudged(space):
    (a,) = some(space, 1)
    script = (Proposal(a),) * 14
    ran = study(space, searcher=Scripted(space, script), budget=Budget(trials=14)).run()
    nudged = [r.number for r in ran.records if r.attrs.get("nudged")]
    assert nudged == [11]
    assert ran.records[11].duplicate_of is None


def test_lower_fidelities_are_recorded_but_never_best(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    a, b = some(space, 2)
    script = (Proposal(a, fidelity=2), Proposal(a, fidelity=8), Proposal(b, fidelity=2))
    ran = study(space, Flops(), searcher=Scripted(space, script), optimize=(), name="s").run(url)
    assert [r.fidelity for r in ran.records] == [2, None, 2]
    assert [r.cost.training_flops for r in ran.records] == [25.0, 100.0, 25.0]
    shown = optuna.load_study(study_name="s", storage=url)
    assert [t.state.name for t in shown.trials] == ["PRUNED", "COMPLETE", "PRUNED"]
    assert shown.best_trial.number == 1
    assert shown.trials[0].intermediate_values == {2: error(a)}


def test_failures_are_records_and_the_study_goes_on(space):
    def fragile(configuration):
        if configuration["optimizer"] == "adam":
            raise RuntimeError("out of cheese")
        return float("nan") if configuration["width"] > 16 else 1.0

    ran = study(space, fragile, budget=Budget(trials=30), max_failures=30).run()
    reasons = {r.failure for r in ran.records}
    assert reasons == {"", "RuntimeError: out of cheese", "error = nan is not finite"}
    assert {r.status for r in ran.records if r.failure} == {"failed"}


def test_failing_again_and_again_stops_the_study_and_keeps_the_records(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"

    def broken(configuration):
        raise RuntimeError("no data")

    with pytest.raises(TooManyFailures, match="no data"):
        study(space, broken, max_failures=3).run(url)
    (stored,) = load(url)
    assert stored.failures == 3


@pytest.mark.parametrize("returned", [{"loss": 1.0}, {}, {"error": "low"}, {"error": None}])
def test_wrong_metrics_are_an_error_and_a_failed_record(space, returned):
    wrong = study(space, lambda c: returned)
    with pytest.raises(MeasurementError, match="error"):
        wrong.run()
    assert [r.status for r in wrong.records] == ["failed"]


def test_initial_configurations_come_first(space):
    initial = some(space, 3, seed=9)
    ran = study(space, initial=initial).run()
    assert [r.configuration for r in ran.records[:3]] == initial


def test_callbacks_see_every_record(space):
    seen = []
    study(space).run(callbacks=[lambda s, record: seen.append(record.order)])
    assert seen == list(range(10))


def test_an_own_loop_by_ask_and_tell(space, tmp_path):
    url, own = f"sqlite:///{tmp_path}/s.db", study(space, budget=Budget(trials=3))
    with own.open(url):
        while (record := own.ask()) is not None:
            own.tell(record, {"error": error(record.configuration)}, seconds=1.0)
    again = study(space, budget=Budget(trials=3)).run(url)
    assert essence(own.records) == essence(again.records)
    assert [r.evaluate_seconds for r in again.records] == [1.0] * 3


def test_records_are_in_order_of_completion(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    own = study(space, budget=Budget(trials=2))
    with own.open(url):
        first, second = own.ask(), own.ask()
        own.tell(second, 1.0)
        own.tell(first, 2.0)
        assert [record.number for record in own.history().records] == [1, 0]
    (stored,) = load(url)
    assert [(record.number, record.order) for record in stored.records] == [(1, 0), (0, 1)]


def test_a_continued_trial_knows_its_parents_folder(space, tmp_path):
    folders = []
    a, b = some(space, 2)
    script = (Proposal(a), Proposal(b, parent=0))

    def function(configuration, fidelity, trial):
        folders.append((trial.folder, trial.parent_folder))
        return 1.0

    study(space, function, searcher=Scripted(space, script)).run(f"sqlite:///{tmp_path}/s.db")
    assert folders[0][1] is None
    assert folders[1][1] == folders[0][0]


def test_asking_a_closed_study_is_an_error(space):
    with pytest.raises(StudyError, match="not open"):
        study(space).ask()


@pytest.mark.parametrize("scheme", ["sqlite:///{}/s.db", "journal:{}/s.log"])
def test_a_finished_study_costs_nothing_and_a_raised_budget_goes_on(space, tmp_path, scheme):
    url = scheme.format(tmp_path)
    first = study(space).run(url)
    again = study(space, lambda c: pytest.fail("evaluated")).searcher
    calls = []
    counted = lambda c: calls.append(c) or error(c)  # noqa: E731
    counted.__qualname__ = error.__qualname__
    counted.__name__ = error.__name__
    same = study(space, counted, searcher=again).run(url)
    assert calls == []
    assert essence(same.records) == essence(first.records)
    more = study(space, counted, budget=Budget(evaluations=15)).run(url)
    whole = study(space, budget=Budget(evaluations=15)).run()
    assert len(calls) == 5
    assert essence(more.records) == essence(whole.records)


@pytest.mark.slow
def test_a_killed_study_goes_on_exactly(tmp_path):
    script = tmp_path / "user.py"
    script.write_text(
        textwrap.dedent("""
        import os, signal, sys
        from ConfigSpace import ConfigurationSpace
        from automl_nas import Budget, Metric, Study
        from automl_nas.searchers import EvolutionSearcher

        space = ConfigurationSpace({"a": ["x", "y", "z"], "b": (1, 50), "c": (0.0, 1.0)})
        calls = 0

        def error(configuration):
            global calls
            calls += 1
            if calls == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            return configuration["b"] * configuration["c"]

        searcher = EvolutionSearcher(space, population_size=5, sample_size=2)
        Study(space, error, searcher, budget=Budget(evaluations=20), optimize=[Metric("error")],
              name="s").run(sys.argv[1])
        """)
    )

    def run(url, kill_at):
        return subprocess.run([sys.executable, script, url, str(kill_at)], check=False).returncode

    url, whole = f"sqlite:///{tmp_path}/killed.db", f"sqlite:///{tmp_path}/whole.db"
    assert [run(url, 1), run(url, 7), run(url, 5), run(url, 0)] == [-signal.SIGKILL] * 3 + [0]
    assert run(whole, 0) == 0
    (killed,), (uninterrupted,) = load(url), load(whole)
    assert essence(killed.records) == essence(uninterrupted.records)
    shown = optuna.load_study(study_name="s", storage=url)
    assert [t.user_attrs.get("interrupted", 0) for t in shown.trials[:8]] == [
        1,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
    ]


def test_a_changed_study_is_refused_with_the_difference(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    study(space, name="s").run(url)
    other = ConfigurationSpace({"width": (4, 64)})
    with pytest.raises(
        StudyMismatch, match=r"space\.hyperparameters\.momentum: only stored: "
    ) as caught:
        study(other, name="s").run(url)
    assert "space.hyperparameters.width.log" in caught.value.differences
    with pytest.raises(StudyMismatch, match=r"seed: stored 0, given 1"):
        study(space, name="s", seed=1).run(url)
    with pytest.raises(StudyMismatch, match=r"optimize\.error\.goal: stored 'min', given 'max'"):
        study(space, name="s", optimize=[Metric("error", "max")]).run(url)


def test_an_accepted_change_goes_on(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    study(space, name="s").run(url)
    ran = study(space, name="s", seed=1, budget=Budget(trials=12)).run(url, accept=["seed"])
    assert len(ran.records) == 12
    assert study(space, name="s", seed=1).run(url).results().seed == 1


def test_one_process_at_a_time(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    code = textwrap.dedent(f"""
        import time
        from ConfigSpace import ConfigurationSpace
        from automl_nas import Budget, Metric, Study
        from automl_nas.searchers import RandomSearcher
        space = ConfigurationSpace({{"width": (4, 64)}})
        def error(configuration):
            print("running", flush=True)
            time.sleep(60)
        Study(space, error, RandomSearcher(space), budget=Budget(trials=1),
              optimize=[Metric("error")], name="s").run("{url}")
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"running\n"
        other_space = ConfigurationSpace({"width": (4, 64)})
        mine = study(other_space, lambda c: 1.0, name="s", budget=Budget(trials=1))
        with pytest.raises(StudyBusy, match=str(other.pid)):
            mine.run(url, accept=["objective"])
        other.kill()
    ran = mine.run(url, accept=["objective"])
    assert [r.number for r in ran.records] == [0]


def test_the_optuna_study_is_a_faithful_view(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    optimize = [Metric("error"), Metric("accuracy", "max")]
    ran = study(space, size_and_error, optimize=optimize, name="s").run(url)
    shown = optuna.load_study(study_name="s", storage=url)
    assert [d.name for d in shown.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert shown.metric_names == ["error", "accuracy"]
    for trial, record in zip(shown.trials, ran.records, strict=True):
        assert trial.params == configs.to_dict(record.configuration)
        assert trial.values == [record.values["error"], record.values["accuracy"]]
    assert {t.number for t in shown.best_trials} == {r.number for r in ran.front()} | {
        r.number for r in ran.records if r.duplicate_of in {f.number for f in ran.front()}
    }
    assert shown.trials[0].distributions["width"] == optuna.distributions.IntDistribution(
        4, 64, log=True
    )


def test_provenance_is_kept(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    study(space).run(url)
    study(space, budget=Budget(trials=11)).run(url)
    study(space, budget=Budget(trials=11)).run(url)
    (stored,) = load(url)
    assert len(stored.sessions) == 2
    assert {"versions", "git", "host", "command"} <= set(stored.sessions[0])
    assert stored.identity["versions"]["ConfigSpace"]


def test_bad_definitions_have_names(space):
    with pytest.raises(SpaceError, match="empty"):
        study(ConfigurationSpace())
    with pytest.raises(UnsupportedSpace, match="'size'"):
        study(ConfigurationSpace({"size": [(1, 2), (3, 4)]}))
    with pytest.raises(StudyError, match="another space"):
        study(space, searcher=RandomSearcher(ConfigurationSpace({"width": (4, 64)})))
    with pytest.raises(StudyError, match="equivalents"):
        study(space, budget=Budget(equivalents=3))
    with pytest.raises(StudyError, match="needs its metrics"):
        study(space, optimize=())
    with pytest.raises(UnknownName, match="did you mean error"):
        study(space, Flops(), optimize=["eror"])


def test_an_exhausted_space_ends_the_study():
    tiny = ConfigurationSpace({"a": ["x", "y"], "b": ["x", "y"]})
    ran = study(tiny, lambda c: 1.0, budget=Budget(trials=100)).run()
    assert "all 4 configurations" in ran.stopped
    assert len({configs.digest(r.configuration) for r in ran.records}) == 4


def test_evaluation_seed_depends_on_the_study_alone(space):
    found = []
    for seed in (0, 0, 1):
        study(space, lambda c, f, trial: found.append(trial.seed) or 1.0, seed=seed).run()
    assert len(set(found[:20])) == 1
    assert found[0] != found[-1]


def test_trial_folders_belong_to_the_trial(space, tmp_path):
    folders = []
    url = f"sqlite:///{tmp_path}/s.db"
    study(space, lambda c, f, trial: folders.append(trial.folder) or 1.0).run(url)
    assert len(set(folders)) == 10
    assert all(tmp_path in folder.parents and not folder.exists() for folder in folders)


def test_learning_curves_are_kept(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"

    def learning(configuration, fidelity, trial):
        trial.report(1, {"error": 0.5})
        trial.report(2, {"error": 0.25})
        return 0.25

    study(space, learning, name="s", budget=Budget(trials=1)).run(url)
    shown = optuna.load_study(study_name="s", storage=url)
    curve = shown.trials[0].user_attrs["measurement"]["curve"]
    assert curve == {"1": {"error": 0.5}, "2": {"error": 0.25}}


@pytest.mark.parametrize("limit", ["10", True, float("nan"), -1])
def test_a_limit_is_a_positive_number(limit):
    with pytest.raises(SettingError, match="trials must be a positive number"):
        Budget(trials=limit)


def test_errors_survive_the_way_between_processes():
    for raised in (
        UnknownName("metric", "eror", ["error"]),
        StudyMismatch("s", {"seed": (0, 1)}),
        UnsupportedSpace("no"),
    ):
        copy = pickle.loads(pickle.dumps(raised))
        assert (type(copy), str(copy), vars(copy)) == (type(raised), str(raised), vars(raised))


def test_a_part_to_accept_has_to_exist(space):
    with pytest.raises(UnknownName, match="unknown part to accept 'sed': did you mean seed"):
        study(space).run(accept=["sed"])
    with pytest.raises(UnknownName, match="'optimize'"):
        study(space).run(accept=["optimize"])


def test_a_space_that_does_not_fit_the_records_cannot_be_accepted(space, tmp_path):
    url, other = f"sqlite:///{tmp_path}/s.db", ConfigurationSpace({"width": (4, 64)})
    study(space, name="s").run(url)
    with pytest.raises(StudyError, match="that is no configuration of the given space"):
        study(other, lambda c: 1.0, name="s").run(url, accept=["space", "searcher", "objective"])
    assert study(space, name="s").run(url).stopped == "budget: evaluations"


def test_an_accepted_searcher_is_asked_again(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    first, second = some(space, 2)
    short, long = (
        study(space, searcher=Scripted(space, tuple(map(Proposal, script))), name="s")
        for script in ([first], [first, second])
    )
    assert short.run(url).stopped == "scripted is finished"
    assert len(long.run(url, accept=["searcher"]).records) == 2


def test_an_empty_study_of_somebody_else_with_other_directions_is_left_alone(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    optuna.create_study(storage=url, study_name="s", direction="maximize")
    with pytest.raises(StorageError, match="did not write"):
        study(space, name="s").run(url)


def test_initial_configurations_must_be_in_the_space(space):
    other = ConfigurationSpace({"width": (4, 64)}).sample_configuration()
    with pytest.raises(SpaceError, match=r"initial\[1\]"):
        study(space, initial=[*some(space, 1), other])
    with pytest.raises(SpaceError, match=r"initial\[0\]"):
        study(space, initial=[{"width": 4}])


def test_initial_configurations_are_not_the_searchers_own(space):
    a, b = some(space, 2)
    ran = study(space, initial=[a], searcher=Scripted(space, (Proposal(b),))).run()
    assert [r.searcher for r in ran.records] == ["initial", "scripted"]


def test_a_seed_is_an_integer(space):
    assert study(space, seed=np.int64(3)).run().results().seed == 3
    with pytest.raises(SettingError, match="seed must be an integer"):
        study(space, seed=0.5)


@pytest.mark.parametrize("fidelity", [0, 9])
def test_a_fidelity_out_of_range_is_refused_and_not_written(space, tmp_path, fidelity):
    url = f"sqlite:///{tmp_path}/s.db"
    script = (Proposal(some(space, 1)[0], fidelity=fidelity),)
    with pytest.raises(StudyError, match="objective 'flops' has 1 to 8"):
        study(space, Flops(), searcher=Scripted(space, script), optimize=()).run(url)
    with pytest.raises(StudyError, match="has none"):
        study(space, searcher=Scripted(space, script)).run()
    assert load(url)[0].records == ()


def test_a_wrong_proposal_leaves_no_trial_behind(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    alien = ConfigurationSpace({"width": (100, 200)}).sample_configuration()
    for proposal in (Proposal(alien), Proposal(some(space, 1)[0], attrs={"x": object()})):
        with pytest.raises((ValueError, StudyError)):
            study(space, searcher=Scripted(space, (proposal,)), name="s").run(url)
    shown = optuna.load_study(study_name="s", storage=url)
    assert shown.trials == []


def test_notes_come_back_alike_from_every_storage(space, tmp_path):
    script = (Proposal(some(space, 1)[0], attrs={"pair": (1, 2), "by": {3: 4}}),)
    for url in (None, f"sqlite:///{tmp_path}/s.db"):
        ran = study(space, searcher=Scripted(space, script)).run(url)
        assert ran.records[0].attrs == {"pair": [1, 2], "by": {"3": 4}}


def test_a_nudge_keeps_the_fidelity_and_forgets_the_parent(space):
    (a,) = some(space, 1)
    script = (Proposal(a, fidelity=2, parent=0),) * 12
    searcher = Scripted(space, script)
    ran = study(space, Flops(), searcher=searcher, budget=Budget(trials=12), optimize=()).run()
    assert (ran.records[11].fidelity, ran.records[11].parent) == (2, None)
    assert ran.records[11].duplicate_of is None


def test_a_searcher_that_knows_no_end_is_ended():
    tiny = ConfigurationSpace({"a": ["x", "y"]})
    searcher = Scripted(tiny, (Proposal(tiny.sample_configuration()),) * 50)
    ran = study(tiny, lambda c: 1.0, searcher=searcher).run()
    assert "no configuration that is not measured" in ran.stopped
    assert len({r.digest for r in ran.records}) == 2


@pytest.mark.slow
def test_the_dashboard_opens_it(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    ran = study(space, size_and_error, optimize=[Metric("error"), Metric("accuracy", "max")])
    ran.run(url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tool = Path(sys.executable).with_name("optuna-dashboard")
    with subprocess.Popen([tool, url, "--host", "127.0.0.1", "--port", str(port)]) as server:
        try:
            (listed,) = get(port, "/api/studies")["study_summaries"]
            shown = get(port, f"/api/studies/{listed['study_id']}")
        finally:
            server.terminate()
    assert listed["study_name"] == ran.name
    assert [d for d in shown["directions"]] == ["minimize", "maximize"]
    assert [t["values"] for t in shown["trials"]] == [
        [r.values["error"], r.values["accuracy"]] for r in ran.records
    ]


def get(port, path):
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return json.load(answer)
        except ConnectionError:
            pass
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_checkpoints_may_lie_in_a_folder_of_their_own(space, tmp_path):
    seen = []

    def train(configuration, fidelity, trial):
        seen.append(trial.folder)
        return 1.0

    one = study(space, train, budget=Budget(trials=2), name="a study")
    one.run(folder=tmp_path / "shared")
    assert [folder.name for folder in seen] == ["trial-0", "trial-1"]
    assert seen[0].parent.parent == tmp_path / "shared"
    assert seen[0].parent.name.startswith("a-study-")
