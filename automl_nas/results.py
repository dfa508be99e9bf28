"""What a study has found: its records with everything needed to read them.

    for results in load("sqlite:///study.db"):
        print(results.name, results.best.values)

`answers` is the anytime view: what the searcher would answer if it were stopped there. For most
searchers that is the best selectable record so far. A gradient run monitors its current
architecture by audits; while it runs its answer is the latest audit, never the best audit so far.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ConfigSpace import ConfigurationSpace

from automl_nas import configs, pareto, signing, storages, stored
from automl_nas.errors import StorageError, StudyError
from automl_nas.signing import stored_identity
from automl_nas.types import Constraint, Cost, Metric, Record

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Results:
    """The records of one study and what they mean."""

    name: str
    space: ConfigurationSpace
    metrics: tuple[Metric, ...]
    """All recorded metrics."""
    optimize: tuple[Metric, ...]
    """The ones that were optimised."""
    identity: Mapping[str, Any]
    """Space, objective, searcher, seed and versions, as JSON."""
    records: tuple[Record, ...]
    """Finished records in order of completion."""
    sessions: tuple[Mapping[str, Any], ...] = ()
    """Provenance of each run: time, versions, git state, host, command."""
    constraints: tuple[Constraint, ...] = ()
    """Limits that an answer has to keep."""
    storage: str = ""
    """URL of the storage that holds it; empty: in memory."""

    @property
    def searcher(self) -> str:
        """The searcher's name."""
        return str(self.identity["searcher"]["name"])

    @property
    def objective(self) -> str:
        """The objective's name."""
        return str(self.identity["objective"]["name"])

    @property
    def seed(self) -> int:
        """The study's seed."""
        return int(self.identity["seed"])

    @property
    def full_training_flops(self) -> float | None:
        """Training FLOPs of one full training, the unit of equivalents."""
        flops: float | None = self.identity["objective"]["full_training_flops"]
        return flops

    @cached_property
    def total(self) -> Cost:
        """Everything charged so far."""
        return sum((record.cost for record in self.records), Cost())

    @property
    def duplicates(self) -> int:
        """Proposals answered from the ledger."""
        return sum(r.duplicate_of is not None and not r.audit for r in self.records)

    @property
    def failures(self) -> int:
        """Evaluations that failed."""
        return sum(record.status == "failed" for record in self.records)

    @property
    def reported(self) -> Metric:
        """What a report shows of the answers: `test_x` for an optimised `validation_x`.

        The first optimised metric itself where it is called otherwise or no test is recorded.
        """
        optimised = self.optimize[0]
        kind, _, what = optimised.name.partition("_")
        recorded = {metric.name: metric for metric in self.metrics}
        return recorded.get(f"test_{what}", optimised) if kind == "validation" else optimised

    def losses(self, record: Record) -> tuple[float, ...]:
        """The optimised metrics of a complete record, minimised."""
        return record.losses(self.optimize)

    @property
    def best(self) -> Record:
        """What the searcher answers now, for one optimised metric.

        Raises:
            StudyError: several metrics are optimised, or nothing is measured yet.
        """
        if len(self.optimize) > 1:
            raise StudyError(f"study {self.name!r} optimises several metrics: use front().")
        answers = self.answers()
        if not answers or answers[-1] is None:
            feasible = " that keeps the constraints" if self.constraints else ""
            raise StudyError(
                f"study {self.name!r} has no complete record at full fidelity{feasible} yet."
            )
        return answers[-1]

    def answers(self) -> list[Record | None]:
        """After each record, the one that the searcher would answer (one optimised metric)."""
        answer: Record | None = None
        answers = []
        for record in self.records:
            measured = record.status == "complete" and record.fidelity is None
            if measured and record.feasible(self.constraints):
                keep = answer is not None and not answer.audit and not record.audit
                if not keep or self.losses(record) < self.losses(answer or record):
                    answer = record
            answers.append(answer)
        return answers

    def front(self) -> list[Record]:
        """The non-dominated feasible records, in order of completion, duplicates left out.

        A duplicate of an audit stays: it is the only selectable record of its configuration.
        """
        selectable = {r.number: r for r in self.records if r.selectable}
        once = [
            record
            for record in selectable.values()
            if record.duplicate_of not in selectable and record.feasible(self.constraints)
        ]
        return [once[i] for i in pareto.front([self.losses(r) for r in once])]

    def dataframe(self) -> pd.DataFrame:
        """One row a record: configuration, values, costs, seconds."""
        import pandas as pd

        return pd.DataFrame([_row(record) for record in self.records])


def _row(record: Record) -> dict[str, Any]:
    return {
        "number": record.number,
        "status": record.status,
        "fidelity": record.fidelity,
        "audit": record.audit,
        "duplicate_of": record.duplicate_of,
        **{f"configuration.{k}": v for k, v in configs.to_dict(record.configuration).items()},
        **{f"value.{name}": value for name, value in record.values.items()},
        "evaluations": record.cost.evaluations,
        "training_flops": record.cost.training_flops,
        "simulated_seconds": record.cost.simulated_seconds,
        "ask_seconds": record.ask_seconds,
        "setup_seconds": record.setup_seconds,
        "evaluate_seconds": record.evaluate_seconds,
        "failure": record.failure,
    }


def load(url: str) -> list[Results]:
    """All studies of this library in a storage, by name.

    Raises:
        StorageError: there is no such storage, or no study of ours in it.
    """
    storage = storages.open_storage(url, create=False)
    found = []
    with storages.translated(url), contextlib.ExitStack() as closing:
        closing.callback(storages.close, storage)
        for study in storage.get_all_studies():
            if "identity" in study.user_attrs:
                results = read(storage, study._study_id, study.study_name)
                found.append(replace(results, storage=url))
    if not found:
        raise StorageError(f"{url} holds no study of automl_nas: run one on it first.")
    return sorted(found, key=lambda results: results.name)


def read(storage: Any, study_id: int, name: str) -> Results:
    """One study of an open Optuna storage."""
    identity = stored_identity(storage, study_id, name)
    space = configs.space_from_json(json.dumps(identity["space"]))
    present = storage.get_all_trials(study_id, deepcopy=False)
    metrics, optimize = (
        tuple(Metric(**metric) for metric in identity[part]) for part in ("metrics", "optimize")
    )
    adopted = signing.adopted(storage.get_study_user_attrs(study_id))
    records = stored.records(present, adopted, space, metrics, optimize)
    return Results(
        name=name,
        space=space,
        metrics=metrics,
        optimize=optimize,
        constraints=tuple(Constraint(**_fields(c)) for c in identity.get("constraints", ())),
        identity=identity,
        records=tuple(record for record in records if record.status != "running"),
        sessions=tuple(stored.sessions(storage, study_id)),
    )


def _fields(described: Mapping[str, Any]) -> dict[str, Any]:
    """Of a frozen dataclass as `identity.describe` writes it."""
    return {name: value for name, value in described.items() if name != "type"}
