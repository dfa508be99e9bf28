"""NAS-Bench-NLP: some 14,000 recurrent cells trained on Penn Treebank, one training each.

    table = tables.open("nasbenchnlp", path="~/benchmarks")      # nb_nlp.pickle of NASLib
    table.row(key((((0, 4), (1, 4), (4, 5)), (0, 0, 0, 0, 6, 2), (5,))))     # the compact form

A compact form is (edges, operations, hidden): pairs (source, target), an operation for each node,
and the nodes that are the next hidden states. Nodes 0 ... 3 are `INPUTS`, the cell's own begin at
4. A key is text: `operation:inputs` of each own node, then the hidden ones, here `6:0,1 2:4;5`. It
keeps the order in which inputs come, which matters to `blend`; the authors' examples have one cell
with the inputs of its linear layer in either order, so that keys must not merge them.

Losses are cross entropies per word in nats, whose exponential is the perplexity: lower is better.
(NASLib returns 100 minus the loss and calls it an accuracy.) The file's wall times are seconds of
training for each epoch alone, evaluations left out; the column has their sum up to each epoch.

A training ended early after an exception or after a loss that was not a number. Shorter curves go
on with their last value, and cost no more. A loss that is not a number is infinite here: it was
measured, it is the worst there is, and a study charges its seconds and records a failure. Trainings
without any finished epoch are left out. Each note says how many.

This reader was written from the authors' programs and never met their file.

Sources: Klyuchnikov et al., arXiv:2006.07116 (fmsnew/nas-bench-nlp-release); NASLib (automl/NASLib,
Apache-2.0), whose file and compact form these are.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_nas.errors import TableError
from automl_nas.tables.safe import load_pickle, reading
from automl_nas.tables.sources import File, Source
from automl_nas.tables.table import Array, Column, Part, Table
from automl_nas.types import Fidelity, Metric

OPERATIONS = (
    "in", "activation_sigm", "activation_tanh", "activation_leaky_relu", "elementwise_sum",
    "elementwise_prod", "linear", "blend",
)  # fmt: skip
"""NASLib's order; the first is that of `INPUTS` alone."""
INPUTS = ("x", "h_prev_0", "h_prev_1", "h_prev_2")
"""Nodes 0 ... 3: the word, and the hidden states before."""
Compact = tuple[tuple[tuple[int, int], ...], tuple[int, ...], tuple[int, ...]]
"""(edges, operations, hidden)."""

_CURVES = ("train_losses", "val_losses", "test_losses", "wall_times")


def checked(compact: Any) -> Compact:
    """The form in plain integers: edges by target, in their given order; hidden ascending.

    More than three hidden nodes are let through: NASLib takes every name with `h_new` in it for
    one, thus five of the nodes of the authors' LSTM.

    Raises:
        TableError: it is no graph of the kind that files have.
    """
    try:
        edges, operations, hidden = compact
        pairs = [(operator.index(s), operator.index(t)) for s, t in edges]
        codes = tuple(map(operator.index, operations))
        last = tuple(sorted(map(operator.index, hidden)))
    except (TypeError, ValueError) as error:
        raise TableError(f"expected (edges, operations, hidden), got {compact!r}.") from error
    own = range(len(INPUTS), len(codes))
    legal = (
        codes[: len(INPUTS)] == (0,) * len(INPUTS)
        and all(0 < code < len(OPERATIONS) for code in codes[len(INPUTS) :])
        and all(0 <= source < target for source, target in pairs)
        and {target for _, target in pairs} == set(own)
        and 0 < len(set(last)) == len(last)
        and set(last) <= set(own)
    )
    if not legal:
        raise TableError(
            f"expected four inputs of operation 0, then nodes of operations 1 to "
            f"{len(OPERATIONS) - 1} that take the results of nodes before them, and some of these "
            f"as hidden states, got {compact!r}."
        )
    return tuple(sorted(pairs, key=operator.itemgetter(1))), codes, last


def inputs(compact: Compact) -> list[list[int]]:
    """The nodes that each node takes, in the order of the edges; none for the first four."""
    edges, operations, _ = compact
    return [[s for s, t in edges if t == node] for node in range(len(operations))]


def key(compact: Any) -> str:
    """The table's key of a compact form.

    Raises:
        TableError: it is no graph of the kind that files have.
    """
    form = checked(compact)
    nodes = list(zip(form[1], inputs(form), strict=True))[len(INPUTS) :]
    cell = " ".join(f"{code}:{','.join(map(str, sources))}" for code, sources in nodes)
    return f"{cell};{','.join(map(str, form[2]))}"


def compact(text: str) -> Compact:
    """The compact form of a key.

    Raises:
        TableError: it is no key.
    """
    edges: list[tuple[int, int]] = []
    codes = [0] * len(INPUTS)
    try:
        cell, hidden = text.split(";")
        for node, part in enumerate(cell.split(" "), start=len(INPUTS)):
            code, sources = part.split(":")
            codes.append(int(code))
            edges += [(int(source), node) for source in sources.split(",")]
        form = checked((edges, codes, [int(node) for node in hidden.split(",")]))
    except ValueError as error:
        raise TableError(
            f"expected a key such as '6:0,1 2:4;5' (operation:inputs of each node; hidden nodes), "
            f"got {text!r}."
        ) from error
    if key(form) != text:
        raise TableError(f"{text!r} is not a key: expected {key(form)!r}.")
    return form


