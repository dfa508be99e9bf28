import random

import numpy as np
import pytest
import torch

from automl_nas import configs
from automl_nas.errors import StudyError
from automl_nas.images import Split
from automl_nas.isolation import isolated, reseed
from automl_nas.oneshot import bilevel
from automl_nas.oneshot.ranking import best_path
from automl_nas.oneshot.recipe import OneShotRecipe
from automl_nas.oneshot.relaxation import Relaxation
from automl_nas.oneshot.samplers import SAMPLERS, by_name

from . import toy

FAST = OneShotRecipe(batch_size=16, architecture_lr=0.05, lr=0.1)
HARD = ("gdas", "uniform")


@pytest.fixture(autouse=True)
def own_generators():
    with isolated("cpu", threads=1):
        reseed(0, "cpu")
        yield


def start(recipe=FAST):
    return bilevel.start(toy.Toy(), Relaxation(toy.space()), recipe)


def train(state, sampler, epochs, recipe=FAST, images=None):
    splits = (images or toy.ToyImages()).load()
    return [
        bilevel.train_epoch(state, sampler, splits, recipe, epoch=epoch, epochs=epochs)
        for epoch in range(epochs)
    ]


def copied(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


@pytest.mark.parametrize("name", SAMPLERS)
def test_architecture_moves_only_if_the_sampler_learns(name):
    sampler, state = by_name(name), start()
    network, logits = copied(state.network), copied(state.relaxation)
    train(state, sampler, 1)
    assert any(not torch.equal(network[k], v) for k, v in state.network.state_dict().items())
    for key, value in state.relaxation.state_dict().items():
        assert torch.equal(logits[key], value) != sampler.learns


@pytest.mark.parametrize("name", [name for name in SAMPLERS if by_name(name).learns])
def test_finds_the_clearly_better_choice(name):
    state = start()
    train(state, by_name(name), 25)
    assert configs.to_dict(state.relaxation.mode(by_name(name))) == {
        "left": "keep",
        "right": "keep",
    }


def test_soft_flops_by_hand():
    """4 steps of 16 of 72 images, in both halves, three passes through everything."""
    for name in ("darts", "drnas"):
        assert train(start(), by_name(name), 1) == [4 * 3 * (16 + 16) * (32 + 2 * 24)]


def test_architecture_step_then_weight_step(monkeypatch):
    """Each on its own split, with a draw of its own, and the logits of the step before."""
    order, state = [], start()
    soft = toy.Toy.soft

    def watched(network, x, mixture):
        order.append(("forward", len(x), mixture["left"].values.requires_grad))
        return soft(network, x, mixture)

    monkeypatch.setattr(toy.Toy, "soft", watched)
    for optimizer, name in ((state.architecture, "architecture"), (state.weights, "weights")):
        monkeypatch.setattr(
            optimizer, "step", lambda o=optimizer, n=name: order.append(n) or type(o).step(o)
        )
    train(state, by_name("darts"), 1, images=toy.ToyImages(architecture=10))
    one = [("forward", 10, True), "architecture", ("forward", 16, False), "weights"]
    assert order == 4 * one


def test_the_gradient_of_the_weights_is_clipped():
    state, splits = start(), toy.ToyImages().load()
    batch = Split(1e3 * splits.train.images[:16], splits.train.labels[:16])
    mixture = {edge: bilevel._fixed(3, 2) for edge in toy.EDGES}
    bilevel._weight_step(state, mixture, batch, 1e-3)
    gradients = [p.grad.flatten() for p in state.network.parameters() if p.grad is not None]
    assert float(torch.cat(gradients).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_small_architecture_split_is_one_batch_again_and_again():
    images = toy.ToyImages(architecture=10)
    assert train(start(), by_name("darts"), 1, images=images) == [4 * 3 * (16 + 10) * 80]


@pytest.mark.parametrize("name", HARD)
def test_hard_flops_are_those_of_the_drawn_paths(name, monkeypatch):
    state, sampler, seen = start(), by_name(name), []
    soft = toy.Toy.soft

    def counting(network, x, mixture):
        seen.append(len(x) * network.forward_flops(mixture))
        return soft(network, x, mixture)

    monkeypatch.setattr(toy.Toy, "soft", counting)
    flops = train(state, sampler, 2)
    assert sum(flops) == 3 * sum(seen)
    assert len(seen) == 2 * 4 * (2 if sampler.learns else 1)
    assert len(set(seen)) > 1


@pytest.mark.parametrize("name", SAMPLERS)
def test_expected_epoch_flops(name):
    sampler, splits = by_name(name), toy.ToyImages().load()
    network, generator = toy.Toy(), torch.get_rng_state()
    expected = bilevel.epoch_flops(network, toy.space(), sampler, splits, FAST)
    forward = 32 + (2 * 24 / 3 if name in HARD else 2 * 24)
    assert expected == 4 * 3 * 16 * (2 if sampler.learns else 1) * forward
    assert torch.equal(torch.get_rng_state(), generator)
    mean = np.mean(train(start(), sampler, 30))
    assert mean == pytest.approx(expected, rel=0.2)


def test_operations_that_were_not_drawn_keep_their_weights():
    state, splits = start(), toy.ToyImages().load()
    before = copied(state.network)
    mixture = {edge: bilevel._fixed(3, 2) for edge in toy.EDGES}
    batch = Split(splits.train.images[:16], splits.train.labels[:16])
    bilevel._weight_step(state, mixture, batch, 5.0)
    assert all(p.grad is None for p in state.relaxation.parameters())
    after = state.network.state_dict()
    moved = [not torch.equal(before[f"scale.left.{i}"], after[f"scale.left.{i}"]) for i in range(3)]
    assert moved == [False, False, True]


def test_the_two_halves_leave_each_other_alone():
    state, splits = start(), toy.ToyImages().load()
    network = {k: p.detach().clone() for k, p in state.network.named_parameters()}
    batch = Split(splits.architecture.images[:16], splits.architecture.labels[:16])
    bilevel._architecture_step(state, state.relaxation.sample(by_name("darts"), 0.0), batch)
    for key, parameter in state.network.named_parameters():
        assert torch.equal(parameter, network[key])
        assert parameter.grad is None


def test_learning_rate_is_a_cosine_over_the_run():
    recipe = OneShotRecipe(lr=0.2, lr_min=0.1)
    rates = [recipe.lr_at(epoch, 4) for epoch in range(4)]
    assert rates == pytest.approx([0.2, 0.15 + 0.05 * 2**-0.5, 0.15, 0.15 - 0.05 * 2**-0.5])
    assert recipe.lr_at(0, 1) == 0.2
    state = start(recipe)
    train(state, by_name("darts"), 4, recipe)
    assert state.weights.param_groups[0]["lr"] == pytest.approx(rates[-1])


@pytest.mark.parametrize("field", ["epochs_per_round", "batch_size", "threads"])
def test_recipe_refuses_zero(field):
    with pytest.raises(ValueError, match=field):
        OneShotRecipe(**{field: 0})


@pytest.mark.parametrize("change", [{"lr": -1.0}, {"momentum": 2.0}, {"clip": float("nan")}])
def test_recipe_refuses_what_cannot_train(change):
    with pytest.raises(ValueError, match=f"OneShotRecipe.{next(iter(change))}"):
        OneShotRecipe(**change)


@pytest.mark.parametrize("name", SAMPLERS)
def test_divergence_is_an_error(name):
    recipe = OneShotRecipe(lr=1e30, batch_size=16, clip=1e30)
    with pytest.raises(StudyError, match="diverged"):
        train(start(recipe), by_name(name), 8, recipe)


def test_every_image_once_an_epoch():
    order = bilevel._order(10, 5, 2)
    assert sorted(order.flatten().tolist()) == list(range(10))
    assert bilevel._order(10, 4, 5).shape == (5, 4)


def test_ranking_leaves_the_network_as_it_was():
    state, splits = start(), toy.ToyImages().load()
    train(state, by_name("uniform"), 10)
    before = copied(state.network)
    paths = list(configs.enumerate_space(toy.space()))
    best = best_path(state.network, paths, splits.architecture, 16)
    assert state.network.training
    assert all(torch.equal(before[k], v) for k, v in state.network.state_dict().items())
    assert configs.to_dict(best.configuration) == {"left": "keep", "right": "keep"}
    assert best.accuracy > 0.7
    # Nine paths: three choices on each edge, each in three of the nine.
    assert best.flops == 40 * (9 * 32 + 2 * 3 * 24)


def test_isolation_restores_generators_and_threads():
    def states():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

    before, threads = states(), torch.get_num_threads()
    with pytest.raises(KeyError), isolated("cpu", threads=2):
        assert torch.get_num_threads() == 2
        reseed(1, "cpu")
        first = torch.rand(2).tolist(), np.random.rand(), random.random()  # noqa: NPY002
        reseed(1, "cpu")
        assert first == (torch.rand(2).tolist(), np.random.rand(), random.random())  # noqa: NPY002
        raise KeyError
    assert states() == before
    assert torch.get_num_threads() == threads
