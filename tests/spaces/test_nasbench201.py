"""NAS-Bench-201: official numbering, networks, classes; the supernet equals exported networks."""

import csv
import gzip
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from automl_nas.errors import UnknownName
from automl_nas.flops import forward_flops
from automl_nas.isolation import isolated
from automl_nas.supernet.mixture import Weights, one_hot
from spaces import nasbench201
from spaces.nasbench201 import (
    NB201SupernetRecipe,
    NetworkRecipe,
    build,
    from_arch,
    from_index,
    is_disconnected,
    isomorphism_class,
    search_space,
    to_arch,
    to_index,
)
from spaces.nasbench201.space import OPERATIONS, SOURCE_TARGET, live_edges, operations

SIZE = 15_625
SMALL = NetworkRecipe(channels=4, cells=1, stages=2, in_channels=1)
IMAGE = (1, 8, 8)
ALONE = "|none~0|+|none~0|none~1|+|{}~0|none~1|none~2|"


@pytest.fixture(autouse=True)
def one_thread():
    with isolated(threads=1):
        yield


@pytest.fixture(scope="module")
def cells():
    return [from_index(index) for index in range(SIZE)]


@pytest.fixture(scope="module")
def table():
    if "AUTOML_NAS_DATA" not in os.environ:
        pytest.skip("AUTOML_NAS_DATA is not set")
    path = Path(os.environ["AUTOML_NAS_DATA"]) / "nasbench201" / "nb201.csv.gz"
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


def sampled(number, seed=0):
    return [from_index(index) for index in random.Random(seed).sample(range(SIZE), number)]


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_space_has_six_edges_over_the_official_operations():
    space = search_space()
    assert list(space) == sorted(SOURCE_TARGET)  # ConfigSpace orders by name
    assert all(tuple(space[edge].choices) == OPERATIONS for edge in SOURCE_TARGET)


def test_index_and_string_are_bijections_on_all_cells(cells):
    assert [to_index(cell) for cell in cells] == list(range(SIZE))
    arches = [to_arch(cell) for cell in cells]
    assert len(set(arches)) == SIZE
    assert [to_index(from_arch(arch)) for arch in arches] == list(range(SIZE))


@pytest.mark.parametrize(
    ("index", "arch"),
    [  # rows of the published table (D-X-Y/NAS-Bench-201); 1835 is its all-skip cell
        (0, "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"),  # noqa: E501
        (1, "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"),  # noqa: E501
        (1835, "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"),  # noqa: E501
    ],
)  # fmt: skip
def test_golden_rows(index, arch):
    assert to_arch(from_index(index)) == arch
    assert to_index(from_arch(arch)) == index


def test_every_row_of_the_published_table_has_our_index(table):
    assert len(table) == SIZE
    assert all(to_index(from_arch(row["arch_str"])) == int(row["index"]) for row in table)


@pytest.mark.parametrize(
    "arch",
    ["", "|none~0|", ALONE.format("conv_9x9"), ALONE.format("none") + "|", ALONE.format("")],
)
def test_malformed_strings_are_refused(arch):
    with pytest.raises(ValueError, match="arch="):
        from_arch(arch)


@pytest.mark.parametrize("index", [-1, SIZE])
def test_indices_outside_the_table_are_refused(index):
    with pytest.raises(ValueError, match=f"index={index}"):
        from_index(index)


def test_number_of_classes_and_of_disconnected_cells(cells):
    # 6,466: NAS-Bench-201, section 2.1; 341: cells without any input in NAS-Bench-Suite-Zero
    assert len({isomorphism_class(cell) for cell in cells}) == 6_466
    assert len({isomorphism_class(cell, zeros="dropped") for cell in cells}) == 5_390
    assert sum(is_disconnected(cell) for cell in cells) == 341


