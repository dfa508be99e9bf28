"""The words of the library as frozen dataclasses.

A searcher maps a `History` to a `Proposal`; an objective maps a configuration to a `Measurement`;
the study joins both into a `Record`. Values are named and kept in the user's direction; `losses`
are the same values minimised, and `Metric.loss` is the only place where a sign changes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs
from automl_nas.errors import SettingError

Status = Literal["running", "complete", "failed"]


@dataclass(frozen=True)
class Metric:
    """A named number with a goal and a unit."""

    name: str
    goal: Literal["min", "max"] = "min"
    unit: str = ""

    def __post_init__(self) -> None:
        if self.goal not in ("min", "max"):
            raise SettingError(
                f"metric {self.name!r}: goal must be 'min' or 'max', got {self.goal!r}."
            )

    def loss(self, value: float) -> float:
        """The value as searchers see it: lower is better."""
        return value if self.goal == "min" else -value


@dataclass(frozen=True)
class Constraint:
    """A limit that a feasible configuration keeps on one recorded metric."""

    metric: str
    """Name of a metric, optimised or merely recorded."""
    at_most: float | None = None
    """Upper limit, in the metric's own direction and unit."""
    at_least: float | None = None
    """Lower limit; exactly one of the two is set."""

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.at_least is None):
            raise SettingError(
                f"constraint on {self.metric!r}: set one of at_most and at_least, got "
                f"{self.at_most} and {self.at_least}."
            )

    def violation(self, values: Mapping[str, float]) -> float:
        """How far outside the limit, in the metric's unit; zero or less: feasible; NaN: unknown."""
        value = values.get(self.metric, math.nan)
        return value - self.at_most if self.at_most is not None else (self.at_least or 0.0) - value


@dataclass(frozen=True)
class Fidelity:
    """How dearly an objective measures: an integer amount of `name`, `full` at most."""

    name: str
    full: int


@dataclass(frozen=True)
class Proposal:
    """What a searcher returns."""

    configuration: Configuration
    fidelity: int | None = None
    """Amount of the objective's fidelity; None: full."""
    parent: int | None = None
    """Number of the trial that this one continues."""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    """The searcher's own notes, JSON; they come back in `Record.attrs`."""
    training_flops: float = 0.0
    """Training FLOPs spent inside `propose` (a gradient round); always charged."""
    setup_seconds: float = 0.0
    """The part of the asking time that prepared weights or data rather than searched."""
    audit: bool = False
    """True: the evaluation only monitors; it is not charged and must not influence selection."""


@dataclass(frozen=True)
class Trial:
    """What an objective is told about the evaluation besides configuration and fidelity."""

    number: int
    seed: int
    """Evaluation seed: the same for every configuration of a study."""
    folder: Path | None = None
    """For checkpoints, not created yet; None where the study has no folder."""
    parent_folder: Path | None = None
    """Folder of the trial that this one continues."""
    continued: int = 0
    """Amount of the fidelity that the trial which this one continues has been charged for; 0 where
    there is none, it has another configuration, or the objective does not continue trials."""
    report: Callable[[int, Mapping[str, float]], None] = lambda _step, _values: None
    """`report(step, values)`: a point of the learning curve, kept with the trial."""


@dataclass(frozen=True)
class Measurement:
    """What an objective returns."""

    values: Mapping[str, float]
    """Metric name -> value, in the metric's own direction and unit."""
    training_flops: float = 0.0
    """samples x (forward + backward passes) x forward FLOPs; a backward pass counts two."""
    simulated_seconds: float = 0.0
    """Seconds that a table says the measurement took."""


