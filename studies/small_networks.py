"""Small networks that still recognise digits: error against parameters on NAS-Bench-201 cells.

    automl-nas run small_networks seeds=3 evaluations=60

Several searchers of two metrics, each with the same number of evaluations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl_nas import Study


def studies(*, seeds: int = 3, evaluations: int = 60) -> list[Study]:
    """NSGA-II and regularized evolution beside random search, `seeds` repeats each."""
    from automl_nas import Budget, Study, registry
    from spaces import nasbench201

    space, objective = nasbench201.search_space(), nasbench201.training("digits")
    searchers = [
        registry.create("optuna:nsga2", space, settings={"population_size": 20}),
        registry.create("regularized-evolution", space, population_size=20, sample_size=5),
        registry.create("random", space),
    ]
    return [
        Study(
            space,
            objective,
            searcher,
            budget=Budget(evaluations=evaluations),
            seed=seed,
            name=f"small_networks/{searcher.name}/seed{seed}",
            optimize=["validation_error", "parameters"],
        )
        for searcher in searchers
        for seed in range(seeds)
    ]
