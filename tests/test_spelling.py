"""Searchers as typed: names, settings in both places, mistakes."""

from __future__ import annotations

import pytest

from automl_nas import spelling
from automl_nas.errors import SettingError, UnknownName
from automl_nas.spelling import Spelt


def test_a_name_alone():
    assert spelling.parse("random") == Spelt("random")
    assert str(Spelt("random")) == "random"


def test_values_are_json_or_texts():
    spelt = spelling.parse("optuna:tpe multivariate=false n_startup_trials=4 x=abc y=[1,2]")
    assert spelt.settings == {
        "multivariate": False, "n_startup_trials": 4, "x": "abc", "y": [1, 2],
    }  # fmt: skip
    assert spelling.parse(str(spelt)) == spelt


def test_settings_find_their_place(space):
    tpe = spelling.make("optuna:tpe multivariate=true n_startup_trials=4", space)
    assert tpe.settings == {"multivariate": True, "n_startup_trials": 4}
    evolution = spelling.make("regularized-evolution sample_size=2", space, population_size=7)
    assert (evolution.sample_size, evolution.population_size) == (2, 7)


def test_what_is_typed_overrules_what_is_offered(space):
    offered = {"settings": {"population_size": 8, "mutation_prob": 0.5}}
    searcher = spelling.make("optuna:nsga2 population_size=4", space, **offered)
    assert searcher.settings == {"population_size": 4, "mutation_prob": 0.5}


def test_all_after_the_first_colon_is_opaque():
    assert spelling.parse("optuna:a:b x=1").name == "optuna:a:b"


def test_names_have_every_variant():
    names = spelling.names()
    assert {"random", "optuna:tpe", "smac:parego", "gradient:gdas"} <= set(names)
    assert "optuna" not in names


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", SettingError, "expected NAME"),
        ("x=1", SettingError, "expected NAME"),
        ("random x", SettingError, "expected KEY=VALUE"),
        ("random 'x", SettingError, "cannot be read"),
        ("rando", UnknownName, "did you mean random"),
        ("optuna:tpee", UnknownName, "did you mean optuna:tpe"),
        ("optuna:tpe multivariat=1", UnknownName, "did you mean multivariate"),
        ("local-search initia=1", UnknownName, "did you mean initial"),
        ("random x=1", SettingError, "has no settings, got 'x'"),
        ("smac:rf initial=0", SettingError, "positive integer"),
        ("gradient:darts", SettingError, "cannot be made: .*supernet"),
    ],
)
def test_mistakes_are_explained(space, text, error, message):
    with pytest.raises(error, match=message):
        spelling.make(text, space)
