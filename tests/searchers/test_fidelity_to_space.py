"""Every registered searcher on the three nasty spaces: legal proposals, or a refusal by name.

`ROWS` says for each searcher how many proposals are checked on each space and which spaces it
refuses. A searcher that is registered without a row is checked on `NEW` proposals and may refuse
nothing: give it a row here.
"""

import contextlib
import dataclasses
import functools
import io
import json
from dataclasses import dataclass, field

import pytest
from ConfigSpace import Configuration

from automl_nas import configs, registry
from automl_nas.errors import UnsupportedObjectives, UnsupportedSpace
from automl_nas.layout import layout
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import drive, strangers
from automl_nas.testing.nasty import NASTY
from automl_nas.types import Cache, Fidelity, Metric
from tests.searchers import gradient_runs

METRICS = (Metric("loss"), Metric("size"))
FULL = {"conditions": 4500, "forbidden": 1000, "priors": 4500}
PRIORS = {"priors": ("prior|weights", "random")}
NUMBERS = {name: ("is numeric", "outer study") for name in NASTY}
CATEGORIES = {name: ("categorical", "use|make") for name in NASTY}
CONTINUOUS = {name: ("continuous", "use|make") for name in NASTY}


@dataclass(frozen=True)
class Row:
    counts: dict = field(default_factory=lambda: dict(FULL))
    """Proposals on each space; 10,000 in all, or fewer for the reason given."""
    refused: dict = field(default_factory=dict)
    """Space -> what the refusal says: the feature, and the way out."""
    why: str = ""


def each(count, refused=None, *, why):
    return Row(dict.fromkeys(NASTY, count), refused or {}, why)


SHADOW = "tens of milliseconds: Optuna's study is rebuilt, and forbidden draws are drawn again"
REPLAY = "some milliseconds: Syne Tune is made anew, and forbidden children are drawn again"
PROCESS = "seconds: a Gaussian process is fitted for every draw, forbidden ones included"
FOREST = "half a second: SMAC fits a forest for every four proposals"
SURROGATE = "up to a second: a surrogate is fitted for every draw"
ROWS = {
    "random": Row(),
    "regularized-evolution": Row(),
    "local-search": each(400, why="some milliseconds: all neighbours of the centre are made"),
    "optuna:tpe": each(40, PRIORS, why=SHADOW),
    "optuna:nsga2": each(80, PRIORS, why=SHADOW),
    "optuna:nsga3": each(80, PRIORS, why=SHADOW),
    "optuna:qmc": each(150, PRIORS, why=SHADOW),
    "optuna:random": each(200, PRIORS, why=SHADOW),
    "optuna:gp": each(1, PRIORS, why=PROCESS),
    "optuna:cmaes": Row(refused=CATEGORIES),
    "optuna:brute-force": Row(refused=CONTINUOUS),
    "smac:rf": each(12, why=FOREST),
    "smac:parego": each(12, why=FOREST),
    "smac:ac": each(12, why=FOREST),
    "smac:gp": each(2, why=PROCESS),
    "smac:gp-parego": each(2, why=PROCESS),
    "syne-tune:random": each(200, PRIORS, why=REPLAY),
    "syne-tune:rea": each(150, PRIORS, why=REPLAY),
    "syne-tune:mo-rea": each(150, PRIORS, why=REPLAY),
    "syne-tune:mo-rea-shipped": each(50, PRIORS, why=REPLAY),
    "syne-tune:tpe": each(20, PRIORS, why=SURROGATE),
    "syne-tune:bore": each(2, PRIORS, why=SURROGATE),
    "syne-tune:cqr": each(2, PRIORS, why=SURROGATE),
    "syne-tune:botorch": each(1, PRIORS, why=PROCESS),
    "syne-tune:ehvi": each(1, PRIORS, why=PROCESS),
    "syne-tune:ehvi-shipped": each(1, PRIORS, why=PROCESS),
    **{f"gradient:{sampler}": Row(refused=NUMBERS) for sampler in ("darts", "drnas", "gdas")},
    "gradient:uniform": Row(refused=NUMBERS),
}
NEW = 5


