"""The figures of docs/benchmarks/digits201.md, from the table that ships.

    python benchmarks/digits201.py            # with AUTOML_NAS_DATA also correlations with NB201

The last part reads `nasbench201/nb201.csv.gz` in that folder: accuracies after 200 epochs, mean
over seeds.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from spaces.nasbench201 import digits201, from_index, isomorphism_class, to_arch
from spaces.nasbench201.space import SOURCE_TARGET, operations

PUBLISHED = {
    "CIFAR-10 validation": "cifar10.val_acc_200",
    "CIFAR-10 test": "cifar10.test_acc_200",
    "CIFAR-100 test": "cifar100.test_acc_200",
    "ImageNet16-120 test": "ImageNet16-120.test_acc_200",
}


def main(file: Path = digits201.FILE) -> None:
    table = digits201.load(file)
    validation, test = table.errors("validation"), table.errors("test")
    spread(table, validation[:, :, -1])
    optima(table, validation[:, :, -1], test[:, :, -1])
    noise(table, validation[:, :, -1], test[:, :, -1])
    curves(table, validation, test)
    published(table, validation[:, :, -1].mean(1))
    functions()


def spread(table, final):
    """Criteria: spread between cells, noise between seeds, best and largest cell."""
    mean = final.mean(1)
    print(f"classes {len(mean)}, cells {len(table.class_of)}, seeds {table.seeds}")
    for name, values in (("classes", mean), ("cells", mean[table.class_of])):
        shown = ", ".join(f"{q:.1f}" for q in np.percentile(values, [0, 5, 25, 50, 75, 95, 100]))
        print(f"validation error over {name}: min, 5, 25, 50, 75, 95 %, max: {shown}")
    for seed, column in zip(table.seeds, final.T, strict=True):
        print(f"interquartile range, seed {seed}: {stats.iqr(column):.2f}")
    deviation = between_seeds(final)
    print(f"interquartile range of the mean {stats.iqr(mean):.2f}, between seeds {deviation:.2f}, ")
    print(f"ratio {deviation / stats.iqr(mean):.3f}; of the best tenth by mean:", end=" ")
    print(f"{between_seeds(final[np.argsort(mean)[: len(mean) // 10]]):.2f}")
    flops = table.flops[table.representative]
    largest = np.argmax(flops)
    print(f"largest cell: {mean[largest]:.2f} %, rank {1 + (mean < mean[largest]).sum()}")
    for seed, column in zip(table.seeds, final.T, strict=True):
        print(
            f"  seed {seed}: {column[largest]:.1f} %, rank {1 + (column < column[largest]).sum()}"
        )
    print(f"Spearman of error and FLOPs {stats.spearmanr(mean, flops).statistic:.3f}")
    seconds = table.training_seconds
    print(f"CPU seconds a training: {seconds.mean():.2f}, all {seconds.sum() / 3600:.2f} h")


def between_seeds(final):
    """Root of the mean variance between seeds (n - 1)."""
    return float(np.sqrt(final.var(axis=1, ddof=1).mean()))


def optima(table, validation, test):
    """The best class of each seed and of the mean over seeds."""
    for name, values in (("validation", validation), ("test", test)):
        columns = [*values.T, values.mean(1)]
        for label, column in zip([*table.seeds, "mean"], columns, strict=True):
            best = np.flatnonzero(column == column.min())
            index = table.representative[best[0]]
            arch = to_arch(from_index(int(index)))
            print(f"best {name}, seed {label}: {column.min():.2f} % x {len(best)}, {index} {arch}")


def noise(table, validation, test):
    """Regret in test error of choosing by one seed's validation error."""
    for seed, column in enumerate(validation.T):
        others = np.delete(test, seed, axis=1).mean(1)
        best = np.flatnonzero(column == column.min())
        regret = others[best].mean() - others.min()
        rho = stats.spearmanr(column, others).statistic
        tau = stats.kendalltau(column, others).statistic
        print(
            f"observed seed {table.seeds[seed]}: yardstick's optimum {others.min():.2f} %, regret "
            f"of the oracle {regret:.2f}, Spearman {rho:.3f}, Kendall {tau:.3f}"
        )


def curves(table, validation, test):
    """How the ranking forms with epochs."""
    final = validation[:, :, -1].mean(1)
    for epoch in range(table.epochs):
        now = validation[:, :, epoch]
        rho = stats.spearmanr(now.mean(1), final).statistic
        one = stats.spearmanr(now[:, 0], test[:, 1:, -1].mean(1)).statistic
        print(f"epoch {epoch + 1}: median {np.median(now):.1f} %, {rho:.3f}, {one:.3f}")


def published(table, mean):
    """Rank correlation with the published tables over all 15,625 cells."""
    folder = os.environ.get("AUTOML_NAS_DATA")
    if folder is None:
        return
    stored = pd.read_csv(Path(folder) / "nasbench201" / "nb201.csv.gz").set_index("index")
    error = mean[table.class_of]
    for name, column in PUBLISHED.items():
        accuracy = stored[column].reindex(range(len(error))).to_numpy()
        good = accuracy >= np.quantile(accuracy, 0.9)
        rho, tau = stats.spearmanr(-error, accuracy), stats.kendalltau(-error, accuracy)
        top = stats.spearmanr(-error[good], accuracy[good]).statistic
        print(f"{name}: {rho.statistic:.3f}, {tau.statistic:.3f}, top tenth {top:.3f}")


def functions():
    """How many functions the cells are: sums flattened, a shared convolution is not two."""
    forms, of_class = set(), {}
    for index in range(15_625):
        cell = from_index(index)
        form = canonical(output(operations(cell)))
        forms.add(form)
        name = isomorphism_class(cell, zeros="dropped")
        of_class.setdefault(name, set()).add(form)
    official = {isomorphism_class(from_index(index)) for index in range(15_625)}
    mixed = sum(len(joined) > 1 for joined in of_class.values())
    print(f"classes: official {len(official)}, zeros dropped {len(of_class)}")
    print(f"functions {len(forms)}; classes that join several {mixed}")


def output(cell):
    """The output node as a sum: sorted (term, how often). A convolution knows its edge."""
    values = {0: Counter({("x",): 1})}
    for node in (1, 2, 3):
        values[node] = Counter()
        for (source, target), operation in zip(SOURCE_TARGET.values(), cell, strict=True):
            given = tuple(sorted(values[source].items())) if source < node else ()
            if target != node or operation == "none" or not given:
                continue
            if operation == "skip_connect":
                values[node] += values[source]
            elif operation == "avg_pool_3x3":
                values[node][("pool", given)] += 1
            else:
                values[node][("unit", operation, (source, target), given)] += 1
    return tuple(sorted(values[3].items()))


def canonical(form):
    """The same for equal functions: the least of all ways to number the convolutions."""
    units = sorted(set(units_of(form)))
    numberings = (
        dict(zip(units, p, strict=True)) for p in itertools.permutations(range(len(units)))
    )
    return min(repr(renamed(form, numbers)) for numbers in numberings)


def units_of(form):
    for term, _ in form:
        if len(term) > 1:
            yield from units_of(term[-1])
        if term[0] == "unit":
            yield term


def renamed(form, numbers):
    terms = []
    for term, count in form:
        if term[0] == "unit":
            term = ("unit", numbers[term], term[1], renamed(term[3], numbers))
        elif term[0] == "pool":
            term = ("pool", renamed(term[1], numbers))
        terms.append((term, count))
    return tuple(sorted(terms, key=repr))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
