"""Simulated studies for tests of halving: workers, and an objective whose curves cross."""

import heapq
import itertools
from dataclasses import replace

from automl_nas import seeds
from automl_nas.errors import SpaceExhausted
from automl_nas.testing import losses
from automl_nas.types import Fidelity, History, Metric, Record

ONE = (Metric("loss"),)
TWO = (Metric("loss"), Metric("accuracy", "max"))
FULL = 27


def curve(configuration, metrics, fidelity):
    """Ends at `losses`; before, a slow starter may be behind."""
    ends = losses(configuration, metrics)
    key = seeds.derive("slow", str(sorted(dict(configuration).items())))
    behind = (0.5 + key / 2**31) / (fidelity or FULL)
    return {m.name: m.loss(m.loss(ends[m.name]) + behind) for m in metrics}


def fails_never(record):
    return False


def simulate(
    searcher, space, n, *, metrics=ONE, workers=1, seed=0, full=FULL, measure=curve,
    fails=fails_never, history=None,
):  # fmt: skip
    """The history after `n` finished trials; a trial takes as long as its fidelity says."""
    history = history or History(space, metrics, seed, (), fidelity=Fidelity("epochs", full))
    now, running = 0.0, []
    numbers = itertools.count(len(history.records))
    while len(history.records) < n:
        while len(running) < workers:
            number = next(numbers)
            try:
                proposal = searcher.propose(history, number)
            except SpaceExhausted:
                if not running:
                    return history
                break
            record = Record(
                number, proposal.configuration, searcher.name, fidelity=proposal.fidelity,
                parent=proposal.parent, attrs=proposal.attrs,
            )  # fmt: skip
            heapq.heappush(running, (now + (proposal.fidelity or full), number, record))
            history = replace(history, pending=[*history.pending, record])
        now, number, record = heapq.heappop(running)
        values = measure(record.configuration, metrics, record.fidelity)
        done = {"status": "failed"} if fails(record) else {"status": "complete", "values": values}
        finished = replace(record, order=len(history.records), **done)
        history = replace(
            history,
            records=[*history.records, finished],
            pending=[p for p in history.pending if p.number != number],
        )
    return history


def amount(record, full=FULL):
    return record.fidelity or full
