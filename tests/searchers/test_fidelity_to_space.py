"""Every registered searcher on the three nasty spaces: legal proposals, or a refusal by name.

`ROWS` says for each searcher how many proposals are checked on each space, 10,000 in all or fewer
for the reason given, and which spaces it refuses: the refused one is checked without the feature
(`plain`, `ordered`, `finite`), so that every searcher has three. A searcher that is registered
without a row is checked on `NEW` proposals and may refuse nothing: give it a row here.
"""

import contextlib
import dataclasses
import functools
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import ConfigSpace as cs
import pytest
import torch
from ConfigSpace import Configuration

from automl_nas import configs, registry, seeds
from automl_nas.errors import UnsupportedObjectives, UnsupportedSpace
from automl_nas.layout import layout
from automl_nas.oneshot.relaxation import Relaxation, most_probable
from automl_nas.oneshot.samplers import by_name
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.testing import drive, strangers
from automl_nas.testing.nasty import NASTY, finite, ordered, plain
from automl_nas.types import Cache, Fidelity, Metric
from tests.searchers import gradient_runs
from tests.searchers.refusals import variants

METRICS = (Metric("loss"), Metric("size"))
FIDELITY = Fidelity("epochs", 27)
ROUND = 500
"""Proposals of one seed."""
QUICK = 30
MOST = int(os.environ.get("AUTOML_NAS_PROPOSALS", "300"))
"""Proposals on one space at most: all of `ROWS`, which takes a quarter of an hour, with 10000."""
NEW = 5


@dataclass(frozen=True)
class Refusal:
    feature: str
    """Pattern of what the message says."""
    instead: Callable
    """The space without it."""


@dataclass(frozen=True)
class Row:
    counts: tuple = (4500, 1000, 4500)
    """Proposals on conditions, forbidden and priors."""
    refused: dict = field(default_factory=dict)
    """Space -> Refusal."""
    past: int = 120
    """Random records that it has before it."""
    own: int = 20
    """Records of its own that come one after another; the others are for later numbers."""
    settings: dict = field(default_factory=dict)
    why: str = ""
    """The reason for fewer than 10,000."""

    def __post_init__(self):
        assert sum(self.counts) >= 10_000 or self.why

    def count(self, space_name):
        return min(MOST, dict(zip(NASTY, self.counts, strict=True))[space_name])


PRIOR = "has (a normal prior|a beta prior|weights), which"
PRIORS = {"priors": Refusal(PRIOR, plain)}
CATEGORIES = {name: Refusal("is categorical, which", ordered) for name in NASTY}
CONTINUOUS = {name: Refusal("is continuous, so", finite) for name in NASTY}
NUMBERS = {name: Refusal("is numeric", finite) for name in NASTY}
FIT = "a second: a model is fitted for every proposal"
PROCESS = "seconds to a minute: a Gaussian process is fitted for every draw, forbidden ones too"
HUNDRED = "; with clauses many fits, more than nine minutes: not checked there"
FOREST = "half a second: a forest is fitted for every four proposals"
ROUNDS = "a proposal is a round of training: the decoding of 3,000 logits is checked instead"
AROUND = "the configurations are those of the searcher inside, here random search"
AS_REA = "as mo-rea but for the ranks of parents"
AS_RANDOM = "new configurations are those of random search"


def few(count, why, refused=None, **changes):
    return Row((count,) * 3, refused or {}, why=why, **changes)


def fit(count, **changes):
    return few(count, FIT, PRIORS, own=2, **changes)


