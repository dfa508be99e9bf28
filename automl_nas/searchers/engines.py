"""Runs an engine that touches what is not its own: generators, root logging, warnings.

    with contained(seed, "smac"):
        ...

Inside, Python's and NumPy's global generators are seeded, the engine's loggers are silent and
warnings are swallowed; afterwards generators, root logger and warning filters are as they were.
Meant for one thread: these things are global to the process.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

from automl_nas.isolation import generators, reseed_plain


@contextlib.contextmanager
def contained(seed: int, engine: str) -> Iterator[None]:
    """Seeds the global generators with `seed` and keeps the engine's traces inside the block.

    Args:
        seed: for `random` and `numpy.random`, in [0, 2**31).
        engine: name of the engine's root logger, such as "smac".
    """
    with generators(), _logging(engine), warnings.catch_warnings():
        reseed_plain(seed)
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _logging(engine: str) -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger(engine)
    handlers, level, own_level = list(root.handlers), root.level, own.level
    own.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        own.setLevel(own_level)
