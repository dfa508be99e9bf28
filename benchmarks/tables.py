"""How fast published tables open and answer, and how fast a study on one runs.

    AUTOML_NAS_DATA=... python benchmarks/tables.py [--evaluations 2000] [--profile]

Opening: a fresh process each, best of three, the libraries imported before the clock starts; memory
is what the process's peak grew by. Queries: the mean over seeds of NAS-Bench-201's validation error
(the collected means: no seed axis) and of a made-up table of the official shape (200 epochs, three
seeds). End to end: `Study.run()` with regularized evolution (50, 10) and everything in memory.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import subprocess
import sys
import time

import numpy as np

from automl_nas import Budget, Study, tables
from automl_nas.searchers import EvolutionSearcher
from automl_nas.tables import Column, Table
from automl_nas.types import Fidelity, Metric, Trial
from spaces import nasbench201

TRIAL = Trial(0, 0)
OPEN = """
import json, resource, time
from automl_nas import tables
import automl_nas.tables.{benchmark}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, cpu = time.perf_counter(), time.process_time()
table = tables.open("{benchmark}", "{task}", layout="{layout}")
opened, cpu = time.perf_counter() - start, time.process_time() - cpu
row = table.row(table.keys[0].item())
first = time.perf_counter() - start - opened
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([opened, cpu, first, grown / 1024, len(table), len(table.columns)]))
"""
TABLES = (
    ("nasbench201", "cifar10", "collected means"),
    ("nasbench201", "cifar10", "NATS-Bench simple folder"),
    ("nasbench101", "cifar10", "collected means"),
    ("nasbench101", "cifar10", "collected sample"),
    ("nasbench101", "ec_nas_4v", "EC-NAS TFRecord"),
)


def opening() -> None:
    print("| table | rows | columns | open, s | CPU, s | first key, s | peak grew by, MiB |")
    print("|---|---|---|---|---|---|---|")
    for benchmark, task, layout in TABLES:
        code = OPEN.format(benchmark=benchmark, task=task, layout=layout)
        runs = [json.loads(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
        opened, cpu, first, grown, rows, columns = min(runs)
        print(f"| {benchmark}/{task}, {layout} | {rows:,} | {columns} "
              f"| {opened:.2f} | {cpu:.2f} | {first:.2f} | {grown:.0f} |")  # fmt: skip


def official_shape(cells: int = 15_625) -> Table:
    values = np.random.RandomState(0).uniform(size=(cells, 200, 3)).astype(np.float32)
    column = Column(Metric("validation_error"), values, ("fidelity", "seed"))
    return Table("made up", np.arange(cells), {"validation_error": column},
                 Fidelity("epochs", 200), tuple(range(1, 201)), (777, 888, 999))  # fmt: skip


def queries() -> None:
    print("\n| queries a second | many at once | one: value(row(key)) | keys to rows |")
    print("|---|---|---|---|")
    means = tables.open("nasbench201", "cifar10", layout="collected means")
    for name, table in (("means", means), ("200 epochs x 3 seeds", official_shape())):
        rows = np.random.RandomState(1).randint(len(table), size=200_000)
        keys = table.keys[rows[:20_000]].tolist()
        table.row(keys[0])
        many = best_of(lambda t=table, r=rows: t.query(r, "validation_error"))
        one = best_of(lambda t=table, k=keys: [t.value(t.row(x), "validation_error") for x in k])
        found = best_of(lambda t=table, k=keys: t.rows(k))
        print(f"| {name} | {len(rows) / many:,.0f} | {len(keys) / one:,.0f} "
              f"| {len(keys) / found:,.0f} |")  # fmt: skip


def best_of(call, times: int = 5) -> float:
    best = np.inf
    for _ in range(times):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def study(evaluations: int) -> Study:
    space = nasbench201.search_space()
    objective = nasbench201.table("cifar10", layout="collected means")
    objective(nasbench201.from_index(0), None, TRIAL)
    return Study(space, objective, EvolutionSearcher(space), budget=Budget(trials=evaluations))


def end_to_end(evaluations: int, *, profile: bool) -> None:
    study(100).run()
    print(
        "\n| trials, regularized evolution in memory | distinct cells | a second | a CPU second |"
    )
    print("|---|---|---|---|")
    for trials in (500, evaluations):
        measured = study(trials)
        start, cpu = time.perf_counter(), time.process_time()
        measured.run()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        distinct = sum(record.duplicate_of is None for record in measured.records)
        print(f"| {trials:,} | {distinct:,} | {trials / wall:,.0f} | {trials / cpu:,.0f} |")
    if profile:
        profiler, measured = cProfile.Profile(), study(evaluations)
        profiler.runcall(measured.run)
        pstats.Stats(profiler).sort_stats("cumulative").print_stats("automl_nas|optuna", 45)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    opening()
    queries()
    end_to_end(arguments.evaluations, profile=arguments.profile)
