"""Parts of SMAC, replaced: exact under every PYTHONHASHSEED and much faster, same proposals.

Imports SMAC at once (two seconds): import this module inside functions only.

- `Forest` predicts in this thread, tree by tree, and reserves memory for as many leaves as there
  are records; SMAC 2.4.1 starts a pool of threads for each of some hundred predictions of a fit,
  27 ms a time, and scikit-learn reserves memory for SMAC's 2**20 leaves in each of ten trees,
  100 ms a time.
- `Selector` predicts all known configurations in one call to find the model's best one; SMAC 2.4.1
  makes one joblib dispatch for each.
- `Finished` takes records without a pass over all others for each, and its lists know their
  members by digest; SMAC compares configurations as dictionaries, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from ConfigSpace import Configuration
from smac.main.config_selector import ConfigSelector
from smac.model.random_forest.random_forest import RandomForest
from smac.runhistory import RunHistory
from smac.runhistory.dataclasses import TrialKey, TrialValue
from smac.runhistory.enumerations import StatusType

from automl_nas import configs


class Forest(RandomForest):
    """`RandomForest` with one thread, small trees and no dispatch."""

    def _train(self, X: Any, y: Any) -> Forest:  # noqa: N803
        self._rf_opts.update(n_jobs=1, max_leaf_nodes=max(2, len(X)))
        super()._train(X, y)
        return self

    def _predict(self, X: Any, _type: Any = "diagonal") -> tuple[Any, Any]:  # noqa: N803
        forest: Any = self._rf
        points = np.ascontiguousarray(self._impute_inactive(X), dtype=np.float32)
        predicted = np.empty((len(points), len(forest.estimators_)))
        for column, tree in enumerate(forest.estimators_):
            predicted[:, column] = tree.tree_.predict(points)[:, 0]
        means, variances = predicted.mean(axis=1), predicted.var(axis=1)
        return means.reshape(-1, 1), variances.reshape(-1, 1)


class Selector(ConfigSelector):
    """`ConfigSelector` with one prediction for all configurations."""

    def _get_x_best(self, points: Any) -> tuple[Any, float]:
        model: Any = self._model
        means = model.predict_marginalized(points)[0][:, 0]
        best = int(np.argmin(means))
        return points[best], means[best]


class _Members(list[Configuration]):
    """Configurations in order, found by digest."""

    def __init__(self, members: Iterable[Configuration], digests: Iterable[str]) -> None:
        super().__init__(members)
        self._digests = set(digests)

    def append(self, member: Configuration) -> None:
        super().append(member)
        self._digests.add(configs.digest(member))

    def __contains__(self, member: object) -> bool:
        return isinstance(member, Configuration) and configs.digest(member) in self._digests


class Finished(RunHistory):
    """A run history of finished trials, one for each configuration, that are told at once."""

    def __init__(self, objectives: int) -> None:
        super().__init__(n_objectives=objectives)
        self._digests: list[str] = []

    def tell(
        self,
        digests: Sequence[str],
        members: Sequence[Configuration],
        costs: Sequence[tuple[float, ...] | None],
    ) -> None:
        """Different configurations with their losses; None: failed, told as the worst so far."""
        worst = [max(column) for column in zip(*(x for x in costs if x), strict=True)]
        for number, (member, losses) in enumerate(zip(members, costs, strict=True), start=1):
            key = TrialKey(config_id=number, instance=None, seed=0, budget=None)
            cost = list(losses or worst)
            self._data[key] = TrialValue(
                cost=cost if len(cost) > 1 else cost[0],
                status=StatusType.SUCCESS if losses else StatusType.CRASHED,
            )
            self._ids_config[number] = member
        self._digests = list(digests)
        self._update_objective_bounds()

    def get_configs(self, _order: str | None = None) -> list[Configuration]:
        """The configurations in the order they were told."""
        return _Members(self._ids_config.values(), self._digests)
