"""Seeded torch, numpy and Python generators and a thread count that are put back afterwards.

    with isolated("cpu", threads=1):
        reseed(7, "cpu")      # from here on everything random is determined
        ...
    # the caller's generators and threads are as they were

The library hands out seeds, but torch's initialisers, dropout and Dirichlet draw from the global
generator, and a user's data recipe may use any of the three.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def _cuda(device: str) -> list[int]:
    index = torch.device(device).index
    if torch.device(device).type != "cuda":
        return []
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return [torch.cuda.current_device() if index is None else index]


def reseed(seed: int, device: str) -> None:
    """Seeds the three generators and the device's own, and no other device's."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.default_generator.manual_seed(seed)
    for index in _cuda(device):
        torch.cuda.default_generators[index].manual_seed(seed)


@contextmanager
def isolated(device: str, *, threads: int) -> Iterator[None]:
    """The body may reseed and use the global generators; they and the threads are restored."""
    python, numpy, before = random.getstate(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    with torch.random.fork_rng(devices=_cuda(device)):
        try:
            torch.set_num_threads(threads)
            yield
        finally:
            torch.set_num_threads(before)
            np.random.set_state(numpy)  # noqa: NPY002
            random.setstate(python)
