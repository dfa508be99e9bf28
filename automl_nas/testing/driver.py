"""The study loop in memory: histories without a ledger, on a cheap made-up objective."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.errors import SpaceExhausted
from automl_nas.searchers.base import Searcher
from automl_nas.types import Cost, Fidelity, History, Metric, Proposal, Record

_NOISE = 0.5
"""Of a measurement at fidelity 1; it falls with the fidelity."""


def losses(
    configuration: Configuration, metrics: Sequence[Metric], fidelity: int | None = None
) -> dict[str, float]:
    """A value per metric, in its own direction: distance to an optimum that the name determines.

    A low fidelity adds noise that configuration, metric and fidelity determine.
    """
    space, vector = configuration.config_space, configuration.get_array()
    values = {}
    for metric in metrics:
        total = 0.0
        for name in configuration:
            size = space[name].size
            place = vector[space.index_of[name]] / (size - 1 if 1 < size < np.inf else 1)
            place = vector[space.index_of[name]] if place > 1 else place
            target = seeds.derive("target", metric.name, name) / 2**31
            total += (float(place) - target) ** 2
        total += 0.0 if fidelity is None else _noise(configuration, metric, fidelity)
        values[metric.name] = metric.loss(round(total, 9))
    return values


def _noise(configuration: Configuration, metric: Metric, fidelity: int) -> float:
    key = seeds.derive("noise", metric.name, configs.digest(configuration), fidelity)
    return _NOISE * key / 2**31 / fidelity


def drive(
    searcher: Searcher,
    space: ConfigurationSpace,
    metrics: Sequence[Metric],
    n: int,
    seed: int,
    records: Sequence[Record] = (),
    fidelity: Fidelity | None = None,
) -> History:
    """The study loop in memory: `n` more records, fewer where the searcher ends the search.

    Every seventh number fails; a configuration that was measured before is answered as a duplicate.
    """
    history = History(space, tuple(metrics), seed, list(records), fidelity=fidelity)
    for _ in range(n):
        number = len(history.records)
        try:
            proposal = searcher.propose(history, number)
        except SpaceExhausted:
            break
        if proposal is None:
            break
        record = answer(history, searcher.name, number, proposal)
        history = dataclasses.replace(history, records=[*history.records, record])
    return history


def answer(history: History, searcher: str, number: int, proposal: Proposal) -> Record:
    """What a study would record for the proposal."""
    key = configs.digest(proposal.configuration), proposal.fidelity
    known = [r for r in history.records if r.status == "complete" and not r.audit]
    twins = [record.number for record in known if (record.digest, record.fidelity) == key]
    failed = number % 7 == 6 and not twins
    return Record(
        number=number,
        configuration=proposal.configuration,
        searcher=searcher,
        status="failed" if failed else "complete",
        fidelity=proposal.fidelity,
        parent=proposal.parent,
        attrs=json.loads(json.dumps(dict(proposal.attrs))),
        audit=proposal.audit,
        values={} if failed else losses(proposal.configuration, history.metrics, proposal.fidelity),
        cost=Cost(0 if twins or proposal.audit else 1, proposal.training_flops),
        search_flops=proposal.training_flops,
        duplicate_of=twins[0] if twins else None,
        order=len(history.records),
        failure="it failed" if failed else "",
        ask_seconds=0.25,
        evaluate_seconds=1.0,
    )


def strangers(history: History, count: int = 8) -> list[Record]:
    """Records of another searcher: learnable, failed, audit, low fidelity and duplicate ones."""
    found: list[Record] = []
    for i in range(count):
        number = len(history.records) + i
        draw = configs.sample(history.space, seeds.rng("stranger", history.seed, number))
        record = answer(history, "stranger", number, Proposal(draw))
        changes: list[dict[str, Any]] = [
            {},
            {"status": "failed", "values": {}},
            {"audit": True},
            {"fidelity": 1},
            {"duplicate_of": 0},
        ]
        change = changes[i % len(changes)]
        values = losses(draw, history.metrics, change.get("fidelity"))
        order = {"order": number, "status": "complete", "values": values}
        found.append(dataclasses.replace(record, **{**order, **change}))
    return found


def slowed(records: Sequence[Record]) -> list[Record]:
    """The same records with other seconds, each its own."""
    return [
        dataclasses.replace(
            record,
            ask_seconds=9.0 * (len(records) - i),
            setup_seconds=0.5 * (i % 3),
            evaluate_seconds=7.0 * (i % 5),
            cost=dataclasses.replace(record.cost, seconds=27.0 * (len(records) - i)),
        )
        for i, record in enumerate(records)
    ]


def turned(records: Sequence[Record]) -> list[Record]:
    """The same records with the values of the complete ones the other way round."""
    values = [record.values for record in records if record.values]
    return [
        dataclasses.replace(record, values=values.pop()) if record.values else record
        for record in records
    ]


def unlike(record: Record, metrics: Sequence[Metric], loss: float) -> Record:
    """The record with `loss` in all metrics, -1e6 being better and 1e6 worse than any other."""
    return dataclasses.replace(record, values={m.name: m.loss(loss) for m in metrics})
