"""Image classification data in four disjoint parts, as tensors in memory.

`train` fits weights, `architecture` fits architecture parameters (or picks sub-networks by
inherited weights), `validation` is what searchers see, `test` is only reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Images and their labels."""

    images: Tensor
    """(n, channels, height, width) float32."""
    labels: Tensor
    """(n,) int64."""


@dataclass(frozen=True)
class Splits:
    """The four parts of a task."""

    train: Split
    architecture: Split
    validation: Split
    test: Split
    classes: int


class ImageTask(Protocol):
    """A frozen recipe for data."""

    @property
    def name(self) -> str:
        """Such as `digits`."""

    def load(self) -> Splits:
        """The same tensors every time."""
