"""Reports: what studies found and what it cost, as one HTML page or as terminal tables.

    from automl_nas import report
    report.write(studies, "report.html")
    for table in report.tables(report.summary(studies)):
        rich.print(table)

Studies are compared only under equal objective and equal optimised metrics; seeds are repeats.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_nas.report.groups import Group, Row, as_plain, summary
    from automl_nas.report.page import write
    from automl_nas.report.terminal import tables

_HOMES = {
    "Group": "automl_nas.report.groups",
    "Row": "automl_nas.report.groups",
    "as_plain": "automl_nas.report.groups",
    "summary": "automl_nas.report.groups",
    "tables": "automl_nas.report.terminal",
    "write": "automl_nas.report.page",
}

__all__ = ["Group", "Row", "as_plain", "summary", "tables", "write"]


def __getattr__(name: str) -> Any:
    """Loads a public name on first use, so that importing the package stays cheap (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'automl_nas.report' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
