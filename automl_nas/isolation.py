"""Borrows what is global to the process, random generators and torch's threads, and puts it back.

    with isolated("cpu", threads=1):
        reseed(7, "cpu")      # from here on everything random is determined
        ...
    # the caller's generators and threads are as they were

The library hands out seeds, but some engines, torch's initialisers, dropout and Dirichlet, and a
user's own recipes draw from global generators. Torch is imported when it is first needed. Meant for
one thread at a time, as these things belong to the whole process.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def generators() -> Iterator[None]:
    """Python's and NumPy's global generators may be used within; they are put back afterwards."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 - others use it
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


def reseed_plain(seed: int) -> None:
    """Seeds Python's and NumPy's global generators; `seed` is in [0, 2**32)."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002


def reseed(seed: int, device: str = "cpu") -> None:
    """Seeds Python's, NumPy's and torch's generators and the device's own, no other device's."""
    import torch

    reseed_plain(seed)
    torch.default_generator.manual_seed(seed)
    for index in _cuda(device):
        torch.cuda.default_generators[index].manual_seed(seed)


@contextmanager
def isolated(device: str = "cpu", *, threads: int | None = None) -> Iterator[None]:
    """The body may reseed and use all global generators; torch has `threads` CPU threads in it.

    Generators, the device's own included, and the number of threads (None: unchanged) are put back
    afterwards.
    """
    import torch

    before = torch.get_num_threads()
    with generators(), torch.random.fork_rng(devices=_cuda(device)):
        try:
            torch.set_num_threads(threads or before)
            yield
        finally:
            torch.set_num_threads(before)


def _cuda(device: str) -> list[int]:
    """The index of a CUDA device, initialised; nothing for any other."""
    import torch

    index = torch.device(device).index
    if torch.device(device).type != "cuda":
        return []
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return [torch.cuda.current_device() if index is None else index]
