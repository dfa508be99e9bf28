"""What makes recipes equal, and how differences are told."""

from __future__ import annotations

import enum
import functools
import json
from dataclasses import dataclass

import numpy as np
import pytest

from automl_nas import identity, seeds, signing
from automl_nas.errors import MissingPackage, StudyMismatch


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Recipe:
    size: int
    rate: float = float("nan")


def test_numpy_settings_are_told_apart():
    assert identity.describe(np.int64(3)) == 3
    assert identity.describe(Recipe(np.int64(3))) != identity.describe(Recipe(np.int64(4)))


def test_every_description_is_json():
    part = functools.partial(print, 1, sep=np.float32(0.5), colour=Colour.RED, size=np.int64(2))
    described = identity.describe(part)
    expected = {"partial": "print", "args": [1], "sep": 0.5, "colour": "RED", "size": 2}
    assert json.loads(json.dumps(described)) == expected


def test_a_recipe_with_nan_equals_itself():
    stored = signing.as_json({"recipe": identity.describe(Recipe(1))})
    assert signing.differences(stored, stored) == {}


def test_the_order_of_metrics_is_part_of_the_identity():
    one, two = {"name": "error"}, {"name": "size"}
    found = signing.differences({"optimize": [one, two]}, {"optimize": [two, one]})
    assert found == {"optimize": (["error", "size"], ["size", "error"])}


def test_each_difference_is_one_short_line():
    old = {"a": {"name": "a", "choices": ["x" * 50] * 50, "meta": None}}
    message = str(StudyMismatch("s", {"space.a": (old, None), "seed": (0, 1)}))
    lines = message.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) < 130
    assert lines[2] == "  seed: stored 0, given 1"
    assert lines[3].endswith("run it with accept=['space', 'seed'].")


def test_directions_are_never_offered_for_acceptance():
    assert "accept" not in str(StudyMismatch("s", {"optimize.error.goal": ("min", "max")}))


def test_a_package_that_is_not_installed():
    with pytest.raises(MissingPackage, match="pip install no-such-thing"):
        identity.versions(["no-such-thing"])


def test_a_keyed_generator_is_numpys_own_with_the_derived_seed():
    ours, numpys = seeds.rng("a", 1), np.random.RandomState(seeds.derive("a", 1))
    assert str(ours.get_state()) == str(numpys.get_state())
    assert ours.normal(size=5).tolist() == numpys.normal(size=5).tolist()
