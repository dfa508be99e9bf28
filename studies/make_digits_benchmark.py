"""Trains every class of NAS-Bench-201 cells on digits and writes the table that ships.

    python -m studies.make_digits_benchmark --out results/digits201 --workers 4

Each of the 5,390 classes of `isomorphism_class(zeros="dropped")` is trained by its representative
with every evaluation seed of `SEEDS`, through the same calls as `nasbench201.training("digits")`,
and measured after each epoch. Work is cut into parts of a few cells; a part is a file in OUT that
appears whole or not at all, so a run that was killed goes on where it was when it is started again.
Errors depend neither on the number of workers nor on interruptions; seconds are measured.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

if TYPE_CHECKING:
    from automl_nas.objectives.training import TrainingObjective

SEEDS = (0, 1, 2)
"""Evaluation seeds: `Trial.seed` of the live objective."""
DIVERGED = 65535
"""Instead of a count of wrong answers, from the epoch on whose loss was not finite."""
PART = 8
"""Cells of a part: with three seeds about 20 CPU seconds."""
Arrays = dict[str, np.ndarray]


def classes() -> tuple[np.ndarray, np.ndarray]:
    """((15625,) class of each official index, (5390,) official index of each representative).

    The representative is the first cell of its class without dead operations; classes are numbered
    by it.
    """
    from spaces.nasbench201.space import from_index, is_reduced, isomorphism_class

    cells = [from_index(index) for index in range(15_625)]
    names = [isomorphism_class(cell, zeros="dropped") for cell in cells]
    first: dict[str, int] = {}
    for index, (name, cell) in enumerate(zip(names, cells, strict=True)):
        if name not in first and is_reduced(cell):
            first[name] = index
    number = {name: position for position, name in enumerate(first)}
    return np.array([number[name] for name in names]), np.array(list(first.values()))


def learning_curve(
    objective: TrainingObjective, index: int, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """One training as the objective does it, from the start to its last epoch.

    Returns:
        ((epochs,) wrong answers on validation, the same on test, CPU seconds without measuring).
    """
    from automl_nas import seeds
    from automl_nas.isolation import isolated, reseed
    from automl_nas.objectives.fit import error, fit
    from spaces.nasbench201.space import from_index

    splits, recipe = objective.task.load(), objective.recipe
    wrong = np.full((2, recipe.epochs), DIVERGED)
    begun, measuring = time.process_time(), 0.0

    def measure(epoch: int, _values: Mapping[str, float]) -> None:
        nonlocal measuring
        before = time.process_time()
        for row, split in zip(wrong, (splits.validation, splits.test), strict=True):
            row[epoch - 1] = round(error(network, split, recipe.device) * len(split.labels) / 100)
        network.train()
        measuring += time.process_time() - before

    with isolated(recipe.device, threads=recipe.threads):
        reseed(seeds.derive("training", seed), recipe.device)
        network = objective.networks.build(from_index(index)).to(recipe.device)
        fit(network, splits.train, recipe, seed=seed, report=measure)
    return wrong[0], wrong[1], time.process_time() - begun - measuring


def _train_part(indices: Sequence[int], file: Path) -> None:
    """Trains some cells with all seeds and writes the part atomically."""
    from spaces import nasbench201

    objective = nasbench201.training("digits")
    rows = [[learning_curve(objective, index, seed) for seed in SEEDS] for index in indices]
    validation, test, seconds = (
        np.array([[curves[kind] for curves in row] for row in rows]) for kind in range(3)
    )
    _save(
        file,
        {
            "validation_wrong": validation.astype(np.uint16),
            "test_wrong": test.astype(np.uint16),
            "training_seconds": seconds.astype(np.float32),
        },
    )


def _save(file: Path, arrays: Arrays) -> None:
    partial = file.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    partial.replace(file)


def about() -> dict[str, Any]:
    """What the numbers depend on, as JSON."""
    from automl_nas.identity import describe
    from spaces import nasbench201

    objective = nasbench201.training("digits")
    splits = objective.task.load()
    return {
        "objective": describe(objective),
        "seeds": list(SEEDS),
        "images": {
            part: len(getattr(splits, part).labels) for part in ("train", "validation", "test")
        },
        "versions": {name: version(name) for name in ("automl_nas", "torch", "numpy")},
        "processor": processor(),
    }


def processor() -> str:
    """Vendor, family and model: floating-point results depend on it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    told: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    known = [told[name] for name in ("vendor_id", "cpu family", "model") if name in told]
    return " ".join([platform.machine(), *known])


