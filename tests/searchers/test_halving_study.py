"""Studies with several fidelities: killed, resumed, opened with Optuna, with checkpoints."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass

import optuna
import pytest

from automl_nas import Budget, Fidelity, Measurement, Metric, Study, configs, registry, seeds
from automl_nas.errors import MissingFidelity
from automl_nas.testing import cell_space, losses, tiny_space
from tests.test_kill import Killer, shown

EPOCHS = Fidelity("epochs", 9)


@dataclass(frozen=True)
class Curves:
    """Two metrics that a longer training makes better; it may go on from its parent's note."""

    continues: bool = False
    metrics: tuple[Metric, ...] = (Metric("error"), Metric("score", "max"))
    fidelity: Fidelity | None = EPOCHS
    full_training_flops: float = 9.0
    packages: tuple[str, ...] = ()
    name: str = "curves"

    def __call__(self, configuration, fidelity, trial):
        epochs = fidelity or self.fidelity.full
        if seeds.derive("bad", configs.digest(configuration)) % 11 == 0:
            raise RuntimeError("does not converge")
        if self.continues:
            self.go_on(trial, epochs)
        trial.report(epochs, {"error": 1.0 / epochs})
        return Measurement(
            losses(configuration, self.metrics, fidelity),
            training_flops=float(epochs - trial.continued),
        )

    def go_on(self, trial, epochs):
        before = 0
        if trial.continued and trial.parent_folder is not None:
            before = json.loads((trial.parent_folder / "epochs.json").read_text())
        assert before == (trial.continued if trial.folder is not None else 0)
        if trial.folder is not None:
            trial.folder.mkdir(parents=True, exist_ok=True)
            (trial.folder / "epochs.json").write_text(json.dumps(epochs))


def study(name, *, optimize=("error",), objective=None, trials=30, space=None, **settings):
    space = space or cell_space()
    searcher = registry.create(name, space)
    return Study(
        space, objective or Curves(), searcher, budget=Budget(trials=trials), optimize=optimize,
        name="s", max_failures=30, **settings,
    )  # fmt: skip


@pytest.fixture
def killer(monkeypatch):
    return Killer(monkeypatch)


BOTH = ("error", "score")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "optimize", "continues"),
    [
        ("asha:optuna:tpe", ("error",), True),
        ("asha:optuna:nsga2", BOTH, False),
        ("hyperband:regularized-evolution", ("error",), True),
        ("synchronous-hyperband:syne-tune:mo-rea", BOTH, False),
        ("asha:smac:rf", ("error",), False),
    ],
)
def test_killed_again_and_again(tmp_path, killer, name, optimize, continues):
    def make():
        return study(name, optimize=optimize, objective=Curves(continues=continues))

    whole, often = (f"journal:{tmp_path / one}.log" for one in ("whole", "often"))
    killer.run(make, whole)
    kills = 0
    while killer.run(make, often, 12 + kills % 3):
        kills += 1
    assert kills > 5
    assert shown(often) == shown(whole)
    fidelities = [record[4] for record in shown(whole)[0]]
    assert {1, 3, None} == set(fidelities)


@pytest.mark.slow
def test_killed_at_every_third_write_of_a_promotion(tmp_path, killer):
    def make():
        return study("asha:random", objective=Curves(continues=True), trials=14)

    whole = f"journal:{tmp_path}/whole.log"
    killer.run(make, whole)
    for writes in itertools.count(10, 3):
        url = f"journal:{tmp_path}/{writes}.log"
        if not killer.run(make, url, writes):
            break
        assert killer.run(make, url) is False
        assert shown(url) == shown(whole), f"killed at write {writes}"
    assert writes > 40


@pytest.mark.parametrize("optimize", [("error",), BOTH])
def test_optuna_sees_lower_rungs_as_pruned(tmp_path, optimize):
    url = f"sqlite:///{tmp_path}/s.db"
    records = study("asha:random", optimize=optimize, trials=50).run(url).records
    loaded = optuna.load_study(study_name="s", storage=url)
    states = {trial.number: trial.state.name for trial in loaded.trials}
    for record in records:
        expected = "COMPLETE" if record.fidelity is None else "PRUNED"
        assert states[record.number] == ("FAIL" if record.status == "failed" else expected)
    assert {"COMPLETE", "PRUNED", "FAIL"} == set(states.values())
    full = {record.number for record in records if record.selectable}
    assert {trial.number for trial in loaded.best_trials} <= full


def test_only_what_lies_beyond_the_parent_is_charged_where_the_objective_goes_on(tmp_path):
    for continues in (True, False):
        for url in (None, f"journal:{tmp_path}/{continues}.log"):
            records = study("asha:random", objective=Curves(continues=continues)).run(url).records
            for record in records:
                paid = {None: 6.0, 3: 2.0, 1: 1.0} if continues else {None: 9.0, 3: 3.0, 1: 1.0}
                if record.status == "complete":
                    assert record.cost.training_flops == paid[record.fidelity]
            assert {record.fidelity for record in records} == {None, 3, 1}


def test_initial_configurations_count_on_the_top_rung():
    space = cell_space()
    initial = [configs.sample(space, seeds.rng("initial", i)) for i in range(3)]
    records = study("asha:random", space=space, initial=initial).run().records
    assert [record.fidelity for record in records[:4]] == [None, None, None, 1]
    assert not {r.number for r in records[:3]} & {r.parent for r in records}


@pytest.mark.parametrize("name", ["asha:random", "hyperband:optuna:tpe", "asha:local-search"])
def test_a_small_space_ends_the_study_with_an_answer(name):
    objective = Curves()
    small = tiny_space()
    made = study(name, space=small, objective=objective, trials=100).run()
    assert "have been measured" in made.stopped
    assert made.best.fidelity is None
    assert len(made.records) < 20


def test_an_objective_without_a_fidelity_stops_the_study_at_once():
    with pytest.raises(MissingFidelity, match="Fidelity"):
        study("asha:random", objective=Curves(fidelity=None)).run()


def test_the_identity_tells_the_inner_searcher():
    described = study("asha:optuna:tpe").identity()
    assert described["searcher"]["name"] == "asha:optuna:tpe"
    assert described["searcher"]["recipe"]["inner"]["sampler"] == "tpe"
    assert "optuna" in described["versions"]


@pytest.mark.slow
def test_workers_promote_nothing_twice_and_repeat_exactly(tmp_path):
    runs = []
    for i in range(2):
        made = study("asha:optuna:tpe", objective=Curves(continues=True))
        made.run(f"journal:{tmp_path}/{i}.log", workers=3, deterministic=True)
        runs.append(
            sorted((r.number, r.digest, r.fidelity or 9, r.parent or -1) for r in made.records)
        )
    assert runs[0] == runs[1]
    pairs = [(digest, epochs) for _, digest, epochs, _ in runs[0]]
    assert len(set(pairs)) == len(pairs) == 30
    assert {epochs for _, epochs in pairs} == {1, 3, 9}
