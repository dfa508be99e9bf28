"""The spaces of HW-GPT-Bench: width, depth, bias, and heads and MLP ratio of each layer.

    space = search_space(SCALES["s"])
    parameters(configuration)

`heads_11` and `mlp_11` are active only where there are eleven layers or more. Scale S has
6 (9^10 + 9^11 + 9^12), about 2 * 10^12 architectures.

Source: Sukthanker et al., NeurIPS 2024 (arXiv:2405.10299), table 1; the choices are those of
automl/HW-GPT-Bench, hwgpt/configs_api/gpt_{s,m,l}.yaml.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from ConfigSpace import Categorical, Configuration, ConfigurationSpace, InCondition

from automl_nas import configs
from automl_nas.tables.hwgpt import make_key, read_key

VOCABULARY = 50_254
HEAD_SIZE = 64
"""Channels of one head; with fewer heads, attention is narrower than the network."""


@dataclass(frozen=True)
class Scale:
    """What can be chosen at one scale."""

    name: str
    widths: tuple[int, ...]
    """Embedding dimensions."""
    depths: tuple[int, ...]
    """Numbers of layers."""
    heads: tuple[int, ...]
    """Attention heads of a layer."""
    ratios: tuple[int, ...] = (2, 3, 4)
    """Hidden width of a layer's MLP over the embedding dimension."""


SCALES: Mapping[str, Scale] = {
    "s": Scale("s", (192, 384, 768), (10, 11, 12), (4, 8, 12)),
    "m": Scale("m", (256, 512, 1024), (22, 23, 24), (8, 12, 16)),
    "l": Scale("l", (320, 640, 1280), (34, 35, 36), (8, 16, 20)),
}
"""By name."""


def search_space(scale: Scale) -> ConfigurationSpace:
    """`embed_dim`, `layers`, `bias`, and `heads_01`, `mlp_01`, ... of every layer."""
    space = ConfigurationSpace(name=f"hw_gpt_{scale.name}")
    depth = Categorical("layers", scale.depths)
    space.add([Categorical("embed_dim", scale.widths), depth, Categorical("bias", [False, True])])
    for layer in range(1, max(scale.depths) + 1):
        chosen = [
            Categorical(f"heads_{layer:02d}", scale.heads),
            Categorical(f"mlp_{layer:02d}", scale.ratios),
        ]
        space.add(chosen)
        deeper = [number for number in scale.depths if number >= layer]
        if len(deeper) < len(scale.depths):
            space.add([InCondition(one, depth, deeper) for one in chosen])
    return space


@functools.lru_cache(maxsize=len(SCALES))
def _shared_space(name: str) -> ConfigurationSpace:
    return search_space(SCALES[name])


def to_key(configuration: Configuration) -> str:
    """The key of the architecture in the benchmark's tables."""
    values = configs.to_dict(configuration)
    layers = range(1, int(str(values["layers"])) + 1)
    heads, ratios = (
        [int(str(values[f"{kind}_{layer:02d}"])) for layer in layers] for kind in ("heads", "mlp")
    )
    return make_key(int(str(values["embed_dim"])), bool(values["bias"]), heads, ratios)


def from_key(key: str, scale: Scale) -> Configuration:
    """The configuration of a table's key.

    Raises:
        ValueError: it is no architecture of that scale.
    """
    width, bias, heads, ratios = read_key(key)
    if len(heads) != len(ratios):
        raise ValueError(f"expected as many heads as MLP ratios, got {key=}.")
    values: dict[str, configs.Value] = {
        "embed_dim": width, "layers": len(heads), "bias": bool(bias),
    }  # fmt: skip
    for layer, (number, ratio) in enumerate(zip(heads, ratios, strict=True), start=1):
        values |= {f"heads_{layer:02d}": number, f"mlp_{layer:02d}": ratio}
    return configs.from_dict(_shared_space(scale.name), values)


def parameters(architecture: Configuration | str) -> int:
    """Number of parameters of a configuration or a table's key.

    Token embedding and output layer are separate (2 V e), the last norm has 2 e. A layer has two
    norms (4 e), attention with heads of 64 channels (four matrices of 64 h e) and a gated MLP
    (three matrices of r e^2); biases add 3 * 64 h + e to attention and 2 r e + e to the MLP.
    Equal to the published count on all 10,000 rows of scale S.
    """
    key = architecture if isinstance(architecture, str) else to_key(architecture)
    e, bias, heads, ratios = read_key(key)
    count = 2 * VOCABULARY * e + 2 * e
    for h, r in zip(heads, ratios, strict=True):
        count += 4 * e + 4 * HEAD_SIZE * h * e + 3 * r * e * e
        count += bias * (3 * HEAD_SIZE * h + 2 * e + 2 * r * e)
    return count
