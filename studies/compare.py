"""Blackbox and gradient searchers on NAS-Bench-201 cells and small images.

    automl-nas compare --quick          # or: python -m studies.compare --quick
    automl-nas compare --live           # trains every cell instead of looking it up

Cells are looked up in the complete table that ships (docs/benchmarks/digits201.md); supernets are
trained on the same images, always live.

Every searcher gets the same charged training FLOPs, counted in full trainings of the average cell
(`equivalents`). Searchers of one metric minimise the validation error; searchers of several
minimise validation error and parameters. Each group is compared within itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from automl_nas.commands.options import ACCEPT, SEARCHER, WORKERS

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from automl_nas import Results, Study
    from automl_nas.images import ImageTask
    from automl_nas.objectives.base import Objective
    from automl_nas.searchers import GradientSearcher
    from automl_nas.searchers.base import Searcher
    from automl_nas.spelling import Spelt
    from automl_nas.supernet.mixture import SupernetRecipe

_SAMPLERS = ("darts", "drnas", "gdas", "uniform")
_ROUNDS = range(1, 12)
"""Possible numbers of proposals of a gradient run; all but the last are only monitored."""
_NEARLY = 0.8
"""Share of the longest run that is given up at most for more rounds (ranking paths costs FLOPs)."""
_DRIFT = {"gdas": 1.25}
"""A path sampler that learns comes to draw dearer operations than the uniform mean: 1.2 times its
FLOPs over a run of 25 equivalents on digits. Sized with this, it stays within the budget."""
_ARCHITECTURE_LR = 0.02
"""Of Adam on architecture logits: DARTS's 3e-4 is meant for 50 epochs of CIFAR-10, more than a
hundred times the steps that this budget allows."""
_SINGLE = (
    "smac:rf",
    "optuna:tpe",
    "syne-tune:rea",
    "regularized-evolution",
    "local-search",
    "random",
)
"""Searchers of one metric, slow ones first."""
_MULTIPLE = (
    "smac:parego",
    "optuna:nsga2",
    "syne-tune:mo-rea",
    "regularized-evolution",
    "random",
)
"""Searchers of several metrics, slow ones first."""

_GROUPS = (
    (("validation_error",), (*[f"gradient:{sampler}" for sampler in _SAMPLERS], *_SINGLE)),
    (("validation_error", "parameters"), _MULTIPLE),
)
"""Optimised metrics with the searchers that minimise them; any other searcher joins the groups
whose number of metrics it takes."""

_QUICK = {"seeds": 1, "equivalents": 10}
_DEFAULT = {"seeds": 5, "equivalents": 60}
_FULL = {"seeds": 10, "equivalents": 100}
_LIVE = {"seeds": 3, "equivalents": 25}


def studies(
    *, seeds: int = 5, equivalents: int = 60, searchers: Sequence[str] = (), live: bool = False
) -> list[Study]:
    """Every searcher, or the given ones: `seeds` repeats of `equivalents` full trainings each.

    Cells are looked up, or trained if `live`.

    `searchers` are spelt as `automl_nas.spelling` says and may be any that are registered; settings
    that are not given are those of this comparison.
    """
    from automl_nas import Budget, Study
    from spaces import nasbench201

    space = nasbench201.search_space()
    objective = nasbench201.training("digits") if live else nasbench201.table("digits")
    return [
        Study(
            space,
            objective,
            searcher,
            budget=Budget(equivalents=equivalents),
            seed=seed,
            name=f"{'+'.join(optimize)}/{label}/seed{seed}",
            optimize=optimize,
        )
        for optimize, label, searcher in _entrants(space, objective, equivalents, searchers)
        for seed in range(seeds)
    ]


def _entrants(
    space: ConfigurationSpace,
    objective: Objective,
    equivalents: int,
    names: Sequence[str],
) -> Iterator[tuple[list[str], str, Searcher]]:
    """Optimised metrics, label and searcher of each run."""
    from automl_nas import spelling

    chosen = [spelling.parse(text) for text in names]
    for optimize, usual in _GROUPS:
        for spelt in chosen or [spelling.Spelt(name) for name in usual]:
            label, searcher = _entrant(spelt, space, objective, equivalents)
            if not chosen or _takes(searcher, objective, optimize):
                yield [*optimize], label, searcher


def _entrant(
    spelt: Spelt, space: ConfigurationSpace, objective: Objective, equivalents: int
) -> tuple[str, Searcher]:
    """A searcher with the settings of this comparison where none are given, and its label."""
    from automl_nas import spelling

    head, _, sampler = spelt.name.partition(":")
    if head != "gradient":
        return str(spelt), spelling.make(spelt, space, **_settings(spelt.name, equivalents))
    from automl_nas.searchers import GradientSearcher
    from spaces import nasbench201

    supernet, full = nasbench201.supernet("digits"), objective.full_training_flops
    assert full is not None, "the mean cell's FLOPs are known in closed form"
    variant = sampler or _SAMPLERS[0]
    images = nasbench201.images("digits")
    base = sized(space, supernet, images, variant, (equivalents - 1) * full)
    shared = {"data": base.data, "rounds": base.rounds, "recipe": base.recipe}
    searcher = spelling.make(spelt, space, supernet=supernet, **shared)
    assert isinstance(searcher, GradientSearcher)
    epochs = f" ({searcher.rounds}x{searcher.recipe.epochs_per_round} epochs)"
    return f"{spelling.Spelt(searcher.name, spelt.settings)}{epochs}", searcher


def _settings(name: str, equivalents: int) -> dict[str, Any]:
    """What fits a budget: about a quarter of it at random, a third of it as a population."""
    initial, population = max(4, equivalents // 4), max(4, equivalents // 3)
    evolution = {"population_size": population, "sample_size": max(2, population // 3)}
    made: dict[str, dict[str, Any]] = {
        "smac:rf": {"initial": initial},
        "smac:parego": {"initial": initial},
        "optuna:tpe": {"settings": {"n_startup_trials": initial}},
        "optuna:nsga2": {"settings": {"population_size": population}},
        "syne-tune:rea": evolution,
        "syne-tune:mo-rea": evolution,
        "regularized-evolution": evolution,
        "local-search": {"initial": initial},
    }
    return made.get(name, {})


def _takes(searcher: Searcher, objective: Objective, optimize: Sequence[str]) -> bool:
    """Whether a searcher belongs to the group of these metrics."""
    from automl_nas.errors import UnsupportedObjectives
    from automl_nas.types import History

    usual = {tuple(metrics): names for metrics, names in _GROUPS}
    if any(searcher.name in names for names in usual.values()):
        return searcher.name in usual[tuple(optimize)]
    metrics = tuple(metric for metric in objective.metrics if metric.name in optimize)
    try:
        searcher.propose(History(searcher.space, metrics, 0, fidelity=objective.fidelity), 0)
    except UnsupportedObjectives:
        return False
    return True


def sized(
    space: ConfigurationSpace,
    supernet: SupernetRecipe,
    data: ImageTask,
    sampler: str,
    flops: float,
) -> GradientSearcher:
    """A run that costs at most `flops`: the most rounds among those that are nearly the longest.

    Raises:
        SettingError: not even one epoch is affordable.
    """
    from automl_nas.errors import SettingError
    from automl_nas.oneshot.recipe import OneShotRecipe
    from automl_nas.searchers import GradientSearcher

    def run(rounds: int, epochs: int) -> GradientSearcher:
        recipe = OneShotRecipe(epochs_per_round=epochs, architecture_lr=_ARCHITECTURE_LR)
        return GradientSearcher(space, supernet, sampler, data=data, rounds=rounds, recipe=recipe)

    lengths = [(rounds, epochs) for rounds in _ROUNDS for epochs in range(1, 200)]
    cost = run(1, 1)
    epoch, ranking = cost.epoch_flops() * _DRIFT.get(sampler, 1.0), cost.ranking_flops()
    affordable = [(n, e) for n, e in lengths if n * (e * epoch + ranking) <= flops]
    if not affordable:
        raise SettingError(
            f"one epoch of {cost.name} costs {epoch + ranking:.3g} training FLOPs and the budget "
            f"leaves {flops:.3g}: give more equivalents."
        )
    longest = max(rounds * epochs for rounds, epochs in affordable)
    long = [(n, e) for n, e in affordable if n * e >= _NEARLY * longest]
    return run(*max(long))


@click.command("compare")
@click.option("--out", help="Folder for the results. [default: results/compare, or compare-live]")
@click.option("--quick", is_flag=True, help="Smoke run: 1 seed, 10 full trainings each.")
@click.option("--full", is_flag=True, help="10 seeds, 100 full trainings each.")
@click.option("--live", is_flag=True, help="Train every cell (3 seeds, 25 full trainings each).")
@click.option("--seeds", type=click.IntRange(1), help="Repeats of each searcher. [default: 5]")
@click.option(
    "--equivalents",
    type=click.IntRange(3),
    help="Budget of each run in full trainings of the average cell. [default: 60]",
)
@SEARCHER
@WORKERS
@ACCEPT
def command(
    out: str | None,
    seeds: int | None,
    equivalents: int | None,
    searchers: tuple[str, ...],
    workers: int | None,
    accept: tuple[str, ...],
    *,
    quick: bool,
    full: bool,
    live: bool,
) -> None:
    """Compare all searchers on NAS-Bench-201 cells and digits; resumes what OUT holds."""
    from automl_nas.definitions import define
    from automl_nas.terminal import run_with_progress, stored

    asked = {"seeds": seeds, "equivalents": equivalents, "searchers": list(searchers) or None}
    given = {name: value for name, value in asked.items() if value is not None}
    usual = _QUICK if quick else _FULL if full else _LIVE if live else _DEFAULT
    chosen = define("compare", usual | given | ({"live": True} if live else {}))
    folder = Path(out or ("results/compare-live" if live else "results/compare"))
    storage = f"sqlite:///{folder / 'study.db'}"
    run_with_progress(chosen, storage, workers or os.cpu_count() or 1, accept=accept)
    _report(stored(storage, [study.name for study in chosen]), folder, ranking=not quick)


def _report(results: list[Results], folder: Path, *, ranking: bool) -> None:
    from automl_nas import report
    from automl_nas.terminal import show

    show(results, ranking=ranking)
    if not ranking:
        click.echo("smoke run, no ranking: too few evaluations and seeds to compare searchers.")
    page = report.write(
        results,
        folder / "report.html",
        title="Blackbox and gradient search on NAS-Bench-201 cells",
        ranking=ranking,
    )
    click.echo(f"record: {folder / 'study.db'}\nreport: {page}")


if __name__ == "__main__":
    from automl_nas.cli import guarded

    guarded(command)
