"""Networks and supernet of NAS-Bench-201 against the published code, written out as functions."""

import random

import torch
from torch.nn import functional as F

from automl_nas.oneshot.samplers import Gdas
from spaces.nasbench201 import NB201SupernetRecipe, NetworkRecipe, build, from_index
from spaces.nasbench201.space import SOURCE_TARGET, operations

IMAGE = (1, 8, 8)


def cells(number):
    return [from_index(index) for index in random.Random(3).sample(range(15_625), number)]


def official(network, cell, x):
    """The published network (models/cell_infers, models/cell_operations.py) on our weights."""

    def relu_conv_norm(part, x, stride, kernel):
        _, conv, norm = part
        x = F.conv2d(F.relu(x), conv.weight, None, stride, kernel // 2)
        return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)

    by_name = {
        "none": lambda _, x: x * 0.0,
        "skip_connect": lambda _, x: x,
        "nor_conv_1x1": lambda part, x: relu_conv_norm(part, x, 1, 1),
        "nor_conv_3x3": lambda part, x: relu_conv_norm(part, x, 1, 3),
        "avg_pool_3x3": lambda _, x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    }

    def infer_cell(part, x):
        nodes = [x]
        for target in (1, 2, 3):
            nodes.append(0)
            for source in range(target):
                edge = f"edge_{source}_{target}"
                module = part.edges[edge] if edge in part.edges else None  # noqa: SIM401
                nodes[target] = nodes[target] + by_name[cell[edge]](module, nodes[source])
        return nodes[3]

    def basic_block(part, x):
        y = relu_conv_norm(part.conv_b, relu_conv_norm(part.conv_a, x, 2, 3), 1, 3)
        return F.conv2d(F.avg_pool2d(x, 2, 2, 0), part.downsample[1].weight) + y

    def norm(part, x):
        return F.batch_norm(x, None, None, part.weight, part.bias, training=True)

    x = norm(network.stem[1], F.conv2d(x, network.stem[0].weight, None, 1, 1))
    for part in network.body:
        x = infer_cell(part, x) if hasattr(part, "edges") else basic_block(part, x)
    x = F.relu(norm(network.head[0], x)).mean((2, 3))
    return F.linear(x, network.head[4].weight, network.head[4].bias)


def test_the_network_is_the_published_one():
    recipe = NetworkRecipe(4, 2, 3, 10, 3)
    x = torch.randn(5, 3, 16, 16, dtype=torch.float64)
    for configuration in cells(15):
        network = build(configuration, recipe).double()
        for norm in network.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(norm.weight)
        chosen = dict(zip(SOURCE_TARGET, operations(configuration), strict=True))
        expected = official(network, chosen, x)
        torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-10)


def test_gradients_of_a_hard_draw_are_the_published_ones_through_whole_networks():
    """`forward_gdas`: the drawn operation times its weight, the others' weights as mere numbers."""
    supernet = NB201SupernetRecipe(NetworkRecipe(4, 2, 1, 10, 1), IMAGE).build().double()
    x = torch.randn(4, *IMAGE, dtype=torch.float64)
    logits = {e: torch.randn(5, dtype=torch.float64, requires_grad=True) for e in SOURCE_TARGET}
    torch.manual_seed(1)
    mixture = {edge: Gdas().draw(alpha, 0.5) for edge, alpha in logits.items()}
    supernet.soft(x, mixture)[:, 3].sum().backward()
    found = {edge: alpha.grad for edge, alpha in logits.items()}

    fresh = {edge: alpha.detach().clone().requires_grad_() for edge, alpha in logits.items()}
    torch.manual_seed(1)
    drawn = {edge: Gdas().draw(alpha, 0.5) for edge, alpha in fresh.items()}
    y = supernet.stem(x)
    for mixed in supernet.body:
        nodes = [y]
        for target in (1, 2, 3):
            total = 0
            for source in range(target):
                edge = f"edge_{source}_{target}"
                values, index = drawn[edge].values, drawn[edge].index
                total = total + sum(
                    values[i] * operation(nodes[source]) if i == index else values[i]
                    for i, operation in enumerate(mixed.choices[edge].candidates)
                )
            nodes.append(total)
        y = nodes[3]
    supernet.head(y)[:, 3].sum().backward()
    for edge in SOURCE_TARGET:
        torch.testing.assert_close(found[edge], fresh[edge].grad, rtol=0, atol=1e-10)
