"""Small networks that still recognise digits: error against parameters on NAS-Bench-201 cells.

    automl-nas run small_networks seeds=3 evaluations=60 --searcher "optuna:tpe multivariate=true"

Several searchers of two metrics, each with the same number of evaluations, looked up in the table
that ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_nas import Study


_SETTINGS: dict[str, dict[str, Any]] = {
    "optuna:nsga2": {"settings": {"population_size": 20}},
    "regularized-evolution": {"population_size": 20, "sample_size": 5},
    "random": {},
}
"""The searchers unless others are chosen, and their settings unless they are given."""


def studies(*, seeds: int = 3, evaluations: int = 60, searchers: Sequence[str] = ()) -> list[Study]:
    """NSGA-II and regularized evolution beside random search, or `searchers`; `seeds` repeats."""
    from automl_nas import Budget, Study, spelling
    from spaces import nasbench201

    space, objective = nasbench201.search_space(), nasbench201.table("digits")
    chosen = [spelling.parse(text) for text in searchers or _SETTINGS]
    return [
        Study(
            space,
            objective,
            spelling.make(spelt, space, **_SETTINGS.get(spelt.name, {})),
            budget=Budget(evaluations=evaluations),
            seed=seed,
            name=f"small_networks/{spelt}/seed{seed}",
            optimize=["validation_error", "parameters"],
        )
        for spelt in chosen
        for seed in range(seeds)
    ]
