"""Scikit-learn's handwritten digits on a larger canvas: a real image task that needs no download.

    splits = Digits().load()          # 1,797 images in four disjoint parts

Each 8x8 digit is put at a random place of the canvas, and noise is added: then where the ink is
says little, shapes must be recognised wherever they are, and architectures differ. Everything is
drawn once with `seed`; no image is in two parts.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998, as
shipped with scikit-learn (`sklearn.datasets.load_digits`).
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from automl_nas import seeds
from automl_nas.errors import MissingPackage, SettingError
from automl_nas.images import Split, Splits

_SIZE = 8
_INK = 16.0
"""The largest grey value."""
Array = np.ndarray


@dataclass(frozen=True)
class Digits:
    """An `ImageTask`: ten classes, one channel."""

    canvas: int = 10
    """Height and width in pixels, at least 8."""
    noise: float = 0.15
    """Standard deviation of the noise in units of full ink."""
    train: int = 400
    """Images that fit weights."""
    architecture: int = 400
    """Images that fit architecture parameters."""
    validation: int = 500
    """Images that searchers see the error on; the rest is the test part."""
    seed: int = 0
    """Of the split, the places and the noise."""
    name: ClassVar[str] = "digits"

    def __post_init__(self) -> None:
        if self.canvas < _SIZE:
            raise SettingError(f"a digit needs a canvas of {_SIZE} pixels or more, {self.canvas=}.")

    def load(self) -> Splits:
        """Tensors of shape (n, 1, canvas, canvas), normalised by the training part.

        Raises:
            SettingError: the three sizes leave nothing to test on.
        """
        return _load(self)


@functools.lru_cache(maxsize=8)
def _load(task: Digits) -> Splits:
    images, labels = _shipped()
    sizes = [task.train, task.architecture, task.validation]
    rest = len(labels) - sum(sizes)
    if rest <= 0:
        raise SettingError(f"{sum(sizes)} of {len(labels)} images leave none for the test part.")
    sizes.append(rest)
    rng = seeds.rng("digits", task.seed)
    order = rng.permutation(len(labels))
    placed = _place(images[order].reshape(-1, _SIZE, _SIZE) / _INK, task, rng)
    placed = (placed - placed[: task.train].mean()) / placed[: task.train].std()
    pixels = torch.from_numpy(placed.astype(np.float32)).unsqueeze(1)
    targets = torch.from_numpy(labels[order].astype(np.int64))
    train, architecture, validation, test = (
        Split(*part)
        for part in zip(torch.split(pixels, sizes), torch.split(targets, sizes), strict=True)
    )
    return Splits(train, architecture, validation, test, classes=10)


def _shipped() -> tuple[Array, Array]:
    """Scikit-learn's file, read as `load_digits` does but without its import of over a second."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise MissingPackage("scikit-learn", "the task digits")
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(file, delimiter=",")
    return table[:, :-1], table[:, -1].astype(np.int64)


def _place(digits: Array, task: Digits, rng: np.random.RandomState) -> Array:
    """(n, 8, 8) -> (n, canvas, canvas)."""
    canvas = task.noise * rng.standard_normal((len(digits), task.canvas, task.canvas))
    corners = rng.randint(task.canvas - _SIZE + 1, size=(len(digits), 2))
    for image, digit, (top, left) in zip(canvas, digits, corners, strict=True):
        image[top : top + _SIZE, left : left + _SIZE] += digit
    return canvas
