"""Contract tests for your own searchers; subclass them in your test suite.

    from automl_nas.testing import SearcherContract

    class TestMine(SearcherContract):
        def make(self, space):
            return Mine(space)

A searcher is a function of the record: the contract drives it over three spaces and checks that the
same history, number and seed give the same proposal, warm or cold, here or in a new process.
A searcher that cannot express a space raises UnsupportedSpace when it is made; one that is tied to
spaces of its own, as a supernet is, names them: `spaces = {"mine": my_space}`. One that decides how
dearly to measure says `fidelity = Fidelity("epochs", 9)` and `learns_from_low_fidelity = True`.

`drive` is the study loop in memory, on `losses`, a cheap made-up objective. Needs pytest
(`pip install automl_nas[test]`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_nas.testing.driver import answer, drive, losses, strangers
    from automl_nas.testing.searchers import SearcherContract
    from automl_nas.testing.spaces import SPACES, cell_space, nasty_space, tiny_space

_HOMES = {
    "SPACES": "spaces",
    "SearcherContract": "searchers",
    "answer": "driver",
    "cell_space": "spaces",
    "drive": "driver",
    "losses": "driver",
    "nasty_space": "spaces",
    "strangers": "driver",
    "tiny_space": "spaces",
}

__all__ = [
    "SPACES",
    "SearcherContract",
    "answer",
    "cell_space",
    "drive",
    "losses",
    "nasty_space",
    "strangers",
    "tiny_space",
]


def __getattr__(name: str) -> Any:
    """Loads a public name on first use (PEP 562): only the contract needs pytest."""
    if name not in _HOMES:
        raise AttributeError(f"module 'automl_nas.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"automl_nas.testing.{_HOMES[name]}"), name)
