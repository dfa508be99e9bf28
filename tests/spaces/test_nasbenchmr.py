"""NAS-Bench-MR: numbers, bits and codes are bijections; files in the official format."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_nas import configs, tables
from automl_nas.errors import MissingTable, TableError
from automl_nas.tables.nasbenchmr import FIELDS, MAIN, choices, embedding, key
from automl_nas.types import Trial
from spaces import nasbenchmr
from spaces.nasbenchmr.space import WIDTHS

SPACE = nasbenchmr.search_space()
# README of dingmyu/NCP, section "Data Format"
CODE = "96_128-1_1_1_48-1_2_1_1_128_8-1_3_1_1_1_128_128_120-4_4_4_4_4_4_128_128_128_128-64"
EMBEDDING = (96, 128, 1, 1, 48, 1, 1, 1, 128, 8, 1, 1, 1, 1, 128, 128, 120, 4, 4, 4, 4, 4,
             128, 128, 128, 128, 64)  # fmt: skip
# The same README's example of a row: the last channels lie beside the embedding.
ROW = {
    "mIoU": 70.57, "mAcc": 80.07, "aAcc": 95.29, "input_channel": [16, 64], "last_channel": 112,
    "embedding": [16, 64, 1, 3, 128, 3, 3, 3, 32, 48, 2, 2, 3, 2, 16, 32, 16, 1, 2, 4, 1, 1, 96,
                  112, 48, 80],
}  # fmt: skip
BITS = st.lists(st.integers(0, 1), min_size=80, max_size=80)


def test_the_space_has_27_ordinals_and_2_to_the_80_networks():
    assert len(SPACE) == len(FIELDS) == 27
    assert configs.count(SPACE) == 2**80
    # Where NASLib splits the bits (branch nasbenchmr)
    assert np.cumsum(WIDTHS).tolist() == [
        4, 8, 10, 12, 16, 18, 20, 22, 26, 30, 32, 34, 36, 38, 42, 46, 50, 52, 54, 56, 58, 60, 64,
        68, 72, 76, 80,
    ]  # fmt: skip


def test_the_published_example():
    configuration = nasbenchmr.from_embedding(EMBEDDING)
    assert nasbenchmr.to_key(configuration) == CODE
    assert embedding(CODE) == EMBEDDING
    values = configs.to_dict(configuration)
    assert (values["channels_3_3"], values["modules_4"], values["last"]) == (120, 4, 64)


@given(BITS)
def test_bits_numbers_and_codes_are_bijections(bits):
    configuration = nasbenchmr.from_bits(bits)
    assert list(nasbenchmr.to_bits(configuration)) == bits
    numbers = nasbenchmr.to_embedding(configuration)
    assert nasbenchmr.from_embedding(numbers) == configuration
    assert embedding(key(numbers)) == numbers


@given(BITS)
def test_bits_mean_what_naslib_says(bits):
    numbers = nasbenchmr.to_embedding(nasbenchmr.from_bits(bits))
    rest = list(bits)
    for width, number in zip(WIDTHS, numbers, strict=True):
        value = sum(bit * 2 ** (width - 1 - i) for i, bit in enumerate(rest[:width]))
        assert number == ((value + 1) * 8 if width == 4 else value + 1)
        rest = rest[width:]


def test_neighbours_are_one_step_away_and_45_on_average():
    # 45.3: neighbourhood size of MR in NAS-Bench-Suite's plot_bbo notebook; exactly 45.375
    expected = sum(2 * (1 - 1 / len(choices(field))) for field in FIELDS)
    assert expected == 45.375
    rng, counts = np.random.RandomState(0), []
    for _ in range(100):
        configuration = configs.sample(SPACE, rng)
        own = nasbenchmr.to_embedding(configuration)
        found = [nasbenchmr.to_embedding(one) for one in nasbenchmr.neighbours(configuration)]
        assert len(set(found)) == len(found)
        for other in found:
            moved = [(a, b) for a, b in zip(own, other, strict=True) if a != b]
            assert len(moved) == 1
            assert abs(moved[0][0] - moved[0][1]) in (1, 8)
        counts.append(len(found))
        assert nasbenchmr.to_embedding(configuration) == own  # NASLib changes the parent
    assert np.mean(counts) == pytest.approx(45.375, abs=1)


@pytest.mark.parametrize(
    "numbers",
    [None, 5, (), EMBEDDING[:-1], (*EMBEDDING, 8), (7, *EMBEDDING[1:]), (136, *EMBEDDING[1:]),
     (*EMBEDDING[:2], 5, *EMBEDDING[3:]), (0, *EMBEDDING[1:]), "x" * 27],
)  # fmt: skip
def test_other_numbers_are_refused(numbers):
    with pytest.raises(TableError):
        nasbenchmr.from_embedding(numbers)


@pytest.mark.parametrize("text", ["", "1_2", CODE + "_8", CODE.replace("-", "+"), "0" + CODE])
def test_other_codes_are_refused(text):
    with pytest.raises(TableError):
        embedding(text)


@pytest.mark.parametrize("bits", [[0] * 79, [2] * 80])
def test_other_bits_are_refused(bits):
    with pytest.raises(ValueError, match="80 bits"):
        nasbenchmr.from_bits(bits)


# --- files -----------------------------------------------------------------------------------


def rows(main="mIoU", count=6):
    rng = np.random.RandomState(1)
    return [
        {
            "embedding": list(nasbenchmr.to_embedding(configs.sample(SPACE, rng))),
            main: np.float64(60 + i), "flops": 1e9 + i, "params": 1e6 + i,
        }
        for i in range(count)
    ]  # fmt: skip


def write(folder, task, data):
    path = folder / task / "trainval.pkl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(data))
    return path


@pytest.mark.parametrize("task", ["seg", "cls-50-1000", "video", "3ddet"])
def test_each_task_is_read_with_its_main_metric_first(tmp_path, task):
    data = rows(MAIN[task])
    write(tmp_path, task, data)
    objective = nasbenchmr.table(task, path=tmp_path)
    assert (objective.metrics[0].name, objective.metrics[0].goal) == (MAIN[task], "max")
    for i, row in enumerate(data):
        measured = objective(nasbenchmr.from_embedding(row["embedding"]), None, Trial(0, 0))
        assert measured.values == {MAIN[task]: 60 + i, "flops": 1e9 + i, "parameters": 1e6 + i}
        assert measured.simulated_seconds == 0  # no times are published
    with pytest.raises(TableError, match="no row"):
        objective(nasbenchmr.from_embedding(EMBEDDING), None, Trial(0, 0))


def test_a_row_as_the_authors_print_it(tmp_path):
    write(tmp_path, "seg", [ROW])
    table = tables.open("nasbenchmr", "seg", path=tmp_path)
    assert table.keys.tolist() == [key([*ROW["embedding"], 112])]
    assert table.value(0, "mIoU") == 70.57
    assert table.value(0, "aAcc") == 95.29


def test_the_rows_are_a_space_of_their_own(tmp_path):
    write(tmp_path, "seg", rows())
    space, objective = nasbenchmr.labelled("seg", path=tmp_path)
    found = [objective(one, None, Trial(0, 0)) for one in configs.enumerate_space(space)]
    assert sorted(one.values["mIoU"] for one in found) == [60, 61, 62, 63, 64, 65]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: [], lambda data: {"embedding": 1}, lambda data: None,
        lambda data: [*data, data[0]],
        lambda data: [{**row, "embedding": row["embedding"][:-1]} for row in data],
        lambda data: [{**row, "embedding": [9, *row["embedding"][1:]]} for row in data],
        lambda data: [{"embedding": row["embedding"]} for row in data],
        lambda data: [*data[:-1], {"embedding": data[-1]["embedding"]}],
        lambda data: [{**row, "mIoU": "good"} for row in data],
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, damage):
    write(tmp_path, "seg", damage(rows()))
    with pytest.raises(TableError, match=r"seg/trainval\.pkl"):
        tables.open("nasbenchmr", "seg", path=tmp_path)


def test_a_missing_task_is_named(tmp_path):
    write(tmp_path, "seg", rows())
    with pytest.raises(MissingTable, match=r"video/trainval\.pkl"):
        tables.open("nasbenchmr", "video", path=tmp_path)
