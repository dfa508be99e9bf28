"""The size space: official strings and indices, and the table as an objective."""

from __future__ import annotations

import pytest

from automl_nas import Budget, Study, configs
from automl_nas.searchers import EvolutionSearcher
from spaces import natsbench_size
from tests.tables.files import nats_folder

SPACE = natsbench_size.search_space()


def test_index_and_string_are_bijections():
    assert configs.count(SPACE) == 32_768
    for index in (*range(0, 32_768, 977), 32_767):
        configuration = natsbench_size.from_index(index)
        assert natsbench_size.to_index(configuration) == index
        again = natsbench_size.from_arch(natsbench_size.to_arch(configuration))
        assert natsbench_size.to_index(again) == index


@pytest.mark.parametrize(
    ("index", "arch"),
    [(0, "8:8:8:8:8"), (1, "8:8:8:8:16"), (11, "8:8:8:16:32"), (32_767, "64:64:64:64:64")],
)  # the first, second and eleventh of the official meta file
def test_golden_rows(index, arch):
    assert natsbench_size.to_arch(natsbench_size.from_index(index)) == arch


@pytest.mark.parametrize("arch", ["", "8:8:8:8", "8:8:8:8:9", "8:8:8:8:8:8", "8:8:8:8:x"])
def test_malformed_strings_are_refused(arch):
    with pytest.raises(ValueError, match="arch="):
        natsbench_size.from_arch(arch)


@pytest.mark.parametrize("index", [-1, 32_768])
def test_indices_outside_the_table_are_refused(index):
    with pytest.raises(ValueError, match=f"index={index}"):
        natsbench_size.from_index(index)


def test_a_study_over_the_table(tmp_path):
    indices = (0, 1, 5)
    archs = {i: natsbench_size.to_arch(natsbench_size.from_index(i)) for i in indices}
    nats_folder(tmp_path, indices, name="NATS-sss-v1_0-50262-simple", archs=archs,
                recipes={"90": (777,)})  # fmt: skip
    objective = natsbench_size.table("cifar10", path=tmp_path, others=("flops",))
    initial = [natsbench_size.from_index(i) for i in indices]
    study = Study(SPACE, objective, EvolutionSearcher(SPACE), budget=Budget(trials=3), seed=0,
                  initial=initial)  # fmt: skip
    records = study.run().records
    assert [record.values["flops"] for record in records] == [10, 11, 15]
    assert [record.simulated_seconds for record in records] == [90 * (2 + i) for i in indices]
    best = natsbench_size.yardstick("cifar10", path=tmp_path)
    assert best.optimum == min(record.values["validation_error"] for record in records)
