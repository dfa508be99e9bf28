"""A promoted training goes on from its checkpoint bit for bit, and is charged the rest alone."""

import random
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from automl_nas import Budget, Record, Study, configs, lineage
from automl_nas.errors import SettingError
from automl_nas.objectives.base import FunctionObjective
from automl_nas.objectives.fit import TrainingRecipe
from automl_nas.objectives.training import FromFunction, TrainingObjective
from automl_nas.searchers import HalvingSearcher, RandomSearcher
from automl_nas.types import Fidelity, Measurement, Metric, Trial
from tests.objectives.test_training import SPACE, WIDE, Known, Stripes, network

RECIPE = TrainingRecipe(epochs=6, batch_size=32, learning_rate=0.05, continues=True)
NARROW = configs.from_dict(SPACE, {"width": 4})


class Noisy(nn.Module):
    """Draws from all three global generators while it trains."""

    def forward(self, x):
        if not self.training:
            return x
        return x + random.gauss(0, 0.1) + np.random.normal(0, 0.1)  # noqa: NPY002


BUILT = []


def build(configuration):
    BUILT.append(nn.Sequential(Noisy(), network(configuration)))
    return BUILT[-1]


OBJECTIVE = TrainingObjective(FromFunction(build), Stripes(), RECIPE)


@dataclass(frozen=True)
class Outcome:
    values: dict
    curve: list
    weights: dict
    flops: float


def train(epochs, *, objective=OBJECTIVE, configuration=WIDE, seed=3, **trial):
    curve = []
    report = lambda *point: curve.append(point)  # noqa: E731
    measurement = objective(configuration, epochs, Trial(0, seed, report=report, **trial))
    weights = {name: tensor.clone() for name, tensor in BUILT[-1].state_dict().items()}
    return Outcome(dict(measurement.values), curve, weights, measurement.training_flops)


def same(one, other, after=0):
    assert one.values == other.values
    assert [p for p in one.curve if p[0] > after] == [p for p in other.curve if p[0] > after]
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in other.weights)


@pytest.mark.parametrize("done", [1, 2, 5])
def test_going_on_equals_the_uninterrupted_training_bit_for_bit(tmp_path, done):
    whole = train(None)
    begun = train(done, folder=tmp_path / "a")
    assert begun.curve == whole.curve[:done]
    rest = train(None, parent_folder=tmp_path / "a", continued=done)
    assert [epoch for epoch, _ in rest.curve] == list(range(done + 1, 7))
    same(rest, whole, after=done)


def test_three_trials_in_a_row_are_one_training(tmp_path):
    train(1, folder=tmp_path / "a")
    second = train(3, folder=tmp_path / "b", parent_folder=tmp_path / "a", continued=1)
    third = train(None, folder=tmp_path / "c", parent_folder=tmp_path / "b", continued=3)
    same(second, train(3), after=1)
    same(third, train(None), after=3)
    assert not (tmp_path / "c").exists()


def only_file(folder):
    (path,) = folder.iterdir()
    return path


def torn(path):
    path.write_bytes(path.read_bytes()[:-100])


def altered(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), torn, altered])
def test_a_lost_checkpoint_changes_nothing_but_the_time(tmp_path, harm):
    train(2, folder=tmp_path / "a")
    kept = train(None, parent_folder=tmp_path / "a", continued=2)
    harm(only_file(tmp_path / "a"))
    again = train(None, parent_folder=tmp_path / "a", continued=2)
    same(again, kept)
    assert again.flops == kept.flops
    without = train(None, continued=2)
    same(without, kept)
    assert without.flops == kept.flops


@pytest.mark.parametrize(
    "other",
    [
        {"configuration": NARROW},
        {"seed": 4},
        {"objective": replace(OBJECTIVE, recipe=replace(RECIPE, learning_rate=0.06))},
    ],
)
def test_the_checkpoint_of_another_training_is_not_used(tmp_path, other):
    train(2, folder=tmp_path / "a", **other)
    same(train(None, parent_folder=tmp_path / "a", continued=2), train(None), after=2)


