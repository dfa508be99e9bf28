"""Words of a report: labels that tell apart what would else read alike, and metric names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from automl_nas.types import Metric

_LONGEST = 28
"""Characters of a difference that still fit beside a name."""


def words(metric: Metric) -> str:
    """The metric's name and unit, such as `test error (%)`."""
    name = metric.name.replace("_", " ")
    return f"{name} ({metric.unit})" if metric.unit else name


def better(metric: Metric) -> str:
    """Which direction is good."""
    return "lower is better" if metric.goal == "min" else "higher is better"


def distinct(names: Sequence[str], recipes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names made different by what differs in their recipes, such as `evolution (sample=5)`.

    Where the difference is too long to show, they are numbered in the given order.
    """
    labels = []
    for name, fields in zip(names, recipes, strict=True):
        twins = [other for n, other in zip(names, recipes, strict=True) if n == name]
        labels.append(f"{name} ({_difference(fields, twins)})" if len(twins) > 1 else name)
    return _numbered(labels, names)


def _numbered(labels: Sequence[str], names: Sequence[str]) -> list[str]:
    """Labels that are still equal or too long, with a number instead of their difference."""
    count, seen, result = Counter(labels), Counter[str](), []
    unclear = {
        name
        for label, name in zip(labels, names, strict=True)
        if count[label] > 1 or len(label) - len(name) > _LONGEST
    }
    for label, name in zip(labels, names, strict=True):
        seen[name] += 1
        result.append(f"{name} ({seen[name]})" if name in unclear else label)
    return result


def _difference(fields: Mapping[str, Any], twins: Sequence[Mapping[str, Any]]) -> str:
    keys = sorted({key for twin in twins for key in twin})
    differing = [key for key in keys if len({_text(twin.get(key)) for twin in twins}) > 1]
    return ", ".join(f"{key}={_text(fields.get(key))}" for key in differing)


def as_fields(recipe: Any) -> dict[str, Any]:
    """A described recipe as named fields; a plain one is a single field."""
    return dict(recipe) if isinstance(recipe, Mapping) else {"recipe": recipe}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
