"""TangleNAS's toy tables: published keys, sizes, files as the authors' code wrote them."""

import pickle
from collections import namedtuple

import numpy as np
import pytest

from automl_nas import configs, tables
from automl_nas.errors import MissingTable, TableError, UnknownName
from automl_nas.tables.tanglenas_toys import OPERATIONS, OPTIMA, cell_operations, macro_key
from automl_nas.types import Trial
from spaces import tanglenas_toys
from spaces.tanglenas_toys import from_cell_key, from_macro_key, search_space, to_key

Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
TRIAL = Trial(0, 0)
FILES = {"cell": "entangled_cell_ss_benchmark.pkl", "conv-macro": "conv_macro_bench.pkl"}


def genotype(normal, reduction):
    """As `str(model.genotype())` prints it: edges 1-0, 2-0, 2-1."""
    cells = [[(name, source) for name, source in zip(c, (0, 0, 1), strict=True)]
             for c in (normal, reduction)]  # fmt: skip
    return str(Genotype(cells[0], range(1, 3), cells[1], range(1, 3)))


def write(folder, task, data):
    path = folder / FILES[task]
    path.write_bytes(pickle.dumps(data))
    return path


def cell_row(i, unit="ms"):
    return {
        "test_acc": np.float64(90.0 + i / 100), "train_acc": 99.0,
        "num_params": np.float64(5e5 + i),
        "latency_gpu_mean": np.float64(2.0), "latency_gpu_std": np.float64(0.1),
        "latency_cpu_mean": np.float64(8.0), "latency_cpu_std": np.float64(0.1),
        "unit_gpu": unit, "unit_cpu": "ms",
    }  # fmt: skip


def cells(count):
    rng = np.random.RandomState(0)
    space = search_space("cell")
    return list(dict.fromkeys(to_key(configs.sample(space, rng)) for _ in range(count)))


def macros(count):
    rng = np.random.RandomState(0)
    space = search_space("conv-macro")
    return list(dict.fromkeys(to_key(configs.sample(space, rng)) for _ in range(count)))


@pytest.mark.parametrize(
    ("task", "size", "back"),
    [("cell", 4_096, from_cell_key), ("conv-macro", 6_561, from_macro_key)],
)  # fmt: skip
def test_keys_are_a_bijection_on_the_whole_space(task, size, back):
    found = list(configs.enumerate_space(search_space(task)))
    keys = [to_key(one) for one in found]
    assert len(found) == len(set(keys)) == size
    assert [to_key(back(key)) for key in keys] == keys


def test_a_key_is_what_the_authors_code_prints():
    one = ("sep_conv_3x3", "dil_conv_5x5", "sep_conv_5x5")
    other = ("dil_conv_3x3", "sep_conv_3x3", "sep_conv_3x3")
    configuration = from_cell_key(genotype(one, other))
    assert to_key(configuration) == genotype(one, other)
    values = configs.to_dict(configuration)
    assert (values["normal_2_1"], values["reduce_1_0"]) == ("sep_conv_5x5", "dil_conv_3x3")
    assert cell_operations(genotype(one, other)) == (one, other)


def test_the_best_published_network_of_conv_macro():
    # 84.41 %: channels 32, 64, 128, 128 and kernels 3, 7, 5, 7 (Sukthanker et al. 2024, table 2)
    configuration = from_macro_key("[[32, 64, 128, 128], [3, 7, 5, 7]]")
    assert configs.to_dict(configuration)["kernel_2"] == 7
    assert OPTIMA == {"cell": 91.63, "conv-macro": 84.41}


@pytest.mark.parametrize(
    "key",
    ["", "Genotype()", genotype(["sep_conv_3x3"] * 3, ["sep_conv_3x3"] * 3).replace("0", "1"),
     genotype(["sep_conv_7x7"] * 3, ["sep_conv_3x3"] * 3)],
)  # fmt: skip
def test_other_genotypes_are_refused(key):
    with pytest.raises(TableError):
        from_cell_key(key)


@pytest.mark.parametrize(
    "key", ["", "[[8, 16, 32], [3, 3, 3]]", "[[8, 16, 32, 65], [3, 3, 3, 3]]",
            "[[8, 16, 32, 64], [3, 3, 3, 9]]", "[[3, 3, 3, 3], [3, 3, 3, 3]]"],
)  # fmt: skip
def test_other_lists_are_refused(key):
    with pytest.raises(TableError):
        from_macro_key(key)


def test_another_task_is_unknown():
    with pytest.raises(UnknownName, match="conv-macro"):
        search_space("conv-makro")


def test_cells_are_read_with_their_costs(tmp_path):
    keys = cells(8)
    rows = {key: cell_row(i, "us" if i else "ms") for i, key in enumerate(keys)}
    write(tmp_path, "cell", rows)
    objective = tanglenas_toys.table("cell", path=tmp_path)
    assert "search on test errors" in objective.name
    assert objective.table.column("test_error").part == "test"
    for i, key in enumerate(keys):
        measured = objective(from_cell_key(key), None, TRIAL)
        assert measured.values == pytest.approx(
            {
                "test_error": 10 - i / 100, "parameters": 5e5 + i,
                "latency_gpu": 0.002 if i else 2.0, "latency_cpu": 8.0,
            }
        )  # fmt: skip
        assert measured.simulated_seconds == 0  # no times are published
    assert "validation_error" not in objective.table.columns


@pytest.mark.parametrize("kernels_first", [False, True])
def test_networks_are_read_with_their_lists_in_either_order(tmp_path, kernels_first):
    keys = macros(8)
    rows = {}
    for i, key in enumerate(keys):
        channels, kernels = eval(key)  # noqa: S307
        text = str([kernels, channels] if kernels_first else [channels, kernels])
        rows[text] = {"test_acc": 80.0 + i, "train_acc": 95.0}
    write(tmp_path, "conv-macro", rows)
    objective = tanglenas_toys.table("conv-macro", path=tmp_path)
    for i, key in enumerate(keys):
        assert objective(from_macro_key(key), None, TRIAL).values == {"test_error": 20.0 - i}


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: {}, lambda rows: [1], lambda rows: {**rows, "x": cell_row(1)},
        lambda rows: {key: {} for key in rows}, lambda rows: dict.fromkeys(rows, 3),
        lambda rows: {key: {**row, "unit_gpu": "hours"} for key, row in rows.items()},
        lambda rows: {key: {**row, "test_acc": "good"} for key, row in rows.items()},
        lambda rows: Genotype,
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, damage):
    path = write(tmp_path, "cell", damage({key: cell_row(0) for key in cells(3)}))
    with pytest.raises(TableError, match=path.name):
        tables.open("tanglenas_toys", "cell", path=tmp_path)


def test_a_network_that_is_there_twice_is_refused(tmp_path):
    row = {"test_acc": 80.0, "train_acc": 95.0}
    key = macro_key((8, 16, 32, 64), (3, 3, 3, 5))
    write(tmp_path, "conv-macro", {key: row, "[[3, 3, 3, 5], [8, 16, 32, 64]]": row})
    with pytest.raises(TableError, match="different"):
        tables.open("tanglenas_toys", "conv-macro", path=tmp_path)


def test_missing_files_are_listed(tmp_path):
    with pytest.raises(MissingTable, match="entangled_cell_ss_benchmark"):
        tables.open("tanglenas_toys", path=tmp_path)
    assert len(OPERATIONS) == 4
