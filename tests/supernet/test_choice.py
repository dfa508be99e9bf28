"""OpChoice against sums and gradients worked out by hand."""

import pytest
import torch
from torch import nn

from automl_nas.supernet.choice import OpChoice, Zero
from automl_nas.supernet.mixture import Weights


class Times(nn.Module):
    """Multiplies by a number and counts its calls."""

    def __init__(self, factor):
        super().__init__()
        self.factor, self.calls = factor, 0

    def forward(self, x):
        self.calls += 1
        return self.factor * x


def choice():
    return OpChoice("edge", [Zero(), Times(2.0), Times(10.0)])


X = torch.tensor([[1.0, -3.0]])


def test_soft_weights_superpose_all_candidates():
    torch.testing.assert_close(
        choice()(X, Weights(torch.tensor([0.5, 0.3, 0.2]))), (0.3 * 2 + 0.2 * 10) * X
    )


def test_soft_gradients_are_the_candidates_outputs():
    values = torch.tensor([0.5, 0.3, 0.2], requires_grad=True)
    choice()(X, Weights(values)).sum().backward()
    assert values.grad.tolist() == [0.0, 2 * -2.0, 10 * -2.0]


def test_soft_weights_do_not_run_the_zero_operation(monkeypatch):
    monkeypatch.setattr(Zero, "forward", lambda self, x: pytest.fail("computed"))
    choice()(X, Weights(torch.tensor([0.5, 0.3, 0.2])))


def test_only_zeros_give_zeros():
    only = OpChoice("edge", [Zero(), Zero()])
    torch.testing.assert_close(only(X, Weights(torch.tensor([0.4, 0.6]))), torch.zeros_like(X))


def test_a_hard_draw_runs_one_candidate():
    module = choice()
    y = module(X, Weights(torch.tensor([0.0, 0.0, 1.0]), index=2))
    torch.testing.assert_close(y, 10 * X)
    assert (module.candidates[1].calls, module.candidates[2].calls) == (0, 1)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_straight_through_gradient_of_a_hard_draw(index):
    # y = w_i op_i(x) + sum of the other w: d sum(y) / d w_i = sum(op_i(x)), and the number of
    # entries of y for every other weight
    logits = torch.tensor([0.1, 0.7, -0.2], requires_grad=True)
    soft = logits.softmax(0)
    drawn = torch.eye(3)[index]
    values = drawn - soft.detach() + soft
    values.retain_grad()
    y = choice()(X, Weights(values, index))
    torch.testing.assert_close(y, [0.0, 2.0, 10.0][index] * X)
    y.sum().backward()
    expected = torch.full((3,), float(X.numel()))
    expected[index] = [0.0, 2.0, 10.0][index] * float(X.sum())
    torch.testing.assert_close(values.grad, expected)
    probabilities = soft.detach()
    by_hand = probabilities * (expected - (probabilities * expected).sum())
    torch.testing.assert_close(logits.grad, by_hand)


def test_weights_of_another_size_are_refused():
    with pytest.raises(ValueError, match="'edge' has 3 candidates"):
        choice()(X, Weights(torch.ones(2)))
