import math
from dataclasses import FrozenInstanceError

import pytest
import torch

from automl_nas.errors import UnknownName
from automl_nas.oneshot.samplers import SAMPLERS, Darts, Drnas, Gdas, Sampler, Uniform, by_name

LOGITS = [0.3, -1.2, 0.8, 0.0]


def logits(values=LOGITS):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", SAMPLERS)
def test_contract(name):
    sampler, alpha = by_name(name), logits()
    assert isinstance(sampler, Sampler)
    assert sampler.name == name
    for progress in (0.0, 0.5, 1.0):
        weights = sampler.draw(alpha, progress)
        assert weights.values.sum().item() == pytest.approx(1)
        assert weights.values.min() >= 0
        assert weights.values.requires_grad == sampler.learns
        if weights.index is not None:
            expected = torch.zeros(4, dtype=torch.float64)
            expected[weights.index] = 1
            assert torch.equal(weights.values, expected)
    assert sampler.probabilities(alpha).sum().item() == pytest.approx(1)
    with pytest.raises(FrozenInstanceError):
        sampler.name = "other"


@pytest.mark.parametrize("name", SAMPLERS)
def test_mean_of_draws_is_probabilities(name):
    sampler, alpha = by_name(name), logits()
    draws = torch.stack([sampler.draw(alpha, 0.0).values.detach() for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), sampler.probabilities(alpha), atol=0.03, rtol=0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_single_choice(name):
    weights = by_name(name).draw(logits([0.1]), 0.5)
    assert weights.values.tolist() == pytest.approx([1.0])


def test_darts_is_softmax():
    total = sum(math.exp(a) for a in LOGITS)
    expected = [math.exp(a) / total for a in LOGITS]
    assert Darts().draw(logits(), 0.0).values.tolist() == pytest.approx(expected)
    assert Darts().draw(logits(), 0.0).index is None


def test_drnas_mean_is_closed_form():
    beta = [a + 1 if a > 0 else math.exp(a) for a in LOGITS]
    expected = [b / sum(beta) for b in beta]
    assert Drnas().probabilities(logits()).tolist() == pytest.approx(expected)
    assert Drnas().probabilities(logits([0.0] * 4)).tolist() == [0.25] * 4


def test_drnas_pathwise_gradient_of_the_mean():
    """The mean of gradients of draws is the gradient of the mean."""
    values, other = logits(), logits()
    for _ in range(4000):
        (Drnas().draw(values, 0.0).values[2] / 4000).backward()
    Drnas().probabilities(other)[2].backward()
    torch.testing.assert_close(values.grad, other.grad, atol=0.02, rtol=0)


@pytest.mark.parametrize("low", [-3.0, -30.0, -1000.0])
def test_drnas_survives_tiny_concentrations(low):
    for dtype in (torch.float32, torch.float64):
        alpha = torch.full((5,), low, dtype=dtype, requires_grad=True)
        for _ in range(200):
            values = Drnas().draw(alpha, 0.0).values
            (gradient,) = torch.autograd.grad(values[0], alpha)
            assert torch.isfinite(values).all()
            assert torch.isfinite(gradient).all()


def test_gdas_temperature():
    assert Gdas().tau(0.0) == 10.0
    assert Gdas().tau(1.0) == 0.1
    assert Gdas().tau(0.5) == pytest.approx(5.05)
    assert Gdas(tau_first=2.0, tau_last=1.0).tau(1.0) == 1.0
    with pytest.raises(ValueError, match="positive"):
        Gdas(tau_last=0.0)


@pytest.mark.parametrize("progress", [0.0, 0.6, 1.0])
def test_gdas_gradient_is_that_of_the_soft_draw(progress):
    sampler, alpha = Gdas(), logits()
    target = torch.tensor([0.5, -1.0, 2.0, 0.25], dtype=torch.float64)
    torch.manual_seed(3)
    weights = sampler.draw(alpha, progress)
    (weights.values * target).sum().backward()

    torch.manual_seed(3)
    gumbel = -torch.empty(4, dtype=torch.float64).exponential_().log()

    def soft(point):
        return (sampler.soft(point, gumbel, sampler.tau(progress)) * target).sum().item()

    assert weights.index == int(sampler.soft(alpha, gumbel, 1.0).argmax())
    steps = 1e-6 * torch.eye(4, dtype=torch.float64)
    point = alpha.detach()
    numeric = [(soft(point + step) - soft(point - step)) / 2e-6 for step in steps]
    assert alpha.grad.tolist() == pytest.approx(numeric, abs=1e-6)


def test_uniform_does_not_learn_and_ignores_logits():
    draws = [Uniform().draw(logits([50.0, 0.0]), 0.0).index for _ in range(2000)]
    assert not Uniform().learns
    assert sum(draws) / 2000 == pytest.approx(0.5, abs=0.05)


def test_unknown_name():
    with pytest.raises(UnknownName, match="did you mean darts"):
        by_name("dart")
