"""Every random number comes from here: generators keyed by what they are for.

`derive("proposal", study_seed, number)` is a stable 31-bit integer: the same in every process,
under every PYTHONHASHSEED, on every platform.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

Part = str | int


def derive(*parts: Part) -> int:
    """A seed in [0, 2**31 - 1) that depends on all parts and nothing else."""
    text = json.dumps(parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") % (2**31 - 1)


def rng(*parts: Part) -> np.random.RandomState:
    """A fresh generator keyed by `parts`; a RandomState, as ConfigSpace samples with one."""
    return np.random.RandomState(derive(*parts))
