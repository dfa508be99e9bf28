"""Where a record came from: versions, platform, git state of the user's working folder."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_ALWAYS = ("automl_nas", "ConfigSpace", "numpy", "optuna")


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Versions of the packages that are installed as distributions."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_state() -> str | None:
    """`<commit>` or `<commit>+changes` of the working folder; None outside a repository."""
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def session(packages: Iterable[str], **more: Any) -> dict[str, Any]:
    """What a run of a study adds to its ledger once; `more` joins it (JSON)."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": installed(sorted({*_ALWAYS, *packages})),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "git": git_state(),
        "command": sys.argv,
        "folder": str(Path.cwd()),
        **more,
    }