def _key(path: Path, given: Any) -> str:
    """The key of a file's compact form, or a TableError that names the file."""
    try:
        return key(given)
    except TableError as error:
        raise TableError(f"{path}: {error}") from None


def _read(paths: Sequence[Path], task: str) -> Table:
    """{compact: {train_losses, val_losses, test_losses, wall_times: one value per epoch}}."""
    data = load_pickle(paths[0])
    with reading(paths[0], "a pickle of learning curves by compact form"):
        keyed = {_key(paths[0], one): _curves(run) for one, run in data.items()}
        if len(keyed) < len(data):
            raise TableError(f"{paths[0]} has a cell twice, with its edges in another order.")
        runs = {one: keyed[one] for one in sorted(keyed) if keyed[one]["wall_times"].size}
        if not runs:
            raise TableError(f"{paths[0]} has no training with a finished epoch.")
    columns = _columns(list(runs.values()), empty=len(keyed) - len(runs))
    epochs = columns[0].values.shape[1]
    return Table(
        f"nasbenchnlp/{task}",
        np.array(list(runs)),
        {column.metric.name: column for column in columns},
        Fidelity("epochs", epochs),
        tuple(range(1, epochs + 1)),
        continues=True,
        source="nb_nlp.pickle of NASLib",
    )


def _curves(run: Mapping[str, Any]) -> dict[str, Array]:
    """The four lists of a training, each (epochs,).

    Raises:
        ValueError: they are no lists, differ in length or have numbers that cannot be.
    """
    found = {name: np.asarray(run[name], dtype=np.float64) for name in _CURVES}
    seconds = found["wall_times"]
    if seconds.ndim != 1 or any(curve.shape != seconds.shape for curve in found.values()):
        shapes = {name: curve.shape for name, curve in found.items()}
        raise ValueError(f"expected four lists of one length, got {shapes}")
    if not np.isfinite(seconds).all() or any((curve < 0).any() for curve in found.values()):
        raise ValueError("a loss is negative, or a wall time is negative or not finite")
    return found


def _columns(runs: Sequence[Mapping[str, Array]], *, empty: int) -> list[Column]:
    """All columns, (rows, epochs) each."""
    epochs = max(len(run["wall_times"]) for run in runs)
    train, validation, test = (_losses(runs, name, epochs) for name in _CURVES[:3])
    best = np.minimum.accumulate(validation, axis=1)
    at_best = np.take_along_axis(test, _places_of_best(validation), axis=1)
    seconds = np.stack([_extended(np.cumsum(run["wall_times"]), epochs) for run in runs])
    note = _note(runs, epochs, empty)
    return [
        _loss("validation_loss", "validation", validation, f"at the end of each epoch{note}"),
        _loss("test_loss", "test", test, f"at the end of each epoch{note}"),
        _loss("train_loss", "train", train, f"at the end of each epoch{note}"),
        _loss("best_validation_loss", "validation", best, f"the lowest up to each epoch{note}"),
        _loss("test_loss_at_best", "test", at_best,
              f"of the epoch of the lowest validation loss up to each epoch{note}"),
        Column(Metric("training_seconds", unit="s"), seconds, ("fidelity",),
               note=f"up to the end of each epoch, without evaluations{note}"),
    ]  # fmt: skip


def _loss(name: str, part: Part, values: Array, note: str) -> Column:
    return Column(Metric(name, unit="nats"), values, ("fidelity",), part, note)


def _losses(runs: Sequence[Mapping[str, Array]], name: str, epochs: int) -> Array:
    """(rows, epochs); infinite where a loss is not a number."""
    values = np.stack([_extended(run[name], epochs) for run in runs])
    return np.where(np.isnan(values), np.inf, values)


def _extended(curve: Array, epochs: int) -> Array:
    """(epochs,): the curve, then its last value as often as it takes."""
    return np.pad(curve, (0, epochs - len(curve)), mode="edge")


def _places_of_best(losses: Array) -> Array:
    """(rows, epochs): where the lowest loss up to each epoch lies; of several, the first."""
    before = np.minimum.accumulate(losses, axis=1)[:, :-1]
    better = np.pad(losses[:, 1:] < before, ((0, 0), (1, 0)))
    places: Array = np.maximum.accumulate(better * np.arange(losses.shape[1]), axis=1)
    return places


def _note(runs: Sequence[Mapping[str, Array]], epochs: int, empty: int) -> str:
    short = sum(len(run["wall_times"]) < epochs for run in runs)
    diverged = sum(any(np.isnan(run[name]).any() for name in _CURVES[:3]) for run in runs)
    said = ["one training per cell"]
    said += [f"{short} shorter curves go on with their last value"] * bool(short)
    said += [f"{diverged} trainings had losses that were not numbers, infinite here"] * bool(
        diverged
    )
    said += [f"{empty} trainings without a finished epoch are left out"] * bool(empty)
    return "; " + "; ".join(said)


SOURCES = (
    Source(
        "NASLib pickle",
        ("penntreebank",),
        (File("nb_nlp.pickle", origin="automl/NASLib, README of the branch Develop"),),
        _read,
        "Apache-2.0",
    ),
)
