"""Four parts of SMAC, replaced: exact under every PYTHONHASHSEED and much faster, same proposals.

Imports SMAC at once (two seconds): import this module inside functions only.

- `small_forest` works in this thread and reserves memory for as many leaves as there are records;
  SMAC 2.4.1 starts a pool of threads for each of some hundred predictions of a fit, 27 ms a time,
  and scikit-learn reserves memory for SMAC's 2**20 leaves in each of ten trees, 100 ms a time.
- `BatchedSelector` predicts all known configurations in one call to find the model's best one;
  SMAC 2.4.1 makes one joblib dispatch for each.
- `OneShot` asks for every configuration once: no racing over seeds or instances, and no incumbent
  bookkeeping, which the study does.
- `SortedLocalSearch` sorts the starting points that SMAC takes from a set of configurations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ConfigSpace import Configuration
from smac import HyperparameterOptimizationFacade
from smac.acquisition.maximizer import LocalAndSortedRandomSearch
from smac.acquisition.maximizer.local_search import LocalSearch
from smac.intensifier.abstract_intensifier import AbstractIntensifier
from smac.main.config_selector import ConfigSelector
from smac.runhistory.dataclasses import TrialInfo

from automl_nas import configs


def small_forest(scenario: Any, records: int) -> Any:
    """The facade's own forest for up to `records` records, which no tree has more leaves than."""
    model: Any = HyperparameterOptimizationFacade.get_model(scenario)
    model._rf_opts.update(n_jobs=1, max_leaf_nodes=max(2, records))
    return model


class BatchedSelector(ConfigSelector):
    """`ConfigSelector` with one prediction for all configurations."""

    def _get_x_best(self, points: Any) -> tuple[Any, float]:
        model: Any = self._model
        means = model.predict_marginalized(points)[0][:, 0]
        best = int(np.argmin(means))
        return points[best], means[best]


class OneShot(AbstractIntensifier):
    """Every configuration that the selector generates, once."""

    uses_seeds = True
    uses_budgets = False
    uses_instances = False
    uses_cutoffs = False

    def __iter__(self) -> Iterator[TrialInfo]:
        for configuration in self.config_generator:
            yield TrialInfo(configuration, seed=0)

    def update_incumbents(self, config: Configuration) -> None:
        """Nothing: the study keeps the best records."""


class SortedLocalSearch(LocalSearch):
    """`LocalSearch` whose starting points come in the order of their digests."""

    def _get_init_points_from_previous_configs(
        self, *args: Any, **kwargs: Any
    ) -> list[Configuration]:
        points = super()._get_init_points_from_previous_configs(*args, **kwargs)
        return sorted(points, key=configs.digest)


class SortedMaximizer(LocalAndSortedRandomSearch):
    """The facade's own acquisition maximizer with `SortedLocalSearch` inside."""

    def __init__(self, space: Any, *, challengers: int, seed: int) -> None:
        super().__init__(space, challengers=challengers, local_search_iterations=10, seed=seed)
        self._local_search = SortedLocalSearch(space, seed=seed)
