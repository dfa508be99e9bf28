"""NAS-Bench-201 on digits, complete: every class of cells trained with three seeds.

    benchmark = load()                                # plain arrays, no torch
    row = benchmark.class_of[index]                   # official index -> class
    benchmark.errors("validation")[row]               # (seeds, epochs), percent

A row is what `nasbench201.training("digits")` measures for the class's representative with
`Trial.seed` from `seeds`. Made by `python -m studies.make_digits_benchmark`; what is in it and how
far it can be trusted is in docs/benchmarks/digits201.md.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from automl_nas.errors import SettingError, TableError
from automl_nas.types import Fidelity, Metric

from .space import to_index

if TYPE_CHECKING:
    from automl_nas.objectives.table import TableObjective
    from automl_nas.tables import Table
    from automl_nas.tables.yardstick import Yardstick

FILE = Path(__file__).with_name("digits201.npz")
_FORWARD_PASSES = 3
"""Of a training step in FLOPs, as in `automl_nas.flops`."""
Array = npt.NDArray[Any]
Observed = int | tuple[int, ...] | Literal["mean", "drawn"]


@dataclass(frozen=True, eq=False)
class Digits201:
    """The table by classes of cells; arrays are read-only."""

    class_of: Array
    """(15625,) official index -> class."""
    representative: Array
    """(classes,) official index of the cell that was trained."""
    validation_wrong: Array
    """(classes, seeds, epochs) wrong answers on the validation part."""
    test_wrong: Array
    """(classes, seeds, epochs) wrong answers on the test part."""
    training_seconds: Array
    """(classes, seeds) CPU seconds of one thread for all epochs, without measuring errors."""
    parameters: Array
    """(15625,) of each cell itself, dead operations counted."""
    flops: Array
    """(15625,) FLOPs per image of each cell itself, dead operations counted."""
    about: Mapping[str, Any]
    """Recipe, sizes of the parts, versions."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Evaluation seeds along the axis of seeds."""
        return tuple(self.about["seeds"])

    @property
    def epochs(self) -> int:
        """Of a full training."""
        return int(self.validation_wrong.shape[2])

    def images(self, part: Literal["train", "validation", "test"]) -> int:
        """How many images a part has."""
        return int(self.about["images"][part])

    def errors(self, part: Literal["validation", "test"]) -> npt.NDArray[np.float64]:
        """(classes, seeds, epochs) errors in percent after each epoch."""
        wrong = self.validation_wrong if part == "validation" else self.test_wrong
        return 100 * wrong / self.images(part)


@functools.lru_cache(maxsize=4)
def load(file: Path = FILE) -> Digits201:
    """Reads the table, by default the one that ships.

    Raises:
        TableError: there is no such file.
    """
    if not file.is_file():
        raise TableError(
            f"expected the table at {file}: install automl_nas again, or make it with "
            "`python -m studies.make_digits_benchmark`."
        )
    with np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for array in arrays.values():
        array.setflags(write=False)
    about = json.loads(str(arrays.pop("about")))
    return Digits201(about=about, **arrays)


@functools.lru_cache(maxsize=4)
def columnar(benchmark: Digits201) -> Table:
    """All 15,625 cells by official index; those of a class share errors and seconds."""
    from automl_nas.tables import Column, Table

    epochs = tuple(range(1, benchmark.epochs + 1))
    seen = benchmark.epochs * benchmark.images("train") * _FORWARD_PASSES
    seconds = np.median(benchmark.training_seconds, axis=1)[benchmark.class_of]
    error = functools.partial(_error, benchmark)
    columns = [
        error("validation", benchmark.validation_wrong),
        error("test", benchmark.test_wrong),
        Column(Metric("parameters"), benchmark.parameters),
        Column(Metric("flops", unit="FLOPs per image"), benchmark.flops),
        Column(Metric("training_flops", unit="FLOPs"), seen * benchmark.flops),
        Column(
            Metric("training_seconds", unit="s"),
            seconds,
            note="CPU seconds of one thread, median over seeds",
        ),
    ]
    return Table(
        name="nasbench201/digits",
        keys=np.arange(len(benchmark.class_of)),
        columns={column.metric.name: column for column in columns},
        fidelity=Fidelity("epochs", benchmark.epochs),
        fidelities=epochs,
        seeds=benchmark.seeds,
        source="spaces/nasbench201/digits201.npz, made by studies/make_digits_benchmark.py",
    )


def _error(benchmark: Digits201, part: Literal["validation", "test"], wrong: Array) -> Any:
    from automl_nas.tables import Column

    return Column(
        Metric(f"{part}_error", unit="%"),
        wrong.transpose(0, 2, 1)[benchmark.class_of],
        axes=("fidelity", "seed"),
        part=part,
        note="after the last epoch trained; of the class's representative",
        scale=100 / benchmark.images(part),
    )


def table(
    *,
    path: str | Path | None = None,
    observed: Observed | None = None,
    others: tuple[str, ...] = (),
) -> TableObjective:
    """What `nasbench201.training("digits")` measures, looked up.

    Metrics, fidelity and training FLOPs are those of the live objective, and a promoted trial is
    charged its own epochs alone.

    Args:
        path: another file of this kind; None: the one that ships.
        observed: the seeds whose validation error searchers see; None: the first. `test_error` is
            the mean of the other seeds, which no searcher sees; of all for "mean" and "drawn".
        others: further columns that are metrics, such as `training_seconds`.

    Raises:
        SettingError: the table has no such seed.
        UnknownName: it has no such column.
        TableError: there is no such file.
    """
    from automl_nas.objectives.table import Reading, TableObjective

    benchmark = load(FILE if path is None else Path(path))
    seen: Observed = benchmark.seeds[0] if observed is None else observed
    readings = (
        Reading("validation_error", seed=seen),
        Reading("test_error", seed=_unseen(benchmark, seen)),
        Reading("parameters"),
        Reading("flops"),
        *map(Reading, others),
    )
    return TableObjective(
        columnar(benchmark),
        key=to_index,
        readings=readings,
        seconds="training_seconds",
        training_flops="training_flops",
        continues=True,
    )


def _unseen(benchmark: Digits201, seen: Observed) -> tuple[int, ...]:
    """The seeds that the yardstick is the mean of."""
    if isinstance(seen, str):
        return benchmark.seeds
    given = {seen} if isinstance(seen, int) else set(seen)
    left = tuple(seed for seed in benchmark.seeds if seed not in given)
    if not left or not given or not given <= set(benchmark.seeds):
        raise SettingError(
            f"expected some of the seeds {benchmark.seeds} but not all, got observed={seen}: to "
            'observe all, say "mean".'
        )
    return left


def yardstick(
    metric: str = "validation_error",
    *,
    path: str | Path | None = None,
    seed: int | tuple[int, ...] | Literal["mean"] = "mean",
) -> Yardstick:
    """The optimum over all cells, and the reference point with the number of parameters."""
    from automl_nas.tables.yardstick import yardstick as yardstick_of

    benchmark = load(FILE if path is None else Path(path))
    return yardstick_of(columnar(benchmark), metric, others=("parameters",), seed=seed)
