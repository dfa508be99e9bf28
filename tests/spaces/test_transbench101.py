"""TransNAS-Bench-101's spaces: every legal string and no other, single changes, published sizes."""

import gzip
import itertools
import json
import os
from ast import literal_eval
from pathlib import Path

import numpy as np
import pytest
import torch

from automl_nas import configs, registry
from automl_nas.errors import UnknownName
from automl_nas.tables.suite_keys import native
from automl_nas.tables.suite_tasks import TASKONOMY, TASKS
from spaces.transbench101 import macro, micro
from spaces.transbench101.network import build

DATA = os.environ.get("AUTOML_NAS_DATA")
real = pytest.mark.skipif(DATA is None, reason="AUTOML_NAS_DATA is not set")


@pytest.fixture(scope="module")
def skeletons():
    return list(configs.enumerate_space(macro.search_space()))


@pytest.fixture(scope="module")
def cells():
    return list(configs.enumerate_space(micro.search_space()))


def digits(configuration):
    return macro.to_arch(configuration).split("-")[1]


def legal_by_definition():
    for length in (4, 5, 6):
        for string in map("".join, itertools.product("1234", repeat=length)):
            halvings, doublings = (sum(d in some for d in string) for some in ("34", "24"))
            if 1 <= halvings <= 4 and 1 <= doublings <= 3:
                yield f"64-{string}-basic"


def test_the_registry_knows_both_spaces():
    for name in ("transbench101_micro", "transbench101_macro"):
        space = registry.load("space", name).search_space()
        configs.check_space(space)
        assert space.name == name


def test_the_4096_cells_and_their_strings(cells):
    arches = [micro.to_arch(cell) for cell in cells]
    assert len(set(arches)) == 4_096
    assert all(micro.to_arch(micro.from_arch(arch)) == arch for arch in arches[::7])
    assert sum(map(micro.is_disconnected, cells)) == 169


def test_the_example_of_the_authors():
    # yawen-d/TransNASBench: node 1 skips node 0; node 2: 1x1 of node 1; node 3: 3x3 of all
    cell = configs.to_dict(micro.from_arch("64-41414-1_02_333"))
    assert cell == {
        "edge_0_1": "skip_connect", "edge_0_2": "none", "edge_1_2": "nor_conv_1x1",
        "edge_0_3": "nor_conv_3x3", "edge_1_3": "nor_conv_3x3", "edge_2_3": "nor_conv_3x3",
    }  # fmt: skip


def test_the_space_of_skeletons_is_the_3256_legal_strings(skeletons):
    arches = [macro.to_arch(one) for one in skeletons]
    assert len(arches) == 3_256
    assert set(arches) == set(legal_by_definition())
    assert all(macro.to_arch(macro.from_arch(arch)) == arch for arch in arches[::5])


def test_every_sample_is_legal_and_every_length_is_drawn():
    space, rng = macro.search_space(), np.random.RandomState(0)
    drawn = [digits(configs.sample(space, rng)) for _ in range(500)]
    assert all(map(macro.is_legal, drawn))
    assert {len(one) for one in drawn} == {4, 5, 6}
    space.seed(1)
    assert all(macro.is_legal(digits(one)) for one in space.sample_configuration(300))


@pytest.mark.parametrize(
    "arch", ["64-41414-4_00_000", "64-41414-00_0_000", "32-41414-0_00_000", ""]
)
def test_strings_that_are_no_cell_are_refused(arch):
    with pytest.raises(ValueError, match="arch="):
        micro.from_arch(arch)


@pytest.mark.parametrize(
    "arch",
    ["64-1111-basic", "64-3333-basic", "64-444411-basic", "64-333331-basic", "64-12-basic", ""],
)
def test_strings_that_are_no_skeleton_are_refused(arch):
    with pytest.raises(ValueError, match="arch="):
        macro.from_arch(arch)


