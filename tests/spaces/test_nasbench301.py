"""NAS-Bench-301: every spelling is a bijection, neighbours, paths, networks of the listed sizes."""

import itertools
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl_nas import configs, tables
from automl_nas.errors import TableError
from automl_nas.isolation import isolated
from automl_nas.tables.nasbench301 import NODES, OPERATIONS, compact, key
from spaces import nasbench301
from spaces.nasbench301.network import SUITE_ZERO, NetworkRecipe, build, parameters

SPACE = nasbench301.search_space()
FIRST_CELL = ((0, 3), (1, 3), (0, 3), (1, 3), (1, 3), (0, 2), (0, 2), (2, 5))
REDUCTION = ((0, 0), (1, 0), (2, 2), (1, 0), (0, 0), (2, 2), (2, 2), (1, 0))
DARTS_V2 = (FIRST_CELL, REDUCTION)  # the network of the DARTS paper, its figures 4 and 5
SMALL = NetworkRecipe(channels=4, cells=3)


@st.composite
def networks(draw):
    cells = []
    for _ in range(2):
        cell = []
        for node in range(NODES):
            inputs = draw(st.permutations(range(node + 2)))[:2]
            cell += [(i, draw(st.integers(0, len(OPERATIONS) - 1))) for i in inputs]
        cells.append(tuple(cell))
    return tuple(cells)


def sampled(count, seed=0):
    rng = np.random.RandomState(seed)
    return [configs.sample(SPACE, rng) for _ in range(count)]


def pairs_apart(one, other):
    """How many (input, operation) of each cell's nodes are not in the other network."""
    count = 0
    for mine, theirs in zip(one, other, strict=True):
        for place in range(0, len(mine), 2):
            count += len(set(mine[place : place + 2]) - set(theirs[place : place + 2]))
    return count


