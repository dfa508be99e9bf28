"""Records as Optuna trials and back; the layout is described in `automl_nas.ledger`."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

from ConfigSpace import ConfigurationSpace
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from automl_nas import configs
from automl_nas.types import Cost, Metric, Record

PROPOSAL = "proposal"
MEASUREMENT = "measurement"
INTERRUPTED = "interrupted"
DEATHS = "deaths"
OWNER = "owner"


class _Template(FrozenTrial):
    """Made to be stored once: Optuna's memory storage takes it over instead of copying it."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> FrozenTrial:
        stored = FrozenTrial.__new__(FrozenTrial)
        vars(stored).update(vars(self))
        return stored


def to_template(
    record: Record,
    distributions: Mapping[str, BaseDistribution],
    seed: int,
    notes: Mapping[str, Any],
) -> FrozenTrial:
    """A RUNNING trial to be created in one transaction; `notes` join the proposal."""
    params = configs.to_dict(record.configuration)
    proposal = {
        "parent": record.parent,
        "attrs": dict(record.attrs),
        "audit": record.audit,
        "search_flops": record.search_flops,
        "ask_seconds": record.ask_seconds,
        "setup_seconds": record.setup_seconds,
        **notes,
    }
    return _Template(
        number=-1,
        trial_id=-1,
        state=TrialState.RUNNING,
        value=None,
        values=None,
        datetime_start=datetime.datetime.now(datetime.UTC),
        datetime_complete=None,
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs={
            "configuration": dict(params),
            "digest": record.digest,
            "searcher": record.searcher,
            "fidelity": record.fidelity,
            "seed": seed,
            PROPOSAL: proposal,
        },
        system_attrs={},
        intermediate_values={},
    )


def measurement(record: Record, curve: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    """What closing a trial adds, as JSON; a value that is not finite becomes null."""
    return {
        "values": _finite(record.values),
        "order": record.order,
        "cost": dict(vars(record.cost)),
        "training_flops": record.training_flops,
        "simulated_seconds": record.simulated_seconds,
        "duplicate_of": record.duplicate_of,
        "failure": record.failure,
        "evaluate_seconds": record.evaluate_seconds,
        "curve": {str(step): _finite(point) for step, point in curve.items()},
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def to_record(trial: FrozenTrial, space: ConfigurationSpace) -> Record:
    """The record that the trial keeps; a trial without a finished measurement is running."""
    attrs = trial.user_attrs
    proposal, measured = attrs[PROPOSAL], attrs.get(MEASUREMENT, {})
    if not trial.state.is_finished():
        measured = {}
    fields = {
        name: measured[name]
        for name in (
            "order", "training_flops", "simulated_seconds", "duplicate_of", "failure",
            "evaluate_seconds",
        )
        if name in measured
    }  # fmt: skip
    if measured:
        nan = float("nan")
        fields["values"] = {k: nan if v is None else v for k, v in measured["values"].items()}
        fields["cost"] = Cost(**measured["cost"])
        fields["status"] = "failed" if measured["failure"] else "complete"
    return Record(
        number=trial.number,
        configuration=configs.from_dict(space, attrs["configuration"]),
        searcher=attrs["searcher"],
        fidelity=attrs["fidelity"],
        parent=proposal["parent"],
        attrs=proposal["attrs"],
        audit=proposal["audit"],
        search_flops=proposal["search_flops"],
        ask_seconds=proposal["ask_seconds"],
        setup_seconds=proposal["setup_seconds"],
        interrupted=attrs.get(INTERRUPTED, 0),
        **fields,
    )


def final_state(
    record: Record, metrics: tuple[Metric, ...]
) -> tuple[TrialState, list[float] | None]:
    """The Optuna state and values of a finished record."""
    if record.status == "failed":
        return TrialState.FAIL, None
    if not record.selectable:
        return TrialState.PRUNED, None
    return TrialState.COMPLETE, [float(record.values[metric.name]) for metric in metrics]