def test_a_cell_has_18_neighbours_with_one_edge_changed(cells):
    for cell in cells[::401]:
        near = [micro.to_arch(one) for one in micro.neighbours(cell)]
        assert len(set(near)) == 18
        own = micro.to_arch(cell)
        assert all(sum(a != b for a, b in zip(own, one, strict=True)) == 1 for one in near)


def test_neighbours_of_skeletons_are_single_changes_and_mutual(skeletons):
    # NASLib's get_nbhd returned all products of changes (bug list 10)
    for one in skeletons[::97]:
        own, near = digits(one), [digits(other) for other in macro.neighbours(one)]
        assert own not in near
        assert len(set(near)) == len(near) <= 3 * 6 + 5
        for other in near:
            if len(other) == len(own):
                assert sum(a != b for a, b in zip(own, other, strict=True)) == 1
            else:
                assert own[:4] == other[:4]
                assert abs(len(other) - len(own)) == 1
            back = macro.neighbours(macro.from_arch(f"64-{other}-basic"))
            assert own in [digits(third) for third in back]


def test_skeletons_mutate_legally_in_one_module_or_in_their_number(skeletons):
    # NASLib's mutate raised a TypeError on every skeleton (bug list 8)
    rng = np.random.RandomState(0)
    for one in skeletons[::41]:
        child = configs.mutate(one, rng)
        assert macro.is_legal(digits(child))
        assert digits(child) != digits(one)


@pytest.mark.parametrize("task", TASKONOMY)
@pytest.mark.parametrize("arch", ["64-41414-1_02_133", "64-41414-0_00_000", "64-1234-basic"])
def test_networks_answer_in_the_shape_of_their_task(arch, task):
    network = build(arch, task).eval()
    image = torch.zeros(1, 9, 3, 64, 64) if task == "jigsaw" else torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        answer = network(image)
    outputs = TASKS[f"transbench101_micro/{task}"].outputs
    dense = task in ("segmentsemantic", "normal", "autoencoder")
    assert answer.shape == ((1, outputs, 64, 64) if dense else (1, outputs))
    assert answer.isfinite().all()


def test_a_cell_is_the_sum_that_its_string_says():
    from spaces.transbench101.network import Cell

    cell, x = Cell("100111", 4, 4, 1).eval(), torch.randn(2, 4, 6, 6)
    # node 1 = x, node 2 = 0, node 3 = x + node 1 + node 2
    torch.testing.assert_close(cell(x), 2 * x)
    assert Cell("000000", 4, 8, 2)(torch.randn(1, 4, 7, 7)).shape == (1, 8, 4, 4)
    assert Cell("111111", 4, 8, 2).eval()(torch.randn(1, 4, 8, 8)).shape == (1, 8, 4, 4)


def test_unknown_tasks_are_refused():
    with pytest.raises(UnknownName, match="jigsaw"):
        build("64-1234-basic", "jigsaws")


def parameters(arch, task):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(arch, task).parameters())


@pytest.mark.parametrize(
    ("arch", "task", "count"),
    [  # automl/NASLib, early zc_transbench101_*.json
        ("64-41414-1_00_210", "class_scene", 910_687),
        ("64-41414-0_00_202", "room_layout", 1_566_249),
        ("64-111114-basic", "class_object", 1_297_796),
    ],
)
def test_known_parameter_counts(arch, task, count):
    assert parameters(arch, task) == count


@real
@pytest.mark.slow
@pytest.mark.parametrize("space", ["micro", "macro"])
@pytest.mark.parametrize("task", TASKONOMY)
def test_parameters_equal_the_published_count(space, task):
    path = Path(DATA) / "nasbench_suite_zero" / "original" / f"zc_transbench101_{space}.json.gz"
    with gzip.open(path) as file:
        rows = json.load(file)[task]
    for key in list(rows)[::30]:
        arch = native(f"transbench101_{space}", task, literal_eval(key))
        assert parameters(arch, task) == round(1e6 * rows[key]["params"]["score"])
