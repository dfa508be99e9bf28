"""What a storage's URL says: `sqlite:///s.db`, `journal:s.log`, `postgresql://...`; None: memory.

`journal:PATH` is our own spelling for Optuna's Journal file; the others are SQLAlchemy's.
"""

from __future__ import annotations

from pathlib import Path

JOURNAL = "journal:"


def local_path(url: str | None) -> Path | None:
    """The file behind a SQLite or journal URL; None for memory and servers."""
    for prefix in ("sqlite:///", JOURNAL):
        if url is not None and url.startswith(prefix) and (path := url[len(prefix) :]):
            return None if path == ":memory:" else Path(path)
    return None
