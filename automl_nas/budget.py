"""When a study stops: any combination of limits, the first reached wins.

All limits but `seconds` are functions of the record, so a resumed study stops where an
uninterrupted one would. A limit is checked before each proposal: the last one may overshoot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Real

from automl_nas.errors import SettingError
from automl_nas.types import Cost


@dataclass(frozen=True)
class Budget:
    """Limits of a study; at least one must be set."""

    trials: int | None = None
    """Trials of any kind: evaluations, duplicates, audits and failures."""
    evaluations: int | None = None
    """Charged evaluations; duplicates and audits are not counted."""
    equivalents: float | None = None
    """Charged training FLOPs in units of one full training (`objective.full_training_flops`)."""
    seconds: float | None = None
    """Real seconds of asking, setting up and evaluating, over all sessions."""
    simulated_seconds: float | None = None
    """Seconds that a table says the evaluations took."""

    def __post_init__(self) -> None:
        limits = {field.name: getattr(self, field.name) for field in fields(self)}
        if all(limit is None for limit in limits.values()):
            raise SettingError(f"a budget needs a limit: one of {', '.join(limits)}.")
        for name, limit in limits.items():
            if limit is not None and not (_is_number(limit) and limit > 0):
                raise SettingError(f"budget {name} must be a positive number, got {limit!r}.")

    def reached(self, trials: int, cost: Cost, full_training_flops: float | None) -> str | None:
        """The first limit that the trials and the charged cost have reached; None: go on."""
        for name, share in self._shares(trials, cost, full_training_flops).items():
            if share >= 1:
                return name
        return None

    def can_end(self, charged: Cost) -> bool:
        """Whether an evaluation of this cost brings any limit nearer."""
        if self.trials or self.evaluations or self.seconds:
            return True
        flops, simulated = charged.training_flops, charged.simulated_seconds
        return bool((self.equivalents and flops) or (self.simulated_seconds and simulated))

    def share(self, trials: int, cost: Cost, full_training_flops: float | None) -> float:
        """How much of the nearest limit is spent: 0 at the start, 1 at the end."""
        return max(self._shares(trials, cost, full_training_flops).values())

    def _shares(
        self, trials: int, cost: Cost, full_training_flops: float | None
    ) -> dict[str, float]:
        spent = {
            "trials": trials,
            "evaluations": cost.evaluations,
            "equivalents": cost.training_flops / (full_training_flops or math.inf),
            "seconds": cost.seconds,
            "simulated_seconds": cost.simulated_seconds,
        }
        limits = {name: getattr(self, name) for name in spent}
        return {name: spent[name] / limit for name, limit in limits.items() if limit is not None}


def _is_number(limit: object) -> bool:
    return isinstance(limit, Real) and not isinstance(limit, bool)
