"""How good is the search? All engines on a made-up table over the shape of NAS-Bench-201.

    python benchmarks/search_quality.py [--evaluations 100] [--seeds 20] [--workers 4]

Six edges, five operations. `loss` is a sum of normal effects of each edge's operation and, at half
the scale, of each pair of edges; `size` is additive alone. Every seed has a table of its own.
Columns: mean and standard error over seeds of the final value, and in how many seeds the searcher
beats random search with the same seed. One metric: share of all 15,625 cells that are better than
the best one found, in percent (lower is better). Two metrics: hypervolume of the front found,
relative to the whole table's (higher is better). Budgets count evaluations, duplicates are free.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import Budget, Metric, Study, configs, pareto, seeds
from automl_nas.objectives.base import FunctionObjective
from automl_nas.searchers import (
    EvolutionSearcher,
    LocalSearcher,
    OptunaSearcher,
    RandomSearcher,
    SmacSearcher,
    SyneTuneSearcher,
)
from automl_nas.searchers.base import Searcher
from automl_nas.testing import cell_space

EDGES, OPERATIONS = 6, 5
CELLS = np.array(list(itertools.product(range(OPERATIONS), repeat=EDGES)))
LOSS, SIZE = Metric("loss"), Metric("size")
ONE: dict[str, Callable[[ConfigurationSpace], Searcher]] = {
    "random": RandomSearcher,
    "regularized-evolution (50, 10)": EvolutionSearcher,
    "regularized-evolution (20, 5)": lambda space: EvolutionSearcher(space, 20, 5),
    "local-search": LocalSearcher,
    "optuna:tpe": OptunaSearcher,
    "smac:rf": SmacSearcher,
    "syne-tune:rea (20, 5)": lambda space: SyneTuneSearcher(space, "rea", 20, 5),
}
TWO: dict[str, Callable[[ConfigurationSpace], Searcher]] = {
    "random": RandomSearcher,
    "syne-tune:mo-rea (20, 5)": lambda space: SyneTuneSearcher(space, "mo-rea", 20, 5),
    "syne-tune:mo-rea-shipped (20, 5)": lambda s: SyneTuneSearcher(s, "mo-rea-shipped", 20, 5),
    "regularized-evolution (20, 5)": lambda space: EvolutionSearcher(space, 20, 5),
    "local-search": LocalSearcher,
    "optuna:tpe": OptunaSearcher,
    "optuna:nsga2 (20)": lambda space: OptunaSearcher(space, "nsga2", {"population_size": 20}),
    "smac:parego": lambda space: SmacSearcher(space, "parego"),
}


@dataclass(frozen=True)
class Table:
    """Loss and size of every cell, (15625, 2), in the order of `CELLS`."""

    values: np.ndarray

    @classmethod
    def draw(cls, seed: int) -> Table:
        """The table of a seed."""
        rng = seeds.rng("search-quality", seed)
        single = rng.normal(size=(EDGES, OPERATIONS))
        pairs = 0.5 * rng.normal(size=(EDGES, EDGES, OPERATIONS, OPERATIONS))
        loss = sum(single[i, CELLS[:, i]] for i in range(EDGES))
        for i, j in itertools.combinations(range(EDGES), 2):
            loss = loss + pairs[i, j, CELLS[:, i], CELLS[:, j]]
        # Better operations tend to be larger ones: the two metrics are in conflict.
        weight = 0.5 * rng.normal(size=(EDGES, OPERATIONS)) - single
        size = sum(weight[i, CELLS[:, i]] for i in range(EDGES))
        return cls(np.stack([loss, size], axis=1))

    def __call__(self, configuration: Configuration) -> dict[str, float]:
        """Both metrics of a cell."""
        values = configs.to_dict(configuration)
        digits = [int(str(values[f"edge{i}"])[2:]) for i in range(EDGES)]
        row = sum(d * OPERATIONS ** (EDGES - 1 - i) for i, d in enumerate(digits))
        return {"loss": float(self.values[row, 0]), "size": float(self.values[row, 1])}

    def share_better(self, found: np.ndarray) -> float:
        """Percent of the cells with a smaller loss than the best one found."""
        return 100 * float((self.values[:, 0] < found[:, 0].min()).mean())

    def relative_hypervolume(self, found: np.ndarray) -> float:
        """Of the front found; the table's medians bound the volume."""
        corner = np.median(self.values, axis=0).tolist()
        return pareto.hypervolume(found, corner) / pareto.hypervolume(self.values, corner)


def measure(metrics: int, name: str, seed: int, evaluations: int) -> float:
    """What one search reaches."""
    table, space = Table.draw(seed), cell_space(EDGES, OPERATIONS)
    objective = FunctionObjective(table, (LOSS, SIZE))
    study = Study(
        space,
        objective,
        (ONE, TWO)[metrics - 1][name](space),
        budget=Budget(evaluations=evaluations),
        optimize=[LOSS, SIZE][:metrics],
        seed=seed,
    )
    study.run()
    found = np.array([list(r.values.values()) for r in study.records if r.selectable])
    return table.share_better(found) if metrics == 1 else table.relative_hypervolume(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        for metrics, searchers, sign in ((1, ONE, -1), (2, TWO, 1)):
            label = "better cells, %" if metrics == 1 else "rel. hypervolume"
            print(f"{metrics} metric(s), {options.evaluations} evaluations, {label}")
            reached = {
                name: [
                    pool.submit(measure, metrics, name, seed, options.evaluations)
                    for seed in range(options.seeds)
                ]
                for name in searchers
            }
            base = np.array([future.result() for future in reached["random"]])
            for name, futures in reached.items():
                values = np.array([future.result() for future in futures])
                error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
                wins = int((sign * values > sign * base).sum())
                print(f"  {name:34} {values.mean():8.4f} +- {error:.4f}   {wins}/{len(values)}")


if __name__ == "__main__":
    main()
