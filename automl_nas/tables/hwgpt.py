"""HW-GPT-Bench: perplexity, size, latency and energy of GPT-2-like networks, by scale s, m, l.

    table = tables.open("hw_gpt_bench", task="s", path="~/benchmarks")
    table.query(rows, "perplexity"), table.query(rows, "latency_a100"), ...

A row's key is `embed_dim;bias;heads of each layer;mlp ratios of each layer`, such as
`192;0;12-12-8-...;4-2-3-...` (`make_key`). Perplexity and accuracy of the next token are those of
networks that inherit the super-network's weights, on OpenWebText, as of May 2024.

Latencies are medians of 10 runs in ms. Energies on GPUs are medians of 50 measurements in the unit
that the authors call kWh: the first of the 50 is a warm-up that may be thirty times as large, so
the means are not read. Energies on CPUs are the authors' means in Wh; a device whose energies are
all zero was not measured and is left out.

Layouts: the collected csv `hw_gpt_<scale>.csv.gz`; and the raw pickles, lists of {arch: {...},
perplexity, accuracy} for perplexities, with {arch, times_profiler_gpu | times_profiler_cpu} and
{arch, energy_gpu} for devices, where they are asked for (`read_raw`).

Source: Sukthanker et al., "HW-GPT-Bench", NeurIPS 2024 (arXiv:2405.10299); data in
automl/HW-GPT-Bench, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_nas.errors import TableError
from automl_nas.tables.safe import load_pickle, opened, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Column, Table
from automl_nas.types import Metric

_UNITS = {
    "perplexity": ("min", ""), "next_token_acc": ("max", "1"), "params": ("min", "parameters"),
    "macs": ("min", "multiply-adds"), "flops": ("min", "operations"),
}  # fmt: skip
_INHERITED = "with weights inherited from the super-network"
_TIMES = ("times_profiler_gpu", "times_profiler_cpu")
"""Names of measured times in the raw files, in ms."""


def make_key(embed_dim: int, bias: int, heads: Sequence[int], mlp_ratios: Sequence[int]) -> str:
    """The table's key of an architecture; both lists have one number for each layer."""
    parts = ("-".join(map(str, heads)), "-".join(map(str, mlp_ratios)))
    return f"{embed_dim};{int(bias)};{parts[0]};{parts[1]}"


def read_key(key: str) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """(embed_dim, bias, heads, mlp_ratios) of a key."""
    embed_dim, bias, heads, ratios = key.split(";")
    return int(embed_dim), int(bias), _numbers(heads), _numbers(ratios)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("-")))


def read(paths: Sequence[Path], task: str) -> Table:
    """A scale's table from the collected csv.

    Raises:
        TableError: the file is malformed.
    """
    path = paths[0]
    with reading(path, "a collected table of HW-GPT-Bench"):
        with opened(path) as file:
            frame = pd.read_csv(file, dtype={"n_head": str, "mlp_ratio": str})
        keys = [_row_key(row) for row in frame.to_dict("records")]
        columns = [
            column for name in frame.columns if (column := _column(str(name), frame)) is not None
        ]
    return Table(
        f"hw_gpt_bench/{task}", np.array(keys), {c.metric.name: c for c in columns},
        source=path.name,
    )  # fmt: skip


def _row_key(row: Mapping[Any, Any]) -> str:
    heads, ratios = _numbers(row["n_head"]), _numbers(row["mlp_ratio"])
    if not len(heads) == len(ratios) == int(row["n_layer"]):
        raise ValueError(f"{row['n_layer']=} beside {len(heads)} heads and {len(ratios)} ratios")
    return make_key(int(row["embed_dim"]), int(row["bias"]), heads, ratios)


def _column(name: str, frame: pd.DataFrame) -> Column | None:
    """What is worth reading of a csv column, renamed: `latency_<device>`, `energy_<device>`."""
    metric, note = _metric(name)
    if metric is None:
        return None
    values = frame[name].to_numpy(dtype=np.float64, copy=True)
    return None if metric.name.startswith("energy") and not values.any() else Column(
        metric, values, part="validation" if note == _INHERITED else "", note=note
    )  # fmt: skip