def test_isomorphic_cells_share_a_class_and_others_do_not():
    first = from_arch("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|")
    second = from_arch("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    other = from_arch("|nor_conv_1x1~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    assert isomorphism_class(first) != isomorphism_class(second)  # the mark of a zero summand
    classes = [isomorphism_class(cell, zeros="dropped") for cell in (first, second, other)]
    assert classes[0] == classes[1] != classes[2]


def count_additively(recipe):
    with torch.device("meta"):
        base, *rest = (parameters(build(from_arch(ALONE.format(o)), recipe)) for o in OPERATIONS)
    return base, dict(zip(OPERATIONS, [0, *(count - base for count in rest)], strict=True))


@pytest.mark.parametrize(
    ("task", "classes"), [("cifar10", 10), ("cifar100", 100), ("ImageNet16-120", 120)]
)
def test_parameters_equal_the_published_table(table, task, classes):
    base, each = count_additively(NetworkRecipe(classes=classes))
    possible = {
        base + ones * each["nor_conv_1x1"] + threes * each["nor_conv_3x3"]
        for ones in range(7)
        for threes in range(7 - ones)
    }
    equal = 0
    for row in table:
        published = round(1e6 * float(row[f"{task}.params_m"]))
        ours = base + sum(each[operation] for operation in operations(from_arch(row["arch_str"])))
        equal += ours == published
        assert ours == published or published not in possible
    # the source of this column averages over several cells in 204 rows: no network of the space
    # has as many parameters as they say
    assert equal == SIZE - 204


def test_parameters_are_additive_over_edges():
    base, each = count_additively(SMALL)
    for cell in sampled(20):
        assert parameters(build(cell, SMALL)) == base + sum(each[o] for o in operations(cell))


def test_known_parameters_and_flops_of_the_official_network():
    # cell 0: 0.129306 M in the table; 2 x MACs by hand: stem, two residual blocks, classifier, two
    # 1x1 convolutions in each of 15 cells
    recipe, cell = NetworkRecipe(), from_index(0)
    assert parameters(build(cell, recipe)) == 129_306
    stem, classifier = 27 * 16 * 32**2, 64 * 10
    blocks = sum((9 * c * 2 * c + 9 * 4 * c * c + 2 * c * c) * (256 // c) ** 2 for c in (16, 32))
    convolutions = 2 * 5 * 3 * 16**2 * 32**2
    by_hand = 2 * (stem + blocks + convolutions + classifier)
    assert recipe.forward_flops(cell, (3, 32, 32)) == by_hand


def test_flops_are_what_torch_counts_on_the_live_edges():
    base = SMALL.forward_flops(from_arch(ALONE.format("none")), IMAGE)
    cost = {o: SMALL.forward_flops(from_arch(ALONE.format(o)), IMAGE) - base for o in OPERATIONS}
    assert cost["nor_conv_3x3"] == 9 * cost["nor_conv_1x1"] > 0 == cost["skip_connect"]
    whole = 0
    for cell in sampled(30):
        live, chosen = live_edges(cell), dict(zip(SOURCE_TARGET, operations(cell), strict=True))
        counted = forward_flops(build(cell, SMALL), IMAGE)
        assert counted == base + sum(cost[chosen[edge]] for edge in live)
        if len(live) == len([o for o in chosen.values() if o != "none"]):
            whole += 1
            assert counted == SMALL.forward_flops(cell, IMAGE)
    assert whole > 10


@pytest.mark.parametrize(
    ("recipe", "image"),
    [
        (NetworkRecipe(), (3, 32, 32)),
        (NetworkRecipe(16, 1, 1, 10, 1), (1, 10, 10)),
        (NetworkRecipe(6, 2, 4, 7, 2, affine=False, track_running_stats=False), (2, 16, 24)),
    ],
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_closed_form_of_flops_is_what_torch_counts(recipe, image, operation):
    cell = from_arch(ALONE.format(operation))
    with torch.device("meta"):
        network = build(cell, recipe)
    assert recipe.forward_flops(cell, image) == forward_flops(network, image)


def test_mean_flops_are_the_mean_over_all_cells(cells):
    mean = sum(SMALL.forward_flops(cell, IMAGE) for cell in cells) / SIZE
    assert SMALL.mean_forward_flops(IMAGE) == pytest.approx(mean, rel=1e-12)


def test_live_edges_lie_on_a_way_to_the_output():
    arch = "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|{}~2|"
    assert live_edges(from_arch(arch.format("none"))) == ("edge_0_3",)
    through_two = ("edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_2_3")
    assert live_edges(from_arch(arch.format("skip_connect"))) == through_two


def test_pooling_leaves_the_border_out_of_the_mean():
    cell = build(from_arch(ALONE.format("avg_pool_3x3")), SMALL).body[0]
    x = torch.arange(36.0).view(1, 1, 6, 6).expand(1, 4, 6, 6)
    assert float(cell(x)[0, 0, 0, 0]) == (0 + 1 + 6 + 7) / 4


def reference_cell(cell, x):
    """The definition, edge by edge, dead ones included."""
    nodes = [x]
    for target in range(1, 4):
        total = torch.zeros_like(x)
        for edge, (source, end) in SOURCE_TARGET.items():
            if end == target and edge in cell.edges:
                total = total + cell.edges[edge](nodes[source])
        nodes.append(total)
    return nodes[-1]


def test_leaving_dead_operations_out_changes_nothing():
    x = torch.randn(3, 4, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for configuration in [*sampled(40), from_arch(ALONE.format("none"))]:
        cell = build(configuration, SMALL).double().body[0]
        for norm in cell.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(norm.bias)
        torch.testing.assert_close(cell(x), reference_cell(cell, x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("track", [True, False])
def test_superposed_hard_and_exported_networks_are_equal(training, track):
    sizes = NetworkRecipe(4, 1, 2, 10, 1, affine=track, track_running_stats=track)
    supernet = NB201SupernetRecipe(sizes, IMAGE).build().double()
    x = torch.randn(4, *IMAGE, dtype=torch.float64)
    supernet.soft(x, uniform())  # moves running statistics away from their start
    supernet.train(training)
    for configuration in sampled(50):
        mixture = one_hot(configuration, dtype=torch.float64)
        superposed = {name: Weights(weights.values) for name, weights in mixture.items()}
        network = supernet.export(configuration)
        assert network.training is training
        expected = network(x)
        for logits in (
            supernet.soft(x, mixture),
            supernet.soft(x, superposed),
            supernet.hard(x, configuration),
        ):
            torch.testing.assert_close(logits, expected, rtol=0, atol=1e-10)


def uniform():
    return {edge: Weights(torch.full((5,), 0.2, dtype=torch.float64)) for edge in SOURCE_TARGET}


def test_an_exported_network_owns_its_weights():
    supernet, x = NB201SupernetRecipe(SMALL, IMAGE).build().eval(), torch.ones(2, *IMAGE)
    configuration = from_index(1)
    network = supernet.export(configuration)
    assert parameters(network) == parameters(build(configuration, SMALL))
    before = supernet.hard(x, configuration).detach()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 7)
    assert not torch.allclose(network(x), before)
    assert torch.equal(supernet.hard(x, configuration), before)


def test_the_flops_of_a_mixture_are_those_it_computes():
    supernet = NB201SupernetRecipe(SMALL, IMAGE).build()
    for configuration in sampled(10):
        hard = supernet.forward_flops(one_hot(configuration))
        assert hard == SMALL.forward_flops(configuration, IMAGE)
    mean = SMALL.mean_forward_flops(IMAGE)
    base = SMALL.forward_flops(from_arch(ALONE.format("none")), IMAGE)
    assert supernet.forward_flops(uniform()) == pytest.approx(base + 5 * (mean - base))


def test_the_space_needs_no_torch():
    code = (
        "import sys; from spaces import nasbench201; nasbench201.search_space();"
        "nasbench201.to_index(nasbench201.from_index(3)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_of_tasks():
    assert nasbench201.images("digits").name == "digits"
    with pytest.raises(UnknownName, match="digits"):
        nasbench201.images("digit")


def test_objective_and_supernet_have_the_same_sizes():
    objective, recipe = nasbench201.training("digits"), nasbench201.supernet("digits")
    same = ("channels", "cells", "stages", "classes", "in_channels")
    assert [getattr(objective.networks, n) for n in same] == [
        getattr(recipe.network, n) for n in same
    ]
    assert recipe.image == tuple(objective.task.load().train.images.shape[1:])
    assert all(hasattr(nasbench201, name) for name in nasbench201.__all__)
    assert nasbench201.__all__ == sorted(nasbench201.__all__)