PROCESSES = {"past": 12, "own": 0}
SHIPPED = {"population_size": 20, "sample_size": 5}
ROWS = {
    "random": Row(),
    "regularized-evolution": Row(),
    "local-search": Row((8500, 300, 1200), own=ROUND),
    "optuna:tpe": Row((500, 200, 9300), PRIORS, past=30),
    "optuna:nsga2": Row(refused=PRIORS),
    "optuna:nsga3": Row(refused=PRIORS),
    "optuna:qmc": Row((4900, 200, 4900), PRIORS),
    "optuna:random": Row((4900, 200, 4900), PRIORS),
    "optuna:brute-force": Row(
        (4960, 80, 4960), CONTINUOUS | {"priors": Refusal(PRIOR, finite)}, past=30
    ),
    "optuna:cmaes": Row((4500, 1000, 4500), CATEGORIES | {"priors": Refusal(PRIOR, ordered)}),
    "optuna:gp": Row((1, 0, 1), PRIORS, why=PROCESS + HUNDRED, **PROCESSES),
    "smac:rf": few(12, FOREST),
    "smac:parego": few(12, FOREST),
    "smac:ac": few(12, FOREST),
    "smac:gp": few(2, PROCESS, **PROCESSES),
    "smac:gp-parego": few(2, PROCESS, **PROCESSES),
    "smac:mf": few(8, FOREST),
    "smac:mf-parego": few(8, FOREST),
    "smac:hyperband": few(100, AROUND),
    "syne-tune:random": Row((4500, 1000, 4500), PRIORS),
    "syne-tune:rea": Row(refused=PRIORS),
    "syne-tune:mo-rea": Row(refused=PRIORS, settings=SHIPPED),
    "syne-tune:mo-rea-shipped": few(150, AS_REA, PRIORS),
    "syne-tune:tpe": fit(20),
    "syne-tune:bore": fit(3),
    "syne-tune:cqr": fit(3),
    "syne-tune:botorch": fit(1, past=20),
    "syne-tune:ehvi": Row((1, 0, 1), PRIORS, past=20, own=2, why=FIT + HUNDRED),
    "syne-tune:ehvi-shipped": Row((1, 0, 1), PRIORS, past=20, own=2, why=FIT + HUNDRED),
    "syne-tune:asha": few(200, AS_RANDOM, PRIORS),
    "syne-tune:moasha": few(200, AS_RANDOM, PRIORS),
    "syne-tune:moasha-shipped": few(200, AS_RANDOM, PRIORS),
    "syne-tune:bohb": fit(20),
    "syne-tune:asha-bore": fit(3),
    "syne-tune:asha-cqr": fit(3),
    "asha": few(150, AROUND),
    "hyperband": few(150, AROUND),
    "synchronous-halving": few(150, AROUND),
    "synchronous-hyperband": few(150, AROUND),
    "gradient:darts": few(0, ROUNDS, NUMBERS),
    "gradient:drnas": few(0, ROUNDS, NUMBERS),
    "gradient:gdas": few(0, ROUNDS, NUMBERS),
    "gradient:uniform": few(0, ROUNDS, NUMBERS),
}


def row(name):
    return ROWS.get(name, few(NEW, "no row yet"))


def expressible(name, space_name):
    """The space, without what the searcher refuses."""
    refusal = row(name).refused.get(space_name)
    return NASTY[space_name]() if refusal is None else refusal.instead(NASTY[space_name]())


def make(name, space):
    toy = gradient_runs.searcher()
    needs = {"supernet": toy.supernet, "data": toy.data} if name.startswith("gradient:") else {}
    return registry.create(name, space, **needs, **row(name).settings)


@functools.cache
def past(space_json, metrics, count):
    """Records of random search, made once: they are any searcher's past."""
    space = configs.space_from_json(space_json)
    return drive(RandomSearcher(space), space, METRICS[:metrics], count, 11, (), FIDELITY)


def begun(searcher, count, own, seed):
    """A past of others and of its own, some trials of others not finished; one metric or two."""
    for metrics in (1, 2):
        base = past(configs.space_to_json(searcher.space), metrics, count)
        with contextlib.suppress(UnsupportedObjectives):
            drawn = drive(searcher, searcher.space, base.metrics, own, seed, base.records, FIDELITY)
            drawn = dataclasses.replace(drawn, cache=Cache())
            pending = [dataclasses.replace(r, status="running") for r in strangers(drawn, 2)]
            drawn = dataclasses.replace(drawn, pending=pending, fidelity=FIDELITY)
            searcher.propose(drawn, len(drawn.records))
            return drawn
    raise AssertionError("it optimises neither one metric nor two")