def _metric(name: str) -> tuple[Metric | None, str]:
    if name in _UNITS:
        goal, unit = _UNITS[name]
        note = _INHERITED if name in ("perplexity", "next_token_acc") else ""
        return Metric(name, "max" if goal == "max" else "min", unit), note
    for prefix, ending, kind, unit, note in (
        ("lat_", "_ms_median", "latency", "ms", "median of 10 runs"),
        ("energy_", "_kwh_median", "energy", "kWh", "median of 50; unit as the authors say"),
        ("energy_", "_wh_mean", "energy", "Wh", "mean; no median was recorded"),
        ("mem_", "_mb", "memory", "MB", ""),
    ):
        device = name[len(prefix) : -len(ending)]
        if name.startswith(prefix) and name.endswith(ending) and not device.endswith("_k"):
            return Metric(f"{kind}_{device}", "min", unit), note
    return None, ""


def read_raw(files: Mapping[str, Sequence[Path]], scale: str) -> Table:
    """A scale's table from the raw pickles, read without running what is in them.

    Args:
        files: "perplexity" -> its pickles, and device -> the pickles of its times or energies.
        scale: s, m or l.

    Raises:
        TableError: a file is malformed, or the perplexities are missing.
    """
    if not files.get("perplexity"):
        raise TableError(f"expected the pickles of perplexities of scale {scale}, got none.")
    table: dict[str, dict[str, float]] = {}
    for kind, paths in files.items():
        for path in paths:
            for key, values in _observations(path, kind):
                table.setdefault(key, {}).update(values)
    rows = {key: values for key, values in table.items() if "perplexity" in values}
    names = list(dict.fromkeys(name for values in rows.values() for name in values))
    columns = {
        name: Column(
            Metric(name, "max" if name == "next_token_acc" else "min", _unit(name)),
            np.array([values.get(name, np.nan) for values in rows.values()]),
            part="" if "_" in name and name != "next_token_acc" else "validation",
        )
        for name in names
    }
    return Table(f"hw_gpt_bench/{scale}", np.array(list(rows)), columns, source="raw pickles")


def _observations(path: Path, kind: str) -> Iterable[tuple[str, dict[str, float]]]:
    data = load_pickle(path)
    with reading(path, "a list of observations of HW-GPT-Bench"):
        return [(_raw_key(one["arch"]), _raw_values(one, kind)) for one in data]


def _raw_key(arch: Mapping[str, Any]) -> str:
    layers = int(arch["sample_n_layer"])
    heads = [int(number) for number in arch["sample_n_head"][:layers]]
    ratios = [int(number) for number in arch["sample_mlp_ratio"][:layers]]
    bias = str(arch["sample_bias"]) in ("True", "1")
    return make_key(int(arch["sample_embed_dim"]), bias, heads, ratios)


def _raw_values(one: Mapping[str, Any], kind: str) -> dict[str, float]:
    if kind == "perplexity":
        values = {"perplexity": float(one["perplexity"])}
        return values | ({"next_token_acc": float(one["accuracy"])} if "accuracy" in one else {})
    values = {f"latency_{kind}": float(np.median(one[n])) for n in _TIMES if n in one}
    if "energy_gpu" in one:
        values[f"energy_{kind}"] = float(np.median(one["energy_gpu"]))
    if not values:
        raise KeyError("neither times nor energies")
    return values


def _unit(name: str) -> str:
    return {"latency": "ms", "energy": "kWh"}.get(name.partition("_")[0], "")


SOURCES = tuple(
    Source("collected csv", (scale,), (File(f"hw_gpt_{scale}.csv.gz"),), read, "Apache-2.0")
    for scale in ("s", "m", "l")
)
"""One file for each scale."""
