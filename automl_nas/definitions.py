"""Studies by the name of what defines them: a registered module with a function `studies(...)`.

    for study in define("compare", {"seeds": 1, "searchers": ["optuna:tpe multivariate=false"]}):
        study.run(url)

Settings are JSON. Every study made here carries its definition, and each session of it keeps that
in the storage, so that `automl-nas resume STORAGE` makes the same studies again, those that had not
been started included.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_nas import registry
from automl_nas.errors import AutoMLNASError, SettingError, UnknownName

if TYPE_CHECKING:
    from automl_nas.results import Results
    from automl_nas.study import Study


def define(name: str, settings: Mapping[str, Any]) -> list[Study]:
    """The studies of the registered study `name`, with their definition.

    Raises:
        UnknownName: the study or one of the settings is unknown.
        SettingError: a setting has a wrong value, or there would be nothing to run.
    """
    factory = getattr(registry.load("study", name), "studies", None)
    if factory is None:
        raise AutoMLNASError(f"study {name!r} has no function studies(): it cannot be run by name.")
    known = inspect.signature(factory).parameters
    for key in settings:
        if key not in known:
            raise UnknownName(f"setting of study {name}", key, known)
    given = ", ".join(f"{key}={value!r}" for key, value in settings.items()) or "no settings"
    try:
        studies: list[Study] = factory(**settings)
    except (TypeError, ValueError) as error:
        raise SettingError(f"study {name!r} cannot be made with {given}: {error}") from error
    if not studies:
        raise SettingError(f"study {name!r} with {given} has nothing to run.")
    for study in studies:
        study.definition = {"study": name, "settings": dict(settings)}
    return studies


def definition(results: Results) -> dict[str, Any] | None:
    """What defined a stored study when it was run last; None: a script, or it never began."""
    return results.sessions[-1].get("definition") if results.sessions else None


def defined(stored: Sequence[Results]) -> list[Study]:
    """All studies of the stored ones' definitions, each once and as it was defined last.

    Raises:
        AutoMLNASError: a definition cannot be followed any more.
    """
    last = {one.name: definition(one) for one in stored}
    found: dict[str, Study] = {}
    for text in dict.fromkeys(json.dumps(one) for one in last.values() if one is not None):
        one = json.loads(text)
        for study in define(one["study"], one["settings"]):
            if study.name not in found or last.get(study.name) == one:
                found[study.name] = study
    return list(found.values())
