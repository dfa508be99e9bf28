"""A choice between operations, weighted by a mixture that comes with the call.

    choice = OpChoice("edge_0_1", [Zero(), nn.Identity(), convolution])
    y = choice(x, mixture["edge_0_1"])

Soft weights superpose the candidates' outputs (Liu et al., "DARTS", ICLR 2019, eq. 2). A hard draw
runs one candidate; the weights of the others join as numbers that are zero but carry the
straight-through gradient, exactly as the official code of GDAS does (Dong and Yang, "Searching for
A Robust Neural Architecture in Four GPU Hours", CVPR 2019, eq. 7; `forward_gdas`).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from automl_nas.supernet.mixture import Weights


class Zero(nn.Module):
    """The operation `none`: zeros of the input's shape."""

    def forward(self, x: Tensor) -> Tensor:
        """(any shape) -> the same shape."""
        return torch.zeros_like(x)


class OpChoice(nn.Module):
    """The candidates of one hyperparameter; all map an input to the same shape."""

    def __init__(self, name: str, candidates: Iterable[nn.Module]) -> None:
        super().__init__()
        self.name = name
        self.candidates = nn.ModuleList(candidates)

    def forward(self, x: Tensor, weights: Weights) -> Tensor:
        """The candidates' outputs under `weights`.

        Raises:
            ValueError: the number of weights is not that of the candidates.
        """
        if weights.values.shape != (len(self.candidates),):
            raise ValueError(
                f"hyperparameter {self.name!r} has {len(self.candidates)} candidates, got weights "
                f"of shape {tuple(weights.values.shape)}: give one weight per choice."
            )
        if weights.index is None:
            return self._soft(x, weights.values)
        return self._hard(x, weights.values, weights.index)

    def _soft(self, x: Tensor, values: Tensor) -> Tensor:
        """Candidates that are `Zero` are not computed: their share is zero."""
        total: Tensor | None = None
        for candidate, weight in zip(self.candidates, values.unbind(), strict=True):
            if not isinstance(candidate, Zero):
                share = weight * candidate(x)
                total = share if total is None else total + share
        return torch.zeros_like(x) if total is None else total

    def _hard(self, x: Tensor, values: Tensor, index: int) -> Tensor:
        y: Tensor = values[index] * self.candidates[index](x)
        if values.requires_grad:
            y = y + (values.sum() - values[index])
        return y
