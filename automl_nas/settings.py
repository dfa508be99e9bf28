"""Checks of the settings of frozen recipes."""

from __future__ import annotations

from automl_nas.errors import SettingError


def require_positive(recipe: object, *names: str) -> None:
    """Raises SettingError that names the setting which is not an integer of at least one."""
    for name in names:
        value = getattr(recipe, name)
        if not isinstance(value, int) or value < 1:
            raise SettingError(f"{_of(recipe, name)} must be a positive integer, got {value!r}.")


def require_between(recipe: object, low: float, high: float, *names: str) -> None:
    """Raises SettingError that names the setting which is outside [low, high]; NaN always is."""
    for name in names:
        value = getattr(recipe, name)
        if not low <= value <= high:
            raise SettingError(
                f"{_of(recipe, name)} must be between {low:g} and {high:g}, got {value!r}."
            )


def _of(recipe: object, name: str) -> str:
    return f"{type(recipe).__name__}.{name}"
