"""Blackbox and gradient searchers on NAS-Bench-201 cells, trained live on small images.

    automl-nas compare --quick          # or: python -m studies.compare --quick

Every searcher gets the same charged training FLOPs, counted in full trainings of the average cell
(`equivalents`). Searchers of one metric minimise the validation error; searchers of several
minimise validation error and parameters. Each group is compared within itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from automl_nas import Study
    from automl_nas.objectives.training import TrainingObjective
    from automl_nas.searchers import GradientSearcher
    from automl_nas.searchers.base import Searcher

_SAMPLERS = ("darts", "drnas", "gdas", "uniform")
_ROUNDS = 5
_INITIAL = 6
"""Random or quasi-random configurations before a model is used; the same for all that have one."""
_POPULATION, _SAMPLE = 8, 3
"""Population and tournament of every evolution, small enough for a budget of 25."""

_QUICK = {"seeds": 1, "equivalents": 10}
_DEFAULT = {"seeds": 3, "equivalents": 25}


def studies(*, seeds: int = 3, equivalents: int = 25) -> list[Study]:
    """The comparison's studies: every searcher, `seeds` repeats, `equivalents` full trainings."""
    from automl_nas import Budget, Study
    from spaces import nasbench201

    space, objective = nasbench201.search_space(), nasbench201.training("digits")
    single, multiple = ["validation_error"], ["validation_error", "parameters"]
    groups = [
        (single, gradient(space, objective, equivalents)),
        (single, blackbox(space)),
        (multiple, blackbox_multiple(space)),
    ]
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
        for optimize, searchers in groups
        for label, searcher in searchers.items()
        for seed in range(seeds)
    ]


def blackbox(space: ConfigurationSpace) -> dict[str, Searcher]:
    """Searchers of one metric, slow ones first."""
    from automl_nas.searchers import (
        EvolutionSearcher,
        LocalSearcher,
        OptunaSearcher,
        RandomSearcher,
        SmacSearcher,
        SyneTuneSearcher,
    )

    evolution = {"population_size": _POPULATION, "sample_size": _SAMPLE}
    searchers: list[Searcher] = [
        SmacSearcher(space, "rf", initial=_INITIAL),
        OptunaSearcher(space, "tpe", {"n_startup_trials": _INITIAL}),
        SyneTuneSearcher(space, "rea", **evolution),
        EvolutionSearcher(space, **evolution),
        LocalSearcher(space, initial=_INITIAL),
        RandomSearcher(space),
    ]
    return {searcher.name: searcher for searcher in searchers}


def blackbox_multiple(space: ConfigurationSpace) -> dict[str, Searcher]:
    """Searchers of several metrics, slow ones first."""
    from automl_nas.searchers import (
        EvolutionSearcher,
        OptunaSearcher,
        RandomSearcher,
        SmacSearcher,
        SyneTuneSearcher,
    )

    evolution = {"population_size": _POPULATION, "sample_size": _SAMPLE}
    searchers: list[Searcher] = [
        SmacSearcher(space, "parego", initial=_INITIAL),
        OptunaSearcher(space, "nsga2", {"population_size": _POPULATION}),
        SyneTuneSearcher(space, "mo-rea", **evolution),
        EvolutionSearcher(space, **evolution),
        RandomSearcher(space),
    ]
    return {searcher.name: searcher for searcher in searchers}