def variants():
    """Names as `registry.create` takes them."""
    for head in registry.names("searcher"):
        kinds = getattr(registry.load("searcher", head), "variants", ())
        yield from [f"{head}:{kind}" for kind in kinds] or [head]


def row(name):
    return ROWS.get(name, each(NEW, why="no row yet"))


def make(name, space):
    toy = gradient_runs.searcher()
    needs = {"supernet": toy.supernet, "data": toy.data} if name.startswith("gradient:") else {}
    return registry.create(name, space, **needs)


@functools.cache
def measured(name, metrics):
    """Forty records of random search, made once: they are any searcher's past."""
    space = NASTY[name]()
    return drive(RandomSearcher(space), space, METRICS[:metrics], 40, seed=11)


def driven(searcher, name, own):
    """A past of others and of its own, some trials of others not finished; one metric or two."""
    for metrics in (1, 2):
        base = measured(name, metrics)
        with contextlib.suppress(UnsupportedObjectives):
            past = dataclasses.replace(base, space=searcher.space, fidelity=Fidelity("epochs", 27))
            drawn = drive(
                searcher, searcher.space, past.metrics, own, 11, past.records, past.fidelity
            )
            pending = [dataclasses.replace(r, status="running") for r in strangers(drawn, 2)]
            return dataclasses.replace(drawn, pending=pending, fidelity=past.fidelity)
    raise AssertionError("it optimises neither one metric nor two")


def proposals(searcher, name, count):
    """`count` configurations: some while the record grows, the others for later numbers."""
    history = driven(searcher, name, own=min(count, 20))
    yield from (record.configuration for record in history.records[40:])
    for number in range(60, 40 + count):
        seed = history.seed + number // 500
        history = history if seed == history.seed else dataclasses.replace(
            history, seed=seed, cache=Cache()
        )  # fmt: skip
        yield searcher.propose(history, number).configuration


def check(space, configuration):
    """Legal by ConfigSpace's own word, exact in types and active set, the same after JSON."""
    values = configs.to_dict(configuration)
    for key, value in values.items():
        assert isinstance(value, None | bool | int | float | str)
        slot = layout(space).slots[key]
        if slot.options is None:
            assert type(value) is (int if slot.whole else float)
            assert slot.lower <= value <= slot.upper
        else:
            assert [type(value)] == [type(option) for option in slot.options if option == value]
    with contextlib.redirect_stdout(io.StringIO()):  # ConfigSpace prints some clauses' vectors
        again = Configuration(space, values=values)
        configuration.check_valid_configuration()
        space._check_configuration_rigorous(again)
    assert set(values) == space.get_active_hyperparameters(configuration)
    text = json.dumps(values)
    back = configs.from_dict(space, json.loads(text))
    assert json.dumps(configs.to_dict(back)) == text
    assert configs.digest(back) == configs.digest(configuration)


def check_proposals(name, space_name, count):
    space = NASTY[space_name]()
    searcher = make(name, space)
    found = 0
    for configuration in proposals(searcher, space_name, count):
        check(space, configuration)
        found += 1
    assert found >= count


CASES = [(name, space) for name in sorted(variants()) for space in NASTY]
ALLOWED = [(name, space) for name, space in CASES if space not in row(name).refused]
QUICK = [(name, space) for name, space in ALLOWED if row(name).counts[space] >= 400]


@pytest.mark.parametrize(("name", "space_name"), CASES)
def test_a_searcher_refuses_what_it_cannot_express_and_nothing_else(name, space_name):
    space, refused = NASTY[space_name](), row(name).refused
    if space_name not in refused:
        make(name, space)
        return
    feature, way_out = refused[space_name]
    with pytest.raises(UnsupportedSpace, match=feature) as caught:
        make(name, space)
    assert caught.match(way_out)
    assert any(repr(key) in str(caught.value) for key in space)


@pytest.mark.parametrize(("name", "space_name"), QUICK)
def test_a_hundred_proposals_are_faithful(name, space_name):
    check_proposals(name, space_name, 100)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "space_name"), ALLOWED)
def test_all_proposals_are_faithful(name, space_name):
    check_proposals(name, space_name, row(name).counts[space_name])