def test_the_checkpoint_is_really_read(tmp_path):
    train(2, folder=tmp_path / "a")
    seen = []
    hook = nn.modules.module.register_module_forward_hook(lambda m, *_: seen.append(type(m)))
    try:
        train(3, parent_folder=tmp_path / "a", continued=2)
        read = Counter(seen)[Noisy]
        seen.clear()
        train(3, continued=2)
    finally:
        hook.remove()
    assert Counter(seen)[Noisy] - read == 2 * 3  # two epochs of three batches


def test_only_the_rest_is_charged():
    objective = TrainingObjective(Known(), Stripes(), RECIPE)
    epoch = 96 * 3 * 16_000
    flops = [
        objective(WIDE, epochs, Trial(0, 0, continued=done)).training_flops
        for done, epochs in [(0, 1), (1, 3), (3, 6)]
    ]
    assert flops == [1 * epoch, 2 * epoch, 3 * epoch]
    assert sum(flops) == objective(WIDE, None, Trial(0, 0)).training_flops


def test_without_the_option_a_training_is_its_own_and_whole(tmp_path):
    plain = replace(OBJECTIVE, recipe=replace(RECIPE, continues=False))
    assert (plain.continues, OBJECTIVE.continues) == (False, True)
    begun = train(2, objective=plain, folder=tmp_path / "a")
    after = train(4, objective=plain, parent_folder=tmp_path / "a", continued=2)
    assert not (tmp_path / "a").exists()
    assert after.flops == 2 * begun.flops
    same(after, train(4, objective=plain))
    assert begun.curve != train(4, objective=plain).curve[:2]


@pytest.mark.parametrize("epochs", [2, 1])
def test_a_continuation_must_be_longer(epochs):
    with pytest.raises(SettingError, match="more epochs than the 2"):
        train(epochs, continued=2)


def record(number, fidelity, **changes):
    return Record(number, WIDE, "s", status="complete", fidelity=fidelity, **changes)


def test_what_a_parent_has_paid():
    records = [
        record(0, 2),
        record(1, 2, audit=True),
        replace(record(2, 2), status="failed"),
        replace(record(3, 2), configuration=NARROW),
        record(4, None),
    ]
    paid = [lineage.continued(record(9, 4, parent=i), records, OBJECTIVE) for i in range(6)]
    assert paid == [2, 0, 0, 0, 0, 0]
    assert lineage.continued(record(9, None, parent=0), records, OBJECTIVE) == 2
    assert lineage.continued(record(9, 4), records, OBJECTIVE) == 0
    plain = replace(OBJECTIVE, recipe=replace(RECIPE, continues=False))
    assert lineage.continued(record(9, 4, parent=0), records, plain) == 0


def test_a_study_charges_each_configuration_its_longest_training(tmp_path):
    def study():
        searcher = HalvingSearcher(RandomSearcher(SPACE), eta=2)
        objective = TrainingObjective(FromFunction(build), Stripes(), RECIPE)
        return Study(SPACE, objective, searcher, budget=Budget(trials=10), name="s")

    def measured(storage):
        records = study().run(storage).records
        return [(r.number, r.fidelity, r.parent, r.values, r.cost.training_flops) for r in records]

    stored = study().run(url := f"sqlite:///{tmp_path}/s.db").records
    assert measured(None) == measured(url)
    assert any(tmp_path.rglob("round-*.pt"))
    longest = {}
    for one in stored:
        longest[one.digest] = max(longest.get(one.digest, 0), one.fidelity or 6)
    assert len(stored) > len(longest) == 2
    flops = {one.digest: one.values["flops"] for one in stored}
    due = sum(96 * 3 * flops[digest] * epochs for digest, epochs in longest.items())
    assert sum(one.cost.training_flops for one in stored) == due


def test_a_function_may_continue_too():
    told = []

    def train(configuration, fidelity, trial):
        told.append((fidelity, trial.continued))
        return Measurement({"error": 1.0})

    objective = FunctionObjective(
        train, (Metric("error"),), fidelity=Fidelity("steps", 4), continues=True
    )
    searcher = HalvingSearcher(RandomSearcher(SPACE), eta=2)
    Study(SPACE, objective, searcher, budget=Budget(trials=9)).run()
    assert {(1, 0), (2, 1), (None, 2)} >= set(told) > {(1, 0)}
