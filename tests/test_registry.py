"""Names: searchers with variants and settings, and what is not registered."""

from __future__ import annotations

import pytest

from automl_nas import registry
from automl_nas.errors import UnknownName, UnsupportedSpace
from automl_nas.oneshot.samplers import SAMPLERS
from automl_nas.searchers import EvolutionSearcher, HalvingSearcher, OptunaSearcher, RandomSearcher


def test_a_searcher_by_name(space):
    made = registry.create("regularized-evolution", space, population_size=7)
    assert made == EvolutionSearcher(space, population_size=7)


@pytest.mark.parametrize(
    "name",
    [
        "optuna:tpe", "optuna:nsga2", "smac:rf", "smac:parego", "syne-tune:mo-rea", "random",
        "asha:optuna:tpe", "asha:smac:rf", "hyperband:random", "synchronous-halving:local-search",
        "synchronous-hyperband:syne-tune:mo-rea",
    ],
)  # fmt: skip
def test_the_name_of_a_searcher_makes_it(space, name):
    assert registry.create(name, space).name == name


def test_a_variant_is_a_setting(space):
    assert registry.create("optuna:nsga2", space) == OptunaSearcher(space, "nsga2")


def test_a_searcher_around_another_takes_settings_for_both(space):
    made = registry.create(
        "hyperband:optuna:nsga2", space, eta=4, inner_settings={"settings": {"population_size": 7}}
    )
    inner = OptunaSearcher(space, "nsga2", {"population_size": 7})
    assert made == HalvingSearcher(inner, scheme="hyperband", eta=4)
    assert registry.create("asha", space) == HalvingSearcher(RandomSearcher(space))
    assert registry.create("asha", space, inner=inner) == HalvingSearcher(inner)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("optunaa", {}, "unknown searcher 'optunaa': did you mean optuna"),
        ("optuna:tpr", {}, "did you mean tpe"),
        ("random:tpe", {}, "unknown searcher 'random:tpe'"),
        ("random", {"sede": 1}, "unknown setting of random 'sede'"),
        ("asha:optuna:tpr", {}, "did you mean tpe"),
        ("asha:optunaa", {}, "did you mean optuna"),
        ("asha", {"etaa": 3}, "unknown setting of asha 'etaa': did you mean eta"),
        ("asha:random", {"inner_settings": {"sede": 1}}, "unknown setting of random 'sede'"),
    ],
)
def test_unknown_names_come_with_the_nearest(space, name, settings, message):
    with pytest.raises(UnknownName, match=message):
        registry.create(name, space, **settings)


@pytest.mark.parametrize("head", ["optuna", "smac", "syne-tune"])
def test_every_listed_variant_can_be_made(space, head):
    for variant in registry.load("searcher", head).variants:
        try:
            made = registry.create(f"{head}:{variant}", space)
        except UnsupportedSpace as reason:
            assert f"{head}:{variant}" in str(reason)
        else:
            assert made.name == f"{head}:{variant}"


def test_the_listed_gradient_samplers_are_those_there_are():
    assert registry.load("searcher", "gradient").variants == tuple(SAMPLERS)
