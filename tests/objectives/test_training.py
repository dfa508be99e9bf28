"""Training from scratch: repeatable, honest about its cost, without traces in global state."""

import json
import math
import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from ConfigSpace import Categorical, ConfigurationSpace
from torch import nn

from automl_nas import configs
from automl_nas.errors import SettingError
from automl_nas.identity import describe
from automl_nas.images import Split, Splits
from automl_nas.isolation import isolated, reseed
from automl_nas.objectives.base import Objective
from automl_nas.objectives.fit import (
    TrainingRecipe,
    error,
    fit,
    images_per_epoch,
)
from automl_nas.objectives.training import FromFunction, TrainingObjective
from automl_nas.types import Trial

SPACE = ConfigurationSpace(name="widths")
SPACE.add(Categorical("width", (4, 16)))
RECIPE = TrainingRecipe(epochs=3, batch_size=32, learning_rate=0.05)


@dataclass(frozen=True)
class Stripes:
    """Two classes: bright above or bright below."""

    name = "stripes"
    train: int = 100

    def load(self):
        generator = torch.Generator().manual_seed(0)
        return Splits(*(self.part(n, generator) for n in (self.train, 10, 50, 60)), classes=2)

    def part(self, number, generator):
        labels = torch.randint(2, (number,), generator=generator)
        images = 0.5 * torch.randn(number, 1, 4, 4, generator=generator)
        images[:, 0, :2] += labels[:, None, None]
        return Split(images, labels)


def network(configuration):
    width = int(configuration["width"])
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Flatten(),
        nn.Linear(16 * width, 2),
    )


@dataclass(frozen=True)
class Known:
    """The same networks with known costs."""

    def build(self, configuration):
        return network(configuration)

    def forward_flops(self, configuration, image):
        return 1000.0 * int(configuration["width"])

    def mean_forward_flops(self, image):
        assert image == (1, 4, 4)
        return 10_000.0


WIDE = configs.from_dict(SPACE, {"width": 16})
OBJECTIVE = TrainingObjective(FromFunction(network), Stripes(), RECIPE)


def test_it_is_an_objective_and_its_metrics_come_in_order():
    assert isinstance(OBJECTIVE, Objective)
    measurement = OBJECTIVE(WIDE, None, Trial(0, seed=1))
    assert list(measurement.values) == [metric.name for metric in OBJECTIVE.metrics]
    assert list(measurement.values) == ["validation_error", "test_error", "parameters", "flops"]
    assert (OBJECTIVE.fidelity.name, OBJECTIVE.fidelity.full) == ("epochs", 3)
    assert OBJECTIVE.name == "training:stripes"


def test_parameters_and_flops_by_hand():
    values = OBJECTIVE(WIDE, 1, Trial(0, seed=1)).values
    assert values["parameters"] == (9 * 16 + 16) + 2 * 16 + (256 * 2 + 2)
    assert values["flops"] == 2 * (9 * 16 * 16 + 256 * 2)


def test_it_learns():
    recipe = replace(RECIPE, epochs=10)
    values = replace(OBJECTIVE, recipe=recipe)(WIDE, None, Trial(0, seed=1)).values
    assert values["validation_error"] < 15 and values["test_error"] < 15


def measured(seed, **changes):
    """Everything observable about a training, learning curve included."""
    curve = []
    trial = Trial(0, seed=seed, report=lambda epoch, values: curve.append((epoch, values)))
    return replace(OBJECTIVE, **changes)(WIDE, None, trial).values, curve


def test_the_seed_determines_the_result_whatever_the_global_state():
    torch.manual_seed(11)
    first = measured(seed=5)
    torch.manual_seed(99)
    torch.rand(7)
    assert measured(seed=5) == first
    assert measured(seed=6)[1] != first[1]


def test_builds_that_draw_from_numpy_and_python_are_keyed_by_the_seed_too():
    drawn = []

    def build(configuration):
        drawn.append((random.random(), np.random.rand()))  # noqa: NPY002
        return network(configuration)

    objective = TrainingObjective(FromFunction(build), Stripes(), RECIPE)
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    for seed in (1, 1, 2):
        objective(WIDE, 1, Trial(0, seed))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    counted, first, again, other = drawn[0], drawn[1], drawn[3], drawn[5]
    assert drawn[2] == counted != first == again != other


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"threads": 0},
        {"learning_rate": -0.1},
        {"learning_rate": math.nan},
        {"weight_decay": -1},
        {"momentum": 1.5},
        {"momentum": 0.0},
        {"clip": -1.0},
    ],
)
def test_impossible_recipes_are_refused_at_once(change):
    with pytest.raises(SettingError, match=next(iter(change))):
        TrainingRecipe(**change)


