"""The spaces of HW-GPT-Bench: every architecture of the table, its size, its neighbours' error."""

import os

import numpy as np
import pytest

from automl_nas import configs, registry, tables
from automl_nas.errors import SettingError, UnknownName
from automl_nas.tables.hwgpt import make_key
from automl_nas.tables.table import Column, Table
from automl_nas.types import Metric, Trial
from spaces.hw_gpt import SCALES, Surrogate, from_key, leave_one_out, parameters, s, to_key
from spaces.hw_gpt.pool import pool

DATA = os.environ.get("AUTOML_NAS_DATA")
real = pytest.mark.skipif(DATA is None, reason="AUTOML_NAS_DATA is not set")
TRIAL = Trial(0, 0)


def draws(scale, number, seed=0):
    space, rng = (
        registry.load("space", f"hw_gpt_{scale}").search_space(),
        np.random.RandomState(seed),
    )
    return [configs.sample(space, rng) for _ in range(number)]


def toy(number=60):
    """A table whose perplexity is a smooth function of size."""
    keys = list(dict.fromkeys(to_key(one) for one in draws("s", number)))
    sizes = np.array([float(parameters(key)) for key in keys])
    columns = {
        "params": Column(Metric("params"), sizes),
        "perplexity": Column(Metric("perplexity"), 1e4 / np.sqrt(sizes)),
        "flat": Column(Metric("flat"), np.zeros(len(keys))),
    }
    return Table("hw_gpt_bench/s", np.array(keys), columns)


@pytest.mark.parametrize("scale", SCALES)
def test_configurations_and_keys_are_a_bijection(scale):
    for configuration in draws(scale, 20):
        key = to_key(configuration)
        assert configs.to_dict(from_key(key, SCALES[scale])) == configs.to_dict(configuration)
        layers = len(key.split(";")[2].split("-"))
        assert layers == configuration["layers"] in SCALES[scale].depths
        assert len(configs.to_dict(configuration)) == 3 + 2 * layers


@pytest.mark.parametrize(
    "key",
    ["193;0;4-4;2-2", make_key(192, 0, [4] * 10, [2] * 11), make_key(192, 0, [4] * 9, [2] * 9)],
)
def test_keys_of_no_architecture_are_refused(key):
    with pytest.raises(ValueError):
        from_key(key, SCALES["s"])


def test_parameters_by_hand():
    # one layer of width 8 with one head and ratio 2; embeddings and output 2 * 50,254 * 8
    assert parameters("8;0;1;2") == 2 * 50_254 * 8 + 16 + 32 + 4 * 64 * 8 + 3 * 2 * 64
    assert parameters("8;1;1;2") - parameters("8;0;1;2") == 3 * 64 + 8 + 2 * 2 * 8 + 8


def test_a_measured_architecture_is_answered_by_itself():
    table = toy()
    objective = pool(table, SCALES["s"])
    for row, key in enumerate(table.keys.tolist()):
        answer = objective(from_key(key, SCALES["s"]), None, TRIAL).values
        assert answer == {
            "perplexity": table.value(row, "perplexity"), "params": table.value(row, "params"),
        }  # fmt: skip
    assert "nearest measured row" in objective.name


def test_another_one_is_answered_by_the_row_the_fewest_steps_away():
    same = [4] * 10
    keys = [make_key(192, 0, same, [2] * 10), make_key(192, 0, same, [2] * 9 + [4]),
            make_key(384, 0, same, [2] * 9 + [3])]  # fmt: skip
    columns = {name: Column(Metric(name), np.arange(3.0) + 1) for name in ("perplexity", "params")}
    objective = pool(Table("hw_gpt_bench/s", np.array(keys), columns), SCALES["s"])
    near = [([3] + [2] * 9, 1.0), ([2] * 9 + [3], 1.0), ([3, 3] + [2] * 8, 2.0)]
    for ratios, row in near:
        asked = from_key(make_key(192, 0, same, ratios), SCALES["s"])
        assert objective(asked, None, TRIAL).values["perplexity"] == row


def test_the_surrogate_is_deterministic_and_gives_exact_parameters():
    table = toy(300)
    one, other = (Surrogate(table, SCALES["s"]) for _ in range(2))
    for configuration in draws("s", 5, seed=1):
        answer = one(configuration, None, TRIAL).values
        assert answer == other(configuration, None, TRIAL).values
        assert answer["params"] == parameters(configuration)
        assert answer["perplexity"] == pytest.approx(1e4 / np.sqrt(answer["params"]), rel=0.02)
    assert one.identity_json() == other.identity_json()
    assert [metric.name for metric in one.metrics] == ["perplexity", "params"]
    with pytest.raises(UnknownName, match="params"):
        one.error("params")


def test_columns_without_a_logarithm_are_refused():
    with pytest.raises(SettingError, match="not positive"):
        Surrogate(toy(), SCALES["s"], ("flat",))
    with pytest.raises(SettingError, match="always given"):
        Surrogate(toy(), SCALES["s"], ("params",))


@real
def test_parameters_equal_the_published_count_on_all_rows():
    table = tables.open("hw_gpt_bench", "s", path=DATA)
    counted = [parameters(key) for key in table.keys.tolist()]
    assert counted == table.query(slice(None), "params").tolist()
    assert all(to_key(from_key(key, SCALES["s"])) == key for key in table.keys[::100].tolist())


@real
def test_the_stated_error_of_the_nearest_row():
    table = tables.open("hw_gpt_bench", "s", path=DATA)
    assert leave_one_out(table, SCALES["s"], "perplexity", 1_000) == pytest.approx(0.0055, abs=5e-4)


@real
def test_the_stated_errors_of_the_surrogate():
    objective = s.surrogate("latency_a100", "energy_a100", path=DATA)
    stated = {"perplexity": 0.0011, "latency_a100": 0.002, "energy_a100": 0.036}
    for name, relative in stated.items():
        assert objective.error(name).relative == pytest.approx(relative, rel=0.05)
    assert objective.error("perplexity").explained > 0.9999
