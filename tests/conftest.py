"""What every test shares: no test may depend on the order or on global random state."""

from __future__ import annotations

import random

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer


@pytest.fixture(autouse=True)
def unseeded():
    """Global generators start elsewhere in every test: nothing may lean on them."""
    random.seed()
    np.random.seed(None)  # noqa: NPY002


@pytest.fixture
def space() -> ConfigurationSpace:
    """A small conditional space."""
    space = ConfigurationSpace(name="small")
    optimizer = Categorical("optimizer", ["sgd", "adam"])
    momentum = Float("momentum", (0.0, 0.99))
    space.add(optimizer, momentum, Integer("width", (4, 64), log=True))
    space.add(EqualsCondition(momentum, optimizer, "sgd"))
    return space