def proposals(searcher, count, of):
    """`count` configurations: rounds of a seed each, first with a growing record, then without."""
    for seed in range(11, 11 + -(-count // ROUND)):
        wanted = min(ROUND, count - (seed - 11) * ROUND)
        history = begun(searcher, of.past, min(of.own, wanted), seed)
        grown = history.records[of.past :]
        yield from (record.configuration for record in grown)
        first = of.past + len(grown)
        for number in range(first, of.past + wanted):
            yield searcher.propose(history, number).configuration


def check(space, configuration):
    """Legal by ConfigSpace's own word, exact in types and active set, the same after JSON."""
    values = configs.to_dict(configuration)
    slots = layout(space).slots
    for key, value in values.items():
        assert isinstance(value, None | bool | int | float | str)
        slot = slots[key]
        if slot.options is None:
            assert type(value) is (int if slot.whole else float)
            assert slot.lower <= value <= slot.upper
        else:
            assert [type(value)] == [type(option) for option in slot.options if option == value]
    with contextlib.redirect_stdout(io.StringIO()):  # ConfigSpace prints some clauses' vectors
        again = Configuration(space, values=values)
    assert set(values) == space.get_active_hyperparameters(again)
    text = json.dumps(values)
    back = configs.from_dict(space, json.loads(text))
    assert json.dumps(configs.to_dict(back)) == text
    assert configs.digest(back) == configs.digest(configuration)


def check_proposals(name, space_name, count):
    space = expressible(name, space_name)
    searcher, found = make(name, space), 0
    for configuration in proposals(searcher, count, row(name)):
        check(space, configuration)
        found += 1
    assert found >= count


CASES = [(name, space) for name in sorted(variants()) for space in NASTY]
LARGE = [case for case in CASES if row(case[0]).count(case[1]) >= 200]
FINITE = [(sampler, space) for sampler in ("darts", "drnas", "gdas") for space in NASTY]


@pytest.mark.parametrize(("name", "space_name"), CASES)
def test_a_searcher_refuses_what_it_cannot_express_and_nothing_else(name, space_name):
    refusal = row(name).refused.get(space_name)
    make(name, expressible(name, space_name))
    if refusal is None:
        return
    with pytest.raises(UnsupportedSpace, match=refusal.feature) as caught:
        make(name, space := NASTY[space_name]())
    assert any(repr(key) in str(caught.value) for key in space)
    assert caught.match("use|make|fix")


@pytest.mark.parametrize(("name", "space_name"), LARGE)
def test_thirty_proposals_are_faithful(name, space_name):
    check_proposals(name, space_name, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "space_name"), CASES)
def test_all_proposals_are_faithful(name, space_name):
    check_proposals(name, space_name, row(name).count(space_name))


def check_decoding(sampler, space_name, count):
    """Legal configurations, whatever the logits; ties and certainties among them."""
    space, used = finite(NASTY[space_name]()), by_name(sampler)
    with torch.random.fork_rng():
        for number in range(count):
            torch.manual_seed(seeds.derive("decoding", number))
            relaxation = Relaxation(space)
            for logits in relaxation.logits:
                logits.data *= (0.0, 1.0, 1e3, 2e4)[number % 4]
            check(space, relaxation.mode(used))
            hard = {
                name: torch.eye(len(weights.values))[weights.values.argmax()].tolist()
                for name, weights in relaxation.sample(used, number / count).items()
            }
            check(space, most_probable(space, hard))


@pytest.mark.parametrize(("sampler", "space_name"), FINITE)
def test_ten_logits_are_decoded_faithfully(sampler, space_name):
    check_decoding(sampler, space_name, 10)


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "space_name"), FINITE)
def test_all_logits_are_decoded_faithfully(sampler, space_name):
    check_decoding(sampler, space_name, 340)


def test_gradient_searchers_refuse_weights_which_they_would_ignore():
    space = cs.ConfigurationSpace()
    space.add(cs.Categorical("op", ["a", "b"], weights=[0.1, 0.9]))
    for name in registry.load("searcher", "gradient").variants:
        with pytest.raises(UnsupportedSpace, match="'op' has weights, which gradient:"):
            make(f"gradient:{name}", space)


def test_every_searcher_has_a_row():
    assert set(ROWS) == set(variants())
