"""Samplers: architecture logits of one hyperparameter -> `Weights` over its choices.

    sampler = by_name("gdas")                      # or Gdas(tau_last=0.5)
    weights = sampler.draw(logits, progress=0.3)   # 0 in the first epoch of the run, 1 in the last

A sampler is a frozen dataclass and says three things: whether the architecture `learns` from it,
what it draws, and which `probabilities` the logits stand for (the mean of the draws, used to
discretise). How the weights are mixed is the supernet's affair. Draws use the default generator of
torch, since `Dirichlet.rsample` knows no other: call them inside `automl_nas.isolation.isolated`.
To add a sampler, implement `Sampler` and pass an instance to `GradientSearcher(sampler=...)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.distributions import Dirichlet
from torch.nn import functional

from automl_nas.errors import SettingError, UnknownName
from automl_nas.supernet.mixture import Weights

_LEAST_CONCENTRATION = 1e-3
"""Below it a Dirichlet draw underflows to zeros and its gradient to nan."""


@runtime_checkable
class Sampler(Protocol):
    """What turns logits into weights; a frozen dataclass."""

    name: ClassVar[str]
    learns: ClassVar[bool]
    """Whether the architecture parameters are trained; False: paths are ranked afterwards."""

    def probabilities(self, logits: Tensor) -> Tensor:
        """(choices,) -> (choices,): the mean of the draws."""

    def draw(self, logits: Tensor, progress: float) -> Weights:
        """Weights that carry the gradient to `logits`; `progress` runs from 0 to 1."""


@dataclass(frozen=True)
class Darts:
    """Softmax: no draw at all (Liu et al. 2019, arXiv 1806.09055, eq. 2)."""

    name: ClassVar[str] = "darts"
    learns: ClassVar[bool] = True

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(alpha)."""
        return functional.softmax(logits, dim=-1)

    def draw(self, logits: Tensor, progress: float) -> Weights:  # noqa: ARG002
        """The probabilities themselves."""
        return Weights(self.probabilities(logits))


@dataclass(frozen=True)
class Drnas:
    """A Dirichlet draw with a pathwise gradient (Chen et al. 2021, arXiv 2006.10355, section 2).

    Departures: the concentration is kept at 0.001 or more; the paper's progressive widening and
    partial channels are not a sampler's part.
    """

    name: ClassVar[str] = "drnas"
    learns: ClassVar[bool] = True

    def _concentration(self, logits: Tensor) -> Tensor:
        # beta = elu(alpha) + 1: one, the uniform Dirichlet, at alpha = 0.
        return (functional.elu(logits) + 1).clamp_min(_LEAST_CONCENTRATION)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The mean beta / sum(beta) of the Dirichlet distribution."""
        beta = self._concentration(logits)
        return beta / beta.sum(-1, keepdim=True)

    def draw(self, logits: Tensor, progress: float) -> Weights:  # noqa: ARG002
        """A draw theta ~ Dirichlet(beta), differentiable in beta."""
        dirichlet = Dirichlet(self._concentration(logits), validate_args=False)
        return Weights(dirichlet.rsample())


@dataclass(frozen=True)
class Gdas:
    """Hard Gumbel-softmax, straight-through gradient (Dong & Yang 2019, arXiv 1910.04465).

    The temperature falls linearly over the epochs of this run, whatever their number; a run of one
    epoch keeps the first temperature.
    """

    tau_first: float = 10.0
    """Temperature in the first epoch."""
    tau_last: float = 0.1
    """Temperature in the last epoch."""

    name: ClassVar[str] = "gdas"
    learns: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if min(self.tau_first, self.tau_last) <= 0:
            raise SettingError(f"temperatures must be positive, got {self}.")

    def tau(self, progress: float) -> float:
        """Temperature at `progress` between 0 (first epoch) and 1 (last)."""
        return (1 - progress) * self.tau_first + progress * self.tau_last

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(alpha): how often each choice is drawn (the Gumbel-max theorem)."""
        return functional.softmax(logits, dim=-1)

    def soft(self, logits: Tensor, gumbel: Tensor, tau: float) -> Tensor:
        """The relaxed draw q = softmax((log softmax(alpha) + g) / tau), for given g."""
        return functional.softmax((functional.log_softmax(logits, dim=-1) + gumbel) / tau, dim=-1)

    def draw(self, logits: Tensor, progress: float) -> Weights:
        """one_hot(argmax q) forward, q backward; only the drawn choice is computed."""
        drawn = torch.empty_like(logits).exponential_()
        gumbel = -drawn.clamp_min(torch.finfo(logits.dtype).tiny).log()  # g = -log(Exp(1))
        q = self.soft(logits, gumbel, self.tau(progress))
        index = int(q.argmax())
        # The paper's one_hot - sg(q) + q, in the order that leaves exact zeros and ones.
        return Weights(_one_hot(logits, index) + (q - q.detach()), index)


@dataclass(frozen=True)
class Uniform:
    """One path at a time, each choice equally often (SPOS, Guo et al. 2020, arXiv 1904.00420).

    Choices are drawn independently: conditions and forbidden clauses bind only the paths that are
    ranked, not those that are trained.
    """

    name: ClassVar[str] = "uniform"
    learns: ClassVar[bool] = False

    def probabilities(self, logits: Tensor) -> Tensor:
        """1 / choices, whatever the logits."""
        return torch.full_like(logits, 1 / logits.numel())

    def draw(self, logits: Tensor, progress: float) -> Weights:  # noqa: ARG002
        """A one-hot vector without gradient."""
        index = int(torch.randint(logits.numel(), ()))
        return Weights(_one_hot(logits, index), index)


SAMPLERS: Mapping[str, type[Sampler]] = MappingProxyType(
    {kind.name: kind for kind in (Darts, Drnas, Gdas, Uniform)}
)
"""The built-in samplers with their papers' settings."""


def by_name(name: str) -> Sampler:
    """The built-in sampler of that name; raises UnknownName."""
    if name not in SAMPLERS:
        raise UnknownName("sampler", name, SAMPLERS)
    return SAMPLERS[name]()


def _one_hot(logits: Tensor, index: int) -> Tensor:
    values = torch.zeros_like(logits)
    values[index] = 1
    return values
