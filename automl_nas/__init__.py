"""Architecture and hyperparameter search: blackbox and gradient methods, one space, one record.

from automl_nas import Budget, Metric, Study, report
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_nas import report
    from automl_nas.budget import Budget
    from automl_nas.errors import AutoMLNASError
    from automl_nas.results import Results, load
    from automl_nas.study import Study
    from automl_nas.types import (
        Constraint,
        Fidelity,
        History,
        Measurement,
        Metric,
        Proposal,
        Record,
        Trial,
    )

_HOMES = {
    "AutoMLNASError": "automl_nas.errors",
    "Budget": "automl_nas.budget",
    "Constraint": "automl_nas.types",
    "Fidelity": "automl_nas.types",
    "History": "automl_nas.types",
    "Measurement": "automl_nas.types",
    "Metric": "automl_nas.types",
    "Proposal": "automl_nas.types",
    "Record": "automl_nas.types",
    "Results": "automl_nas.results",
    "Study": "automl_nas.study",
    "Trial": "automl_nas.types",
    "load": "automl_nas.results",
}

__all__ = [
    "AutoMLNASError",
    "Budget",
    "Constraint",
    "Fidelity",
    "History",
    "Measurement",
    "Metric",
    "Proposal",
    "Record",
    "Results",
    "Study",
    "Trial",
    "load",
    "report",
]


def __getattr__(name: str) -> Any:
    """Loads a public name on first use, so that `import automl_nas` stays cheap (PEP 562)."""
    if name == "report":
        return importlib.import_module("automl_nas.report")
    if name not in _HOMES:
        raise AttributeError(f"module 'automl_nas' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
