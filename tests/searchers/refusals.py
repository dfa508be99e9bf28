"""`docs/searchers.md`, from what the searchers do: `python -m tests.searchers.refusals`."""

from __future__ import annotations

import contextlib
from pathlib import Path

import ConfigSpace as cs

from automl_nas import registry
from automl_nas.errors import (
    MissingFidelity,
    SettingError,
    UnsupportedConstraints,
    UnsupportedObjectives,
    UnsupportedSpace,
)
from automl_nas.types import Constraint, Fidelity, History, Metric
from tests.searchers import gradient_runs

PAGE = Path(__file__).parents[2] / "docs/searchers.md"
METRICS = (Metric("error"), Metric("size"))
HEAD = """# What each searcher can express
Made by `python -m tests.searchers.refusals` from what the searchers do; a test compares.

"no": a named error (`UnsupportedSpace`, `UnsupportedConstraints`, `UnsupportedObjectives`), when
the searcher is made or at its first proposal. Floats: continuous hyperparameters. Categories:
choices without an order. Priors: normal and beta, on any scale. Gradient searchers look at no
measured value, hence at no metric: "yes" means that they run.
Fidelity: "full" always measures in full, "uses" chooses the amount, "needs" refuses an objective
without one. `asha`, `hyperband` and the synchronous schemes express what the searcher inside does;
here that is random search.
"""


def space_of(*members):
    space = cs.ConfigurationSpace()
    space.add([cs.Categorical("order", [1, 2, 4], ordered=True), *members])
    return space


def conditional():
    space = space_of(cs.Categorical("child", ["a", "b"], ordered=True))
    space.add(cs.EqualsCondition(space["child"], space["order"], 1))
    return space


def forbidden():
    space = space_of()
    space.add(cs.ForbiddenEqualsClause(space["order"], 2))
    return space


SPACES = {
    "conditions": conditional,
    "forbidden": forbidden,
    "ordinals": space_of,
    "categories": lambda: space_of(cs.Categorical("x", ["a", "b"])),
    "constants": lambda: space_of(cs.Constant("x", "a")),
    "integers": lambda: space_of(cs.Integer("x", (1, 8))),
    "floats": lambda: space_of(cs.Float("x", (0.0, 1.0))),
    "logs": lambda: space_of(cs.Integer("x", (1, 64), log=True)),
    "weights": lambda: space_of(cs.Categorical("x", ["a", "b"], weights=[0.2, 0.8])),
    "normal": lambda: space_of(cs.Integer("x", (1, 8), distribution=cs.Normal(3, 2))),
    "beta": lambda: space_of(cs.Integer("x", (1, 8), distribution=cs.Beta(2, 3))),
}


def variants():
    """Names as `registry.create` takes them."""
    for head in registry.names("searcher"):
        kinds = getattr(registry.load("searcher", head), "variants", ())
        yield from [f"{head}:{kind}" for kind in kinds] or [head]


def make(name, space):
    if name.startswith("gradient:"):
        toy = gradient_runs.searcher()
        return registry.create(name, space, supernet=toy.supernet, data=toy.data, rounds=1)
    return registry.create(name, space)


def expresses(name, space):
    with contextlib.suppress(UnsupportedSpace):
        make(name, space)
        return True
    return False


def answer(name, metrics, *, constraints=(), fidelity=None):
    """The first proposal on a space that every searcher accepts."""
    gradient = name.startswith("gradient:")
    searcher = make(name, gradient_runs.searcher().space if gradient else space_of())
    known = History(searcher.space, metrics, 1, constraints=constraints, fidelity=fidelity)
    return searcher.propose(known, 0)


def works(name, metrics, **options):
    with contextlib.suppress(UnsupportedObjectives, UnsupportedConstraints):
        answer(name, metrics, fidelity=Fidelity("epochs", 27), **options)
        return True
    return False


def fidelity(name, metrics):
    try:
        answer(name, metrics)
    except (MissingFidelity, SettingError):
        return "needs"
    chosen = answer(name, metrics, fidelity=Fidelity("epochs", 27)).fidelity
    return "full" if chosen is None else "uses"


def row(name):
    one, several = works(name, METRICS[:1]), works(name, METRICS)
    metrics = METRICS[:1] if one else METRICS
    limit = (Constraint("size", at_most=1.0),)
    cells = [expresses(name, build()) for build in SPACES.values()]
    cells += [works(name, metrics, constraints=limit), one, several]
    told = ["yes" if cell else "no" for cell in cells] + [fidelity(name, metrics)]
    return f"| `{name}` | " + " | ".join(told) + " |"


def page():
    columns = ["searcher", *SPACES, "constraints", "one metric", "several metrics", "fidelity"]
    lines = [" | ".join(columns).join(("| ", " |")), "|---" * len(columns) + "|"]
    return "\n".join([HEAD, *lines, *map(row, sorted(variants()))]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