def total(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_space_has_the_published_names_choices_and_size():
    assert len(SPACE) == 2 * (14 + 3)
    assert all(tuple(SPACE[name].choices) == OPERATIONS for name in SPACE if "edge" in name)
    inputs = [len(SPACE[f"inputs_node_normal_{node}"].choices) for node in (3, 4, 5)]
    assert inputs == [3, 6, 10]  # 180 pairs of inputs per cell
    cells = 180 * 7**8
    assert 1.0e18 < cells**2 < 1.2e18


def test_exactly_two_edges_of_every_node_are_active_in_every_sample():
    for configuration in sampled(100):
        names = configs.to_dict(configuration)
        for cell in ("normal", "reduce"):
            active = [int(name.rsplit("_")[-1]) for name in names if f"edge_{cell}" in name]
            nodes = [sum(first <= edge for first in (0, 2, 5, 9)) for edge in active]
            assert sorted(nodes) == [1, 1, 2, 2, 3, 3, 4, 4]


@given(networks())
def test_every_spelling_of_a_network_leads_back_to_it(network):
    configuration = nasbench301.from_compact(network)
    again = [
        nasbench301.from_compact(nasbench301.to_compact(configuration)),
        nasbench301.from_key(nasbench301.to_key(configuration)),
        nasbench301.from_genotype(nasbench301.to_genotype(configuration)),
        nasbench301.from_nb301(nasbench301.to_nb301(configuration)),
    ]
    assert {configs.digest(one) for one in again} == {configs.digest(configuration)}
    assert compact(key(network)) == nasbench301.to_compact(configuration)
    assert pairs_apart(network, nasbench301.to_compact(configuration)) == 0


@given(networks(), networks())
def test_two_networks_have_one_key_only_if_they_are_one(one, other):
    assert (key(one) == key(other)) == (pairs_apart(one, other) == 0)


def test_the_published_best_cell_of_darts():
    configuration = nasbench301.from_compact(DARTS_V2)
    genotype = nasbench301.to_genotype(configuration)
    assert genotype.normal[:2] == [("sep_conv_3x3", 0), ("sep_conv_3x3", 1)]
    assert genotype.reduce[2:4] == [("max_pool_3x3", 1), ("skip_connect", 2)]
    assert genotype.normal_concat == genotype.reduce_concat == [2, 3, 4, 5]
    names = nasbench301.to_nb301(configuration)
    assert names["NetworkSelectorDatasetInfo:darts:inputs_node_normal_5"] == "0_2"
    assert names["NetworkSelectorDatasetInfo:darts:edge_normal_11"] == "dil_conv_3x3"
    assert len(names) == 2 * (8 + 3)


@pytest.mark.parametrize(
    "wrong",
    [
        None, 7, (), (FIRST_CELL,), (FIRST_CELL, REDUCTION[:7]), (FIRST_CELL, "abcdefgh"),
        (((0, 0), (0, 1), *FIRST_CELL[2:]), REDUCTION),
        (((0, 0), (2, 1), *FIRST_CELL[2:]), REDUCTION),
        (((0, 0), (1, 7), *FIRST_CELL[2:]), REDUCTION),
        (((0, 0), (-1, 6), *FIRST_CELL[2:]), REDUCTION),
    ],
)  # fmt: skip
def test_what_is_no_network_is_refused(wrong):
    with pytest.raises(TableError):
        nasbench301.from_compact(wrong)


@pytest.mark.parametrize(
    "text", ["", "0,0", "0;0 1,0", key(DARTS_V2).replace("0,0 1,0", "1,0 0,0")]
)
def test_what_is_no_key_is_refused(text):
    with pytest.raises(TableError):
        nasbench301.from_key(text)


def test_each_network_has_120_neighbours_that_differ_in_one_place():
    # 120: neighbourhood size of DARTS in NAS-Bench-Suite's plot_bbo notebook
    for configuration in sampled(5):
        own = nasbench301.to_compact(configuration)
        found = [nasbench301.to_compact(one) for one in nasbench301.neighbours(configuration)]
        assert len(set(found)) == 120
        assert all(pairs_apart(own, one) == 1 for one in found)


def test_a_mutation_changes_one_place_and_leaves_the_parent_as_it_was():
    # NASLib's mutation: 57.6 % of children differ in two places, 0.5 % in none (naslib.md 3.3)
    rng = np.random.RandomState(3)
    for parent in sampled(40):
        before = nasbench301.to_compact(parent)
        child = nasbench301.to_compact(nasbench301.mutate(parent, rng))
        assert pairs_apart(before, child) == 1
        assert nasbench301.to_compact(parent) == before


def test_a_searchers_mutation_changes_one_choice_and_what_depends_on_it():
    rng = np.random.RandomState(4)
    for parent in sampled(40):
        old, new = (configs.to_dict(one) for one in (parent, configs.mutate(parent, rng)))
        changed = [name for name in old if name in new and old[name] != new[name]]
        assert len(changed) == 1
        come = set(old) ^ set(new)
        assert not come or changed[0].startswith("inputs_node")


def test_networks_that_differ_in_the_last_operation_have_different_paths():
    # NASLib's path encoding leaves out the eighth edge of a cell (naslib.md 3.3, item 8)
    one = (FIRST_CELL, REDUCTION)
    other = (FIRST_CELL, (*REDUCTION[:7], (1, 6)))
    ours = [nasbench301.paths(nasbench301.from_compact(form)) for form in (one, other)]
    assert ours[0][0] == ours[1][0]
    assert ours[0][1] != ours[1][1]


def test_paths_of_a_cell_in_full():
    chain = ((0, 2), (1, 2), (0, 3), (2, 0), (0, 3), (1, 3), (0, 3), (1, 3))
    normal, _ = nasbench301.paths(nasbench301.from_compact((chain, FIRST_CELL)))
    assert normal == {
        (0, ("skip_connect",)), (1, ("skip_connect",)),
        (0, ("sep_conv_3x3",)), (1, ("sep_conv_3x3",)),
        (0, ("skip_connect", "max_pool_3x3")), (1, ("skip_connect", "max_pool_3x3")),
    }  # fmt: skip


@pytest.mark.parametrize("recipe", [SMALL, replace(SMALL, affine=False, pool_norm=True)])
def test_the_closed_form_counts_the_networks_parameters(recipe):
    for configuration in sampled(20):
        assert total(build(configuration, recipe)) == parameters(configuration, recipe)


def test_the_network_of_the_darts_paper_has_its_published_parameters():
    # Liu et al. 2019, table 1: DARTS (second order) 3.3 million, of 20 cells with 36 channels
    recipe = NetworkRecipe(channels=36, cells=20)
    count = parameters(nasbench301.from_compact(DARTS_V2), recipe)
    assert round(count / 1e6, 1) == 3.3


def test_a_network_runs_and_halves_the_resolution_twice():
    with isolated(threads=1):
        torch.manual_seed(0)
        network = build(sampled(1)[0], replace(SMALL, classes=7))
        y = network(torch.randn(2, 3, 8, 8))
        network(torch.randn(2, 3, 16, 8)).sum().backward()
    assert y.shape == (2, 7)
    assert isinstance(nasbench301.NetworkRecipe(), NetworkRecipe)


def test_every_operation_keeps_or_halves_the_resolution():
    from spaces.nasbench301.network import make_operation

    x = torch.randn(2, 4, 8, 8)
    for name, stride in itertools.product(OPERATIONS, (1, 2)):
        y = make_operation(name, 4, stride, SMALL)(x)
        assert y.shape == (2, 4, 8 // stride, 8 // stride)
    with pytest.raises(ValueError, match="conv_9x9"):
        make_operation("conv_9x9", 4, 1, SMALL)


@pytest.mark.skipif("AUTOML_NAS_DATA" not in os.environ, reason="AUTOML_NAS_DATA is not set")
@pytest.mark.parametrize(
    ("task", "classes", "channels", "rows"),
    [("cifar10", 10, 3, 725), ("svhn", 10, 3, 199), ("scifar100", 100, 3, 199),
     ("ninapro", 18, 1, 199)],
)  # fmt: skip
def test_all_published_parameters_are_equalled(task, classes, channels, rows):
    table = tables.open("nasbench301", task)
    recipe = replace(SUITE_ZERO, classes=classes, in_channels=channels)
    own = [parameters(nasbench301.from_key(one), recipe) for one in table.keys.tolist()]
    assert own == table.query(slice(None), "parameters").tolist()
    assert len(own) == rows