@dataclass(frozen=True)
class Cost:
    """What a record is charged, in units that never mix."""

    evaluations: int = 0
    training_flops: float = 0.0
    simulated_seconds: float = 0.0
    seconds: float = 0.0
    """Real seconds: ask + setup + evaluate."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.evaluations + other.evaluations,
            self.training_flops + other.training_flops,
            self.simulated_seconds + other.simulated_seconds,
            self.seconds + other.seconds,
        )

    def divided(self, count: int) -> Cost:
        """The mean of `count` costs that add up to this one; whole evaluations."""
        return Cost(
            self.evaluations // count,
            self.training_flops / count,
            self.simulated_seconds / count,
            self.seconds / count,
        )


@dataclass(frozen=True)
class Record:
    """A proposal with what came of it."""

    number: int
    """The trial's number in the ledger."""
    configuration: Configuration
    searcher: str
    """Who proposed it: the searcher's name, or "initial" for a study's initial configurations."""
    status: Status = "running"
    fidelity: int | None = None
    """None: full fidelity."""
    parent: int | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)
    audit: bool = False
    values: Mapping[str, float] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    search_flops: float = 0.0
    """Training FLOPs spent inside `propose`; always charged."""
    training_flops: float = 0.0
    """Training FLOPs of this measurement, charged or not (`cost` has what was charged)."""
    simulated_seconds: float = 0.0
    """Simulated seconds of this measurement, charged or not."""
    duplicate_of: int | None = None
    """Number of the record whose measurement answered this one."""
    order: int = -1
    """Order of completion in the study, from 0."""
    failure: str = ""
    """Why the evaluation failed."""
    ask_seconds: float = 0.0
    setup_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    interrupted: int = 0
    """How often its evaluation was begun again: the study was killed, or a worker died."""

    def unfinished(self) -> Record:
        """The record as it was while it was being evaluated."""
        blank = Record(self.number, self.configuration, self.searcher)
        came = ("status", "values", "cost", "training_flops", "simulated_seconds", "duplicate_of",
                "order", "failure", "evaluate_seconds")  # fmt: skip
        return self.but(**{name: getattr(blank, name) for name in came})

    @functools.cached_property
    def digest(self) -> str:
        """Of the configuration (`configs.digest`), worked out once."""
        return configs.digest(self.configuration)

    def but(self, **changes: Any) -> Record:
        """The record with fields changed; its digest is not worked out again."""
        changed = replace(self, **changes)
        if "configuration" not in changes and "digest" in vars(self):
            vars(changed)["digest"] = self.digest
        return changed

    def losses(self, metrics: Sequence[Metric]) -> tuple[float, ...]:
        """These metrics of a complete record, each minimised."""
        return tuple(metric.loss(self.values[metric.name]) for metric in metrics)

    def feasible(self, constraints: Sequence[Constraint]) -> bool:
        """Whether a complete record keeps all of them; a value that is no number keeps none."""
        return all(constraint.violation(self.values) <= 0 for constraint in constraints)

    @property
    def selectable(self) -> bool:
        """Measured at full fidelity and not a mere audit: may be learned from and chosen."""
        return self.status == "complete" and self.fidelity is None and not self.audit


@dataclass
class Cache:
    """What a searcher keeps of what record and seed determine; dropping it changes nothing."""

    folder: Path | None = None
    """Survives the process; None where the study has no folder."""
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """Everything a searcher may know."""

    space: ConfigurationSpace
    metrics: tuple[Metric, ...]
    """The metrics that are optimised."""
    seed: int
    records: Sequence[Record] = ()
    """Finished records in order of completion."""
    pending: Sequence[Record] = ()
    """Trials that are being evaluated."""
    cache: Cache = field(default_factory=Cache)
    fidelity: Fidelity | None = None
    """What the objective can measure cheaper, if anything."""
    constraints: tuple[Constraint, ...] = ()
    """Limits on metrics that an answer has to keep."""

    def losses(self, record: Record) -> tuple[float, ...]:
        """The optimised metrics of a complete record, each minimised."""
        return record.losses(self.metrics)

    def violations(self, record: Record) -> tuple[float, ...]:
        """Of each constraint by a complete record; zero or less: it is kept."""
        return tuple(constraint.violation(record.values) for constraint in self.constraints)

    def feasible(self, record: Record) -> bool:
        """Whether a complete record keeps all constraints."""
        return record.feasible(self.constraints)

    def selectable(self) -> list[Record]:
        """Records that may be learned from and chosen, in order of completion."""
        return [record for record in self.records if record.selectable]

    def own(self, searcher: str) -> int:
        """How many proposals `searcher` has made so far."""
        return sum(r.searcher == searcher for r in self.records) + sum(
            r.searcher == searcher for r in self.pending
        )
