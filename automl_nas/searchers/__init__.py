"""Searchers: functions from the record to the next proposal.

from automl_nas.searchers import OptunaSearcher, RandomSearcher
from automl_nas.registry import create

create("optuna:tpe", space)              # by registered name, as the command line does
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_nas.searchers.evolution import EvolutionSearcher
    from automl_nas.searchers.from_optuna import OptunaSearcher
    from automl_nas.searchers.from_smac import SmacSearcher
    from automl_nas.searchers.from_syne_tune import SyneTuneSearcher
    from automl_nas.searchers.gradient import GradientSearcher
    from automl_nas.searchers.halving import HalvingSearcher
    from automl_nas.searchers.local import LocalSearcher
    from automl_nas.searchers.uniform import RandomSearcher

_HOMES = {
    "EvolutionSearcher": "evolution",
    "GradientSearcher": "gradient",
    "HalvingSearcher": "halving",
    "LocalSearcher": "local",
    "OptunaSearcher": "from_optuna",
    "RandomSearcher": "uniform",
    "SmacSearcher": "from_smac",
    "SyneTuneSearcher": "from_syne_tune",
}

__all__ = [
    "EvolutionSearcher",
    "GradientSearcher",
    "HalvingSearcher",
    "LocalSearcher",
    "OptunaSearcher",
    "RandomSearcher",
    "SmacSearcher",
    "SyneTuneSearcher",
]


def __getattr__(name: str) -> Any:
    """Loads a searcher's module on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'automl_nas.searchers' has no attribute {name!r}")
    return getattr(importlib.import_module(f"automl_nas.searchers.{_HOMES[name]}"), name)