def test_global_generator_and_threads_stay_as_they_were():
    before, count = torch.get_rng_state(), torch.get_num_threads()
    other = 1 if count > 1 else 2
    during = []
    trial = Trial(0, 0, report=lambda *_: during.append(torch.get_num_threads()))
    replace(OBJECTIVE, recipe=replace(RECIPE, threads=other))(WIDE, None, trial)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == count
    assert set(during) == {other}


def test_state_is_put_back_after_a_failure():
    before, count = torch.get_rng_state(), torch.get_num_threads()
    with pytest.raises(RuntimeError, match="stop"), isolated(threads=count + 1):
        reseed(3)
        torch.rand(3)
        raise RuntimeError("stop")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == count


def test_the_learning_curve_has_one_point_per_epoch():
    _, curve = measured(seed=2)
    assert [epoch for epoch, _ in curve] == [1, 2, 3]
    assert curve[-1][1]["train_loss"] < curve[0][1]["train_loss"]
    assert all(0 <= values["train_error"] <= 100 for _, values in curve)


def test_a_lower_fidelity_is_a_training_of_its_own():
    short, full = TrainingRecipe(epochs=2), TrainingRecipe(epochs=6)
    short, full = (replace(OBJECTIVE, recipe=recipe) for recipe in (short, full))
    assert full(WIDE, 2, Trial(0, 4)).values == short(WIDE, None, Trial(0, 4)).values


@pytest.mark.parametrize("fidelity", [0, 4])
def test_fidelities_outside_the_recipe_are_refused(fidelity):
    with pytest.raises(ValueError, match=f"fidelity={fidelity}"):
        OBJECTIVE(WIDE, fidelity, Trial(0, 0))


def test_training_flops_count_images_seen_three_times_their_forward_pass():
    objective = TrainingObjective(Known(), Stripes(), RECIPE)
    # 100 images make 3 whole batches of 32
    assert objective(WIDE, 2, Trial(0, 0)).training_flops == 2 * 96 * 3 * 16_000
    assert objective.full_training_flops == 3 * 96 * 3 * 10_000
    assert OBJECTIVE.full_training_flops is None


def test_fewer_images_than_a_batch_are_one_batch():
    assert images_per_epoch(20, RECIPE) == 20
    assert images_per_epoch(64, RECIPE) == 64
    assert images_per_epoch(95, RECIPE) == 64


class Exploding(nn.Module):
    def __init__(self, configuration):
        super().__init__()
        self.linear = nn.Linear(16, 2)

    def forward(self, x):
        return self.linear(x.flatten(1)) * math.inf


def test_a_diverged_training_has_no_errors_and_costs_what_it_ran():
    curve = []
    objective = TrainingObjective(FromFunction(Exploding), Stripes(), RECIPE)
    measurement = objective(WIDE, None, Trial(0, 0, report=lambda *point: curve.append(point)))
    assert math.isnan(measurement.values["validation_error"])
    assert math.isnan(measurement.values["test_error"])
    assert measurement.training_flops == 96 * 3 * measurement.values["flops"]
    assert curve == []


def test_identity_has_the_whole_recipe():
    text = json.dumps(describe(OBJECTIVE))
    for part in ("network", "Stripes", '"threads": 1', '"device": "cpu"', '"epochs": 3'):
        assert part in text
    other = replace(OBJECTIVE, recipe=replace(RECIPE, nesterov=False))
    assert describe(other) != describe(OBJECTIVE)


class ToldAnswers(nn.Module):
    """Reads the class off the first pixel."""

    def forward(self, x):
        return nn.functional.one_hot(x[:, 0, 0, 0].long(), 2).float()


def test_error_is_in_percent_over_all_batches():
    labels = torch.zeros(2500, dtype=torch.int64)
    images = torch.zeros(2500, 1, 1, 1)
    images[-50:] = 1
    assert error(ToldAnswers(), Split(images, labels)) == 2.0