def _costs() -> Arrays:
    """Parameters and forward FLOPs of every official index, dead operations counted as always."""
    from automl_nas.objectives.training import image_shape
    from spaces import nasbench201
    from spaces.nasbench201.network import flops_table
    from spaces.nasbench201.space import OPERATIONS, from_index, operations

    objective = nasbench201.training("digits")
    networks = objective.networks
    assert isinstance(networks, nasbench201.NetworkRecipe)
    base, flops = flops_table(networks, image_shape(objective.task.load()))
    alike = [
        "+".join(("|{0}~0|", "|{0}~0|{0}~1|", "|{0}~0|{0}~1|{0}~2|")).format(o) for o in OPERATIONS
    ]
    sizes = [_parameters(networks.build(nasbench201.from_arch(arch))) for arch in alike]
    each = {o: (size - sizes[0]) // 6 for o, size in zip(OPERATIONS, sizes, strict=True)}
    cells = [operations(from_index(index)) for index in range(15_625)]
    return {
        "parameters": np.array(
            [sizes[0] + sum(each[o] for o in cell) for cell in cells], np.uint32
        ),
        "flops": np.array([base + sum(flops[o] for o in cell) for cell in cells]),
    }


def _parameters(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def make(
    out: Path, *, workers: int, limit: int | None = None, part: int = PART
) -> Iterator[tuple[int, int]]:
    """Trains what is missing, then writes `out/digits201.npz`; yields (cells done, cells in all).

    Args:
        out: Folder of the parts, made if needed.
        workers: Processes, one thread each.
        limit: Only so many classes, for a trial run.
        part: Cells that are kept together.

    Raises:
        SettingError: `out` holds parts of another recipe, version or limit.
    """
    from automl_nas.parallel import processes

    class_of, representative = classes()
    chosen = representative[:limit].tolist()
    _claim(out, {**about(), "classes": len(chosen), "part": part})
    parts = {
        out / f"part-{start:05d}.npz": chosen[start : start + part]
        for start in range(0, len(chosen), part)
    }
    missing = {file: indices for file, indices in parts.items() if not file.exists()}
    done = len(chosen) - sum(map(len, missing.values()))
    yield done, len(chosen)
    with processes(workers) as pool:
        tasks = {
            pool.submit(_train_part, indices, file): len(indices)
            for file, indices in missing.items()
        }
        for task in as_completed(tasks):
            task.result()
            done += tasks[task]
            yield done, len(chosen)
    table = _joined([*parts]) | _costs() | {"class_of": class_of.astype(np.uint16)}
    table |= {"representative": representative[:limit].astype(np.uint16)}
    table["about"] = np.array(json.dumps(about(), sort_keys=True))
    _save(out / "digits201.npz", table)


def _claim(out: Path, what: dict[str, Any]) -> None:
    """Refuses a folder whose parts are of another run."""
    from automl_nas.errors import SettingError

    out.mkdir(parents=True, exist_ok=True)
    note, text = out / "about.json", json.dumps(what, indent=1, sort_keys=True)
    if note.exists() and note.read_text() != text:
        raise SettingError(
            f"{out} holds trainings of another recipe, version or size, see {note}: give another "
            "folder."
        )
    note.write_text(text)


def _joined(files: Sequence[Path]) -> Arrays:
    parts = [dict(np.load(file)) for file in files]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@click.command("make_digits_benchmark")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the parts.")
@click.option("--workers", type=click.IntRange(1), help="Processes. [default: all cores]")
@click.option("--part", default=PART, type=click.IntRange(1), help="Cells kept together.")
@click.option("--limit", type=click.IntRange(1), help="Only so many classes: a trial run.")
def command(out: Path, workers: int | None, limit: int | None, part: int) -> None:
    """Train all classes of NAS-Bench-201 cells on digits; goes on with what OUT holds."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("cells")
        for done, total in make(
            out, workers=workers or os.cpu_count() or 1, limit=limit, part=part
        ):
            progress.update(bar, completed=done, total=total)
    click.echo(f"table: {out / 'digits201.npz'}")


if __name__ == "__main__":
    from automl_nas.cli import guarded

    guarded(command)
