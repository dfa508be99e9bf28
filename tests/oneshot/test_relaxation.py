import itertools
import math
import random

import pytest
import torch
from ConfigSpace import (
    AndConjunction,
    Categorical,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenEqualsRelation,
    ForbiddenInClause,
    InCondition,
    OrdinalHyperparameter,
)
from ConfigSpace import ConfigurationSpace as Space
from ConfigSpace.exceptions import ForbiddenValueError

from automl_nas import configs
from automl_nas.errors import SpaceError, UnsupportedSpace
from automl_nas.layout import Slot
from automl_nas.oneshot.relaxation import Relaxation, most_probable
from automl_nas.oneshot.samplers import SAMPLERS, Darts, by_name

from . import toy


def nasty():
    """Conditions two levels deep, three kinds of clauses, an ordinal and a constant."""
    space = Space()
    kind = Categorical("kind", ["a", "b", "c"])
    size = OrdinalHyperparameter("size", [1, 2, 4])
    child = Categorical("child", ["x", "y", "z"])
    grandchild = Categorical("grandchild", [True, False])
    twin = Categorical("twin", ["x", "y", "z"], default="z")
    space.add([kind, size, child, grandchild, twin, Constant("fixed", 3)])
    space.add(InCondition(child, kind, ["a", "b"]))
    space.add(
        AndConjunction(
            EqualsCondition(grandchild, child, "y"), EqualsCondition(grandchild, size, 2)
        )
    )
    space.add(ForbiddenEqualsRelation(child, twin))
    space.add(
        ForbiddenAndConjunction(ForbiddenEqualsClause(kind, "c"), ForbiddenInClause(size, [2, 4]))
    )
    space.add(ForbiddenEqualsClause(grandchild, True))
    return space


def brute_force(space, probabilities):
    """The greatest joint probability of an assignment that is legal once conditions are applied."""
    names, best = list(space), -math.inf
    options = [configs.choices(space[name]) for name in names]
    for values in itertools.product(*options):
        full = dict(zip(names, values, strict=True))
        if configs.legal(space, configs.define_by_run(space, full.__getitem__)) is not None:
            best = max(best, _log_probability(space, probabilities, full))
    return best


def _log_probability(space, probabilities, full):
    return sum(
        math.log(probabilities[name][configs.choices(space[name]).index(value)])
        for name, value in full.items()
    )


def _random_probabilities(space, rng, sharpness):
    result = {}
    for name in space:
        weights = [math.exp(sharpness * rng.gauss(0, 1)) for _ in configs.choices(space[name])]
        result[name] = [weight / sum(weights) for weight in weights]
    return result


def _best_completion(space, probabilities, configuration):
    """The most probable assignment that leads to `configuration`."""
    names, best = list(space), -math.inf
    for values in itertools.product(*(configs.choices(space[name]) for name in names)):
        full = dict(zip(names, values, strict=True))
        if configs.define_by_run(space, full.__getitem__) == configs.to_dict(configuration):
            best = max(best, _log_probability(space, probabilities, full))
    return best


@pytest.mark.parametrize("sharpness", [1e-3, 1.0, 5.0])
def test_mode_equals_brute_force(sharpness):
    space, rng = nasty(), random.Random(0)
    for _ in range(15):
        probabilities = _random_probabilities(space, rng, sharpness)
        configuration = most_probable(space, probabilities)
        found = _best_completion(space, probabilities, configuration)
        assert found == pytest.approx(brute_force(space, probabilities), abs=1e-12)


def test_mode_without_clauses_is_argmax_and_drops_inactive():
    space = Space()
    kind, child = Categorical("kind", ["a", "b"]), Categorical("child", ["x", "y", "z"])
    space.add([kind, child])
    space.add(EqualsCondition(child, kind, "b"))
    probabilities = {"kind": [0.6, 0.4], "child": [0.0, 0.1, 0.9]}
    assert configs.to_dict(most_probable(space, probabilities)) == {"kind": "a"}
    probabilities["kind"] = [0.4, 0.6]
    assert configs.to_dict(most_probable(space, probabilities)) == {"kind": "b", "child": "z"}


def test_mode_is_quick_when_a_clause_meets_many_undecided_hyperparameters():
    """Nearly equal probabilities elsewhere must not be enumerated."""
    space, rng = Space(), random.Random(1)
    space.add([Categorical(f"h{i}", list("abcde"), default="b") for i in range(40)])
    probabilities = _random_probabilities(space, rng, 1e-3)
    probabilities["h3"], probabilities["h7"] = [0.9, 0.04, 0.03, 0.02, 0.01], [0.8, 0.2, 0, 0, 0]
    clause = (ForbiddenEqualsClause(space["h3"], "a"), ForbiddenEqualsClause(space["h7"], "a"))
    space.add(ForbiddenAndConjunction(*clause))
    chosen = configs.to_dict(most_probable(space, probabilities))
    assert (chosen["h3"], chosen["h7"]) == ("a", "b")


def test_mode_is_quick_where_the_most_probable_choices_contradict_many_clauses():
    """Certain ones, too: only impossible choices are left, and the fewest are taken."""
    space, rng = Space(), random.Random(2)
    pairs = [(Categorical(f"a{i}", range(5)), Categorical(f"b{i}", range(5))) for i in range(5)]
    for one, other in pairs:
        other.default_value = 1
        space.add([one, other])
        space.add(ForbiddenEqualsRelation(one, other))
    certain = {name: [1.0, 0.0, 0.0, 0.0, 0.0] for name in space}
    chosen = configs.to_dict(most_probable(space, certain))
    assert all({chosen[one.name], chosen[other.name]} == {0, 1} for one, other in pairs)
    assert most_probable(space, _random_probabilities(space, rng, 1.0)) is not None


@pytest.mark.parametrize("name", SAMPLERS)
def test_sample_and_state(name):
    sampler, space = by_name(name), nasty()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        relaxation, other = Relaxation(space), Relaxation(space)
        mixture = relaxation.sample(sampler, 0.5)
    assert list(mixture) == list(space)
    assert [len(w.values) for w in mixture.values()] == [
        len(configs.choices(h)) for h in space.values()
    ]
    other.load_state_dict(relaxation.state_dict())
    assert other.probabilities(sampler) == relaxation.probabilities(sampler)
    assert other.mode(sampler) == relaxation.mode(sampler)


def test_mode_follows_the_logits():
    relaxation = Relaxation(toy.space())
    relaxation.load_state_dict(
        {"logits.0": torch.tensor([0.0, 2.0, 1.0]), "logits.1": torch.tensor([3.0, 2.0, 1.0])}
    )
    assert configs.to_dict(relaxation.mode(Darts())) == {"left": "absolute", "right": "none"}
    assert max(abs(x) for p in Relaxation(toy.space()).parameters() for x in p.tolist()) < 0.01


def test_numeric_hyperparameter_is_refused():
    space = Space()
    space.add(Float("learning_rate", (0.1, 1.0)))
    with pytest.raises(UnsupportedSpace, match="learning_rate"):
        Relaxation(space)


def test_space_error_when_nothing_is_legal(monkeypatch):
    def refuse(*_):
        raise ForbiddenValueError("all of it")

    monkeypatch.setattr(Slot, "refuse_forbidden", refuse)
    with pytest.raises(SpaceError, match="no legal configuration"):
        most_probable(nasty(), _random_probabilities(nasty(), random.Random(0), 1.0))