def test_error_is_measured_in_evaluation_mode():
    split = Stripes().load().test
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.Dropout(0.9))
    with isolated():
        reseed(0)
        assert len({error(module.train(), split) for _ in range(5)}) == 1


@dataclass(frozen=True)
class Liar(Stripes):
    """The test labels are wrong."""

    def load(self):
        splits = super().load()
        return replace(splits, test=Split(splits.test.images, 1 - splits.test.labels))


def test_validation_and_test_are_measured_on_their_own_parts():
    recipe = replace(RECIPE, epochs=10)
    values = replace(OBJECTIVE, task=Liar(), recipe=recipe)(WIDE, None, Trial(0, 1)).values
    assert values["validation_error"] < 15 and values["test_error"] > 85


class Recorder(nn.Module):
    """Keeps the weights it started with and the images it was given."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 2)
        self.start, self.seen = self.linear.weight.detach().clone(), []

    def forward(self, x):
        if self.training:
            self.seen.append(x.flatten(1))
        return self.linear(x.flatten(1))


def recorded(seed):
    built = []
    objective = TrainingObjective(
        FromFunction(lambda _: built.append(Recorder()) or built[-1]), Stripes(), RECIPE
    )
    objective(WIDE, None, Trial(0, seed))
    return built[-1].start, torch.cat(built[-1].seen)


def test_the_seed_keys_the_first_weights_and_the_order_of_images():
    (start, seen), (other_start, other_seen) = recorded(1), recorded(2)
    assert not torch.equal(start, other_start)
    assert not torch.equal(seen, other_seen)
    assert len(seen) == 3 * 96
    assert len(torch.unique(seen[:96], dim=0)) == 96
    assert not torch.equal(seen[:96], seen[96:192])


def test_the_order_of_images_is_the_same_for_every_network():
    first, second = Recorder(), Recorder()
    for module, global_seed in ((first, 1), (second, 2)):
        with isolated():
            reseed(global_seed)
            fit(module, Stripes().load().train, RECIPE, seed=5)
    assert torch.equal(torch.cat(first.seen), torch.cat(second.seen))


def steps(recipe, epochs=1):
    """One weight, the logit of the right one of two classes; its value after training."""
    module = nn.Module()
    module.weight = nn.Parameter(torch.zeros(1))
    module.forward = lambda x: torch.cat([0 * x.flatten(1), module.weight.expand(len(x), 1)], 1)
    split = Split(torch.zeros(8, 1, 1, 1), torch.ones(8, dtype=torch.int64))
    fit(module, split, recipe, seed=0, epochs=epochs)
    return float(module.weight.detach())


def test_a_step_is_clipped_and_follows_the_cosine():
    # the gradient of -log sigmoid(w) at w = 0 is -1/2; clipped to 0.25 it moves w by lr * 0.25
    plain = TrainingRecipe(
        epochs=1, batch_size=8, learning_rate=0.4, momentum=0, weight_decay=0, nesterov=False
    )
    assert steps(plain) == pytest.approx(0.4 * 0.5)
    assert steps(replace(plain, clip=0.25)) == pytest.approx(0.4 * 0.25, rel=1e-4)
    # second of two steps at half the rate
    assert steps(replace(plain, clip=0.25), epochs=2) == pytest.approx(0.6 * 0.25, rel=1e-4)


def test_momentum_nesterov_and_weight_decay_by_hand():
    base = TrainingRecipe(epochs=1, batch_size=8, learning_rate=0.4, clip=0.25, weight_decay=0)
    rates, g = (0.4, 0.2), 0.25  # minus the clipped gradient
    heavy = replace(base, momentum=0.5, nesterov=False)
    velocity = g + 0.5 * g
    assert steps(heavy, epochs=2) == pytest.approx(rates[0] * g + rates[1] * velocity, rel=1e-4)
    nesterov = replace(heavy, nesterov=True)
    by_hand = rates[0] * (g + 0.5 * g) + rates[1] * (g + 0.5 * velocity)
    assert steps(nesterov, epochs=2) == pytest.approx(by_hand, rel=1e-4)
    decayed = replace(base, momentum=0, nesterov=False, weight_decay=0.3)
    first = rates[0] * g
    by_hand = first + rates[1] * (g - 0.3 * first)
    assert steps(decayed, epochs=2) == pytest.approx(by_hand, rel=1e-4)
