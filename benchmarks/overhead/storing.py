"""One trial in SQLite: our ledger beside Optuna, and what ours does there."""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections import Counter

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import event

from automl_nas import Budget, Study, storages
from automl_nas.distributions import distribution
from benchmarks.overhead.common import METRICS, POOL, Prepared, clock, draw, mixed_space


class Counted:
    """What happens on a database: statements by kind, commits that wrote and that only read."""

    def __init__(self, engine):
        self.counts, self._wrote = Counter(), False
        event.listen(engine, "before_cursor_execute", self._execute)
        event.listen(engine, "commit", self._commit)

    def _execute(self, _connection, _cursor, statement, *_rest):
        kind = statement.split()[0]
        self._wrote |= kind in ("INSERT", "UPDATE", "DELETE")
        self.counts[kind] += 1

    def _commit(self, _connection):
        self.counts["commits that wrote" if self._wrote else "commits that only read"] += 1
        self._wrote = False

    def since(self, before):
        return Counter(self.counts) - before


def timed(owner, method, spent, counted=None):
    """Replaces a method of an object by one that notes its seconds and counts."""
    plain = getattr(owner, method)

    def call(*arguments, **settings):
        before = Counter(counted.counts) if counted else None
        seconds, result = clock(lambda: plain(*arguments, **settings))
        spent.append((seconds, counted.since(before) if counted else None))
        return result

    setattr(owner, method, call)


def optuna_side(url, space, wal):
    database = storages.open_storage(url) if wal else RDBStorage(url)
    study = optuna.create_study(storage=database, study_name="theirs")
    distributions = {name: distribution(h) for name, h in space.items()}

    def turn():
        asked, trial = clock(lambda: study.ask(distributions))
        told, _ = clock(lambda: study.tell(trial, 1.0))
        return asked + told

    return turn


def run(options):
    space, trials = mixed_space(), 60
    POOL[:] = [draw(space, i) for i in range(trials)]
    study = Study(
        space, lambda _c: 1.0, Prepared(space, trials), name="ours", budget=Budget(trials=trials),
        optimize=METRICS[:1],
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        urls = [f"sqlite:///{folder}/{name}.db" for name in ("ours", "plain", "wal")]
        theirs = [optuna_side(url, space, wal=url.endswith("wal.db")) for url in urls[1:]]
        seconds, opened, closed, plain, wal = [], [], [], [], []
        with study.open(urls[0]):
            counted = Counted(study._session.ledger._storage.engine)
            timed(study._session.ledger, "open", opened, counted)
            timed(study._session.ledger, "close", closed, counted)
            for _ in range(trials):
                asked, trial = clock(study.ask)
                told, _ = clock(functools.partial(study.tell, trial, 1.0))
                seconds.append(asked + told)
                plain.append(theirs[0]())
                wal.append(theirs[1]())
    ledger = [a + b for (a, _), (b, _) in zip(opened, closed, strict=True)]
    rows = {
        "our ledger: open + close": ledger,
        "our study: ask + tell": seconds,
        "Optuna: ask + tell, default pragmas": plain,
        "Optuna: ask + tell, WAL as ours": wal,
    }
    base = statistics.median(plain)
    print(f"\n| SQLite, one trial of {len(space)} parameters | ms | of default | of WAL |")
    print("|---|---|---|---|")
    for name, spent in rows.items():
        middle = statistics.median(spent)
        wal_ratio = middle / statistics.median(wal)
        print(f"| {name} | {1000 * middle:.1f} | {middle / base:.2f} | {wal_ratio:.2f} |")
    kinds = ("commits that wrote", "commits that only read", "SELECT", "INSERT", "UPDATE")
    print(f"\n| our ledger | {' | '.join(kinds)} |\n|---|{'---|' * len(kinds)}")
    for name, calls in (("open", opened), ("close", closed)):
        counts = calls[-1][1]
        print(f"| {name} | {' | '.join(str(counts[kind]) for kind in kinds)} |")
