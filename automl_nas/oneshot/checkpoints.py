"""Checkpoints of a chain of rounds, the last two: `round-<number>-<hash of the content>.pt`.

A torn or altered file does not match the hash in its name and is passed over, as is one that was
written for another chain; whoever reads falls back to an earlier round. `torch.load` opens them.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from pathlib import Path
from typing import Any

import torch

_NAME = re.compile(r"round-(\d+)-([0-9a-f]{16})\.pt")
_KEPT = 2


def save(folder: Path, chain: str, number: int, content: dict[str, Any]) -> Path:
    """Writes tensors, numbers, strings and containers of them atomically; drops older rounds."""
    buffer = io.BytesIO()
    torch.save({"chain": chain, "round": number, **content}, buffer)
    data = buffer.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"round-{number}-{_hash(data)}.pt"
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
    for old, stale in _files(folder):
        if old <= number - _KEPT or (old == number and stale != path):
            stale.unlink(missing_ok=True)
    return path


def newest(folder: Path, chain: str, *, first: int, last: int) -> dict[str, Any] | None:
    """The readable checkpoint of the greatest round between `first` and `last`, or None."""
    for number, path in sorted(_files(folder), reverse=True):
        if first <= number <= last and (content := _read(path, chain, number)) is not None:
            return content
    return None


def _files(folder: Path) -> list[tuple[int, Path]]:
    found = [(_NAME.fullmatch(path.name), path) for path in folder.glob("round-*.pt")]
    return [(int(match[1]), path) for match, path in found if match]


def _read(path: Path, chain: str, number: int) -> dict[str, Any] | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if f"-{_hash(data)}.pt" not in path.name:
        return None
    content: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    return content if (content["chain"], content["round"]) == (chain, number) else None


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
