"""HW-GPT-Bench: the collected csv, the raw pickles, and exact fronts of tables."""

import gzip
import os
import pickle

import numpy as np
import pytest
from scipy.stats import spearmanr

from automl_nas import tables
from automl_nas.errors import SettingError, TableError, UnknownName
from automl_nas.tables.fronts import table_front
from automl_nas.tables.hwgpt import make_key, read_key, read_raw
from automl_nas.tables.table import Column, Table
from automl_nas.types import Metric

DATA = os.environ.get("AUTOML_NAS_DATA")
real = pytest.mark.skipif(DATA is None, reason="AUTOML_NAS_DATA is not set")
HEADER = (
    "embed_dim,n_layer,bias,n_head,mlp_ratio,perplexity,next_token_acc,params,"
    "lat_a100_ms_median,lat_a100_ms_std,energy_a100_kwh_mean,energy_a100_kwh_median,"
    "energy_cpu_meta_wh_mean,energy_cpu_p100_wh_mean,mem_a100_mb\n"
)
ROWS = "192,2,0,8-4,2-3,40.0,0.3,100,12.5,.1,9.0,0.5,1.5,0.0,155\n"
ARCH = {
    "sample_embed_dim": 192, "sample_n_layer": 2, "sample_bias": "True",
    "sample_n_head": [8, 4, 12], "sample_mlp_ratio": [2, 3, 4],
}  # fmt: skip


def csv(folder, text):
    (folder / "hw_gpt_s.csv.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def test_the_collected_table_has_medians_and_no_unmeasured_device(tmp_path):
    table = tables.open("hw_gpt_bench", "s", path=csv(tmp_path, HEADER + ROWS))
    assert table.keys.tolist() == ["192;0;8-4;2-3"]
    assert set(table.columns) == {
        "perplexity", "next_token_acc", "params", "latency_a100", "energy_a100", "energy_cpu_meta",
        "memory_a100",
    }  # fmt: skip
    assert table.value(0, "energy_a100") == 0.5  # the median, not the mean with its warm-up
    assert table.column("energy_cpu_meta").metric.unit == "Wh"
    assert table.column("next_token_acc").metric.goal == "max"


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", HEADER + ROWS.replace("8-4", "8-4-4"), HEADER + ROWS.replace("8-4", "x")],
)
def test_a_malformed_table_is_refused(tmp_path, text):
    with pytest.raises(TableError, match="hw_gpt_s"):
        tables.open("hw_gpt_bench", "s", path=csv(tmp_path, text))


def test_keys_go_there_and_back():
    assert read_key(make_key(192, 1, (8, 4), (2, 3))) == (192, 1, (8, 4), (2, 3))


def write(path, data):
    path.write_bytes(pickle.dumps(data))
    return path


def test_raw_pickles_are_joined_and_energies_are_medians(tmp_path):
    warm_up = [30.0, 1.0, 1.0, 1.1, 0.9]
    files = {
        "perplexity": [
            write(tmp_path / "p.pkl", [{"arch": ARCH, "perplexity": 30.5, "accuracy": 0.4}])
        ],
        "a100": [
            write(tmp_path / "t.pkl", [{"arch": ARCH, "times_profiler_gpu": [5.0, 7.0, 6.0]}]),
            write(tmp_path / "e.pkl", [{"arch": ARCH, "energy_gpu": warm_up}]),
        ],
    }
    table = read_raw(files, "s")
    assert table.keys.tolist() == ["192;1;8-4;2-3"]  # lists are cut to the number of layers
    values = {name: table.value(0, name) for name in table.columns}
    assert values == {
        "perplexity": 30.5, "next_token_acc": 0.4, "latency_a100": 6.0, "energy_a100": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "data", [{"a": 1}, [{"perplexity": 1.0}], [{"arch": {}, "perplexity": 1.0}]]
)
def test_malformed_raw_pickles_are_refused(tmp_path, data):
    with pytest.raises(TableError, match=r"p\.pkl"):
        read_raw({"perplexity": [write(tmp_path / "p.pkl", data)]}, "s")
    with pytest.raises(TableError, match="perplexities"):
        read_raw({}, "s")


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_hostile_pickle_runs_nothing(tmp_path):
    with pytest.raises(TableError, match="no table needs"):
        read_raw({"perplexity": [write(tmp_path / "p.pkl", [Hostile()])]}, "s")


def small(**columns):
    made = {
        name: Column(
            Metric(name, "max" if name == "score" else "min"), np.array(values, dtype=float)
        )
        for name, values in columns.items()
    }
    return Table("toy/t", np.arange(len(next(iter(columns.values())))), made)


def test_a_front_is_exact_and_its_share_is_one():
    table = small(score=[1, 3, 2, 4, np.nan], cost=[0, 2, 3, 4, -1])
    front = table_front(table, ("cost", "score"), margin=0.0)
    assert front.rows.tolist() == [0, 1, 3]
    assert front.values.tolist() == [[0, 1], [2, 3], [4, 4]]
    # the box is [0, 4] x [-4, -1]: only (2, 3) lies inside it, with half of the one side and two
    # thirds of the other
    assert front.hypervolume() == pytest.approx(0.5 * 2 / 3)
    assert front.share(front.values) == 1.0
    assert front.share([[2, 2]]) == pytest.approx(0.5)
    assert front.share(np.empty((0, 2))) == 0.0


def test_fronts_of_too_few_or_constant_columns_are_refused():
    with pytest.raises(SettingError, match="two columns"):
        table_front(small(score=[1], cost=[1]), ("cost",))
    with pytest.raises(SettingError, match="same value"):
        table_front(small(score=[1, 2], cost=[1, 1]), ("cost", "score"))
    with pytest.raises(UnknownName, match="cost"):
        table_front(small(score=[1, 2], cost=[1, 2]), ("costs", "score"))


@real
def test_the_front_of_the_measured_rows_has_140_points():
    table = tables.open("hw_gpt_bench", "s", path=DATA)
    assert len(table) == 10_000
    front = table_front(table, ("params", "perplexity"))
    assert len(front.rows) == 140
    assert front.share(table.query(front.rows[::2], "params")[:, None].repeat(2, axis=1)) < 1.0
    perplexity, size = (table.query(slice(None), name) for name in ("perplexity", "params"))
    assert spearmanr(perplexity, size)[0] == pytest.approx(-0.992, abs=0.0005)
    assert (perplexity.min(), perplexity.max()) == pytest.approx((22.16, 41.92), abs=0.005)
