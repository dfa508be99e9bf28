"""`automl-nas doctor`: what is installed, what is missing, and what is in the way."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click

from automl_nas import provenance, registry

_PACKAGES = (
    "automl_nas", "ConfigSpace", "optuna", "smac", "syne-tune", "torch", "numpy", "scipy",
    "scikit-learn", "pandas", "matplotlib", "optuna-dashboard",
)  # fmt: skip
_OPTIONAL = {"optuna-dashboard": "pip install optuna-dashboard"}


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    good: bool
    text: str


def diagnose() -> bool:
    """Prints every finding; True when nothing is wrong."""
    findings = list(_findings())
    for finding in findings:
        click.echo(f"{'ok   ' if finding.good else 'WRONG'} {finding.text}")
    return all(finding.good for finding in findings)


def _findings() -> Iterator[Finding]:
    yield Finding(good=True, text=f"Python {platform.python_version()} on {platform.platform()}")
    yield from _versions()
    yield from _siblings()
    yield from _registered()
    yield _torchvision()
    yield _data()


def _versions() -> Iterator[Finding]:
    found = provenance.installed(_PACKAGES)
    for package in _PACKAGES:
        if package in found:
            yield Finding(good=True, text=f"{package} {found[package]}")
        else:
            hint = _OPTIONAL.get(package, f"pip install {package}")
            yield Finding(package in _OPTIONAL, f"{package} is not installed: {hint}")


def _siblings() -> Iterator[Finding]:
    """`spaces` and `studies` must be the packages that were installed with this one."""
    home = Path(__file__).resolve().parent.parent
    for name in ("spaces", "studies"):
        spec = importlib.util.find_spec(name)
        place = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        yield Finding(
            place == home,
            f"package {name} comes from {place}"
            + ("" if place == home else f", expected {home}: uninstall the other one"),
        )


def _registered() -> Iterator[Finding]:
    for kind in get_args(registry.Kind):
        names = registry.names(kind)
        broken = [name for name in names if not _loads(kind, name)]
        text = f"{kind}: {', '.join(names) or 'none registered: reinstall automl_nas'}"
        yield Finding(
            bool(names) and not broken,
            text + (f"; cannot be imported: {', '.join(broken)}" if broken else ""),
        )


def _loads(kind: registry.Kind, name: str) -> bool:
    from automl_nas.errors import AutoMLNASError

    try:
        registry.load(kind, name)
    except AutoMLNASError:
        return False
    return True


def _torchvision() -> Finding:
    """A CUDA-built torchvision beside CPU torch breaks on import."""
    if importlib.util.find_spec("torchvision") is None:
        return Finding(good=True, text="torchvision is not installed (not needed)")
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError) as error:
        return Finding(good=False, text=f"torchvision is broken ({error}): uninstall it")
    return Finding(good=True, text="torchvision imports")


def _data() -> Finding:
    folder = os.environ.get("AUTOML_NAS_DATA")
    if folder is None:
        return Finding(good=True, text="AUTOML_NAS_DATA is not set: no published tables")
    exists = Path(folder).is_dir()
    hint = "" if exists else ", which is not a folder: mend or unset it"
    return Finding(exists, f"AUTOML_NAS_DATA is {folder}{hint}")
