"""The contract catches searchers that break it, each in the test that is meant to."""

import inspect
import random
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.errors import UnsupportedSpace
from automl_nas.searchers.base import require_unmeasured
from automl_nas.testing import SearcherContract, cell_space, tiny_space
from automl_nas.testing.searchers import _driven
from automl_nas.types import Proposal

CALLS = []


@dataclass(frozen=True)
class Base:
    """A sound searcher to break: a mutation of the best record, or a random configuration."""

    space: ConfigurationSpace
    name: ClassVar[str] = "sound"
    packages: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        configs.check_space(self.space)

    def propose(self, history, number):
        require_unmeasured(self.space, history)
        rng = seeds.rng(self.name, history.seed, self.key(history, number))
        records = self.records(history)
        if len(records) < 3:
            return Proposal(configs.sample(self.space, rng))
        best = min(records, key=lambda record: self.rank(history, record))
        return Proposal(configs.mutate(configs.adopt(self.space, best.configuration), rng))

    def key(self, history, number):
        return number

    def records(self, history):
        return history.selectable()

    def rank(self, history, record):
        return history.losses(record)


class GlobalRandom(Base):
    def key(self, history, number):
        return random.randrange(10**6)


class SeededGlobalRandom(Base):
    def key(self, history, number):
        np.random.seed(number)  # noqa: NPY002
        return int(np.random.randint(10**6))  # noqa: NPY002


class Clock(Base):
    def key(self, history, number):
        return time.time_ns()


class Seconds(Base):
    """The quickest of the better half."""

    def rank(self, history, record):
        return record.evaluate_seconds, record.ask_seconds, history.losses(record)


class Cost(Base):
    def rank(self, history, record):
        return record.cost.seconds


class StringHash(Base):
    def key(self, history, number):
        return hash(f"{number}") % 10**6


class SetOrder(Base):
    def records(self, history):
        found = {record.digest: record for record in history.selectable()}
        return [found[key] for key in set(found)]

    def rank(self, history, record):
        return 0


class Counter(Base):
    """Keeps how often it was asked."""

    def key(self, history, number):
        asked = self.__dict__.get("asked", 0)
        object.__setattr__(self, "asked", asked + 1)
        return asked


class Memory(Base):
    """Keeps what it said for a number."""

    def propose(self, history, number):
        kept = self.__dict__.setdefault("kept", {})
        if number not in kept:
            kept[number] = super().propose(history, number)
        return kept[number]


class ClassMemory(Base):
    def key(self, history, number):
        CALLS.append(number)
        return len(CALLS)


class StaleCache(Base):
    """Trusts the cache by the number alone."""

    def propose(self, history, number):
        kept = history.cache.memory
        if number not in kept:
            kept[number] = super().propose(history, number)
        return kept[number]


class StaleFile(Base):
    def rank(self, history, record):
        if history.cache.folder is None:
            return history.losses(record)
        history.cache.folder.mkdir(parents=True, exist_ok=True)
        file = history.cache.folder / f"{record.number}"
        if not file.exists():
            file.write_text(str(history.losses(record)[0]))
        return float(file.read_text())


class LearnsFromAudits(Base):
    def records(self, history):
        return [r for r in history.records if r.status == "complete" and r.fidelity is None]


class CountsAudits(Base):
    """Uses no value of an audit, but its being there."""

    def key(self, history, number):
        return sum(record.audit for record in history.records)


class LearnsFromLowFidelity(Base):
    def records(self, history):
        return [r for r in history.records if r.status == "complete" and not r.audit]


class IgnoresNumber(Base):
    def key(self, history, number):
        return len(history.records)


class NeverEnds(Base):
    def propose(self, history, number):
        return Proposal(configs.sample(self.space, seeds.rng("endless", history.seed, number)))


class Sorts(Base):
    """Leaves the record in another order."""

    def records(self, history):
        history.records.sort(key=lambda record: record.digest)
        return history.selectable()


class OwnSpaceOnly(Base):
    def propose(self, history, number):
        others = [r for r in history.records if r.configuration.config_space is not self.space]
        found = super().propose(history, number)
        return replace(found, attrs={"foreign": len(others)})


class NotJson(Base):
    def propose(self, history, number):
        return replace(super().propose(history, number), attrs={1: "a key that JSON turns"})


class RefusesLate(Base):
    def propose(self, history, number):
        raise UnsupportedSpace("found out late")


class ExpressesNothing(Base):
    def __post_init__(self):
        raise UnsupportedSpace("never")


class ChargesReplays(Base):
    """Charges more when nothing is cached."""

    def propose(self, history, number):
        flops = 1.0 if history.cache.memory else 2.0
        history.cache.memory["warm"] = True
        return replace(super().propose(history, number), training_flops=flops)


CAUGHT = {
    GlobalRandom: "two_drives_agree",
    SeededGlobalRandom: "leaves_what_is_not_its_own_alone",
    Clock: "two_drives_agree",
    Seconds: "ignores_measured_seconds",
    Cost: "ignores_measured_seconds",
    StringHash: "same_proposal_in_a_new_process",
    SetOrder: "same_proposal_in_a_new_process",
    Counter: "same_proposal_with_and_without_cache",
    Memory: "same_proposal_with_and_without_cache",
    ClassMemory: "two_drives_agree",
    StaleCache: "same_proposal_with_and_without_cache",
    StaleFile: "same_proposal_with_and_without_cache",
    LearnsFromAudits: "accepts_records_of_others_and_ignores_audits",
    CountsAudits: "accepts_records_of_others_and_ignores_audits",
    LearnsFromLowFidelity: "accepts_records_of_others_and_ignores_audits",
    IgnoresNumber: "proposals_abreast_are_not_all_the_same",
    NeverEnds: "an_exhausted_space_ends_the_search",
    Sorts: "leaves_what_is_not_its_own_alone",
    OwnSpaceOnly: "records_may_belong_to_an_equal_copy_of_the_space",
    NotJson: "proposals_are_legal_and_their_attrs_json",
    RefusesLate: "two_drives_agree",
    ExpressesNothing: "is_a_frozen_recipe_with_a_name_and_packages",
    ChargesReplays: "same_proposal_with_and_without_cache",
}


def contract(kind):
    """A contract class that the other process finds in this file by its name."""

    class Contract(SearcherContract):
        spaces: ClassVar = {"cell": cell_space, "tiny": tiny_space}

        def make(self, space):
            return kind(space)

    Contract.__qualname__ = f"{kind.__name__}Contract"
    return Contract


CONTRACTS = {kind: contract(kind) for kind in (Base, *CAUGHT)}
globals().update({made.__qualname__: made for made in CONTRACTS.values()})


class Params:
    """As much of pytest's request as the contract asks for."""

    def __init__(self, space):
        self.node = self
        self.callspec = self
        self.params = {"driven": space}


def run(kind, name, tmp_path, monkeypatch):
    """One test of the contract on the cell space."""
    made = CONTRACTS[kind]()
    test = getattr(made, f"test_{name}")
    given = {"tmp_path": tmp_path, "monkeypatch": monkeypatch, "request": Params("cell")}
    wanted = inspect.signature(test).parameters
    if "driven" in wanted:
        given["driven"] = _driven(made, "cell")
    test(**{key: value for key, value in given.items() if key in wanted})


@pytest.mark.parametrize("kind", CAUGHT)
def test_a_broken_searcher_is_caught(kind, tmp_path, monkeypatch):
    with pytest.raises(AssertionError):
        run(kind, CAUGHT[kind], tmp_path, monkeypatch)


class TestSound(SearcherContract):
    """What is broken above is sound as it stands."""

    def make(self, space):
        return Base(space)


def test_every_test_of_the_contract_has_a_searcher_that_fails_it():
    tests = {name for name in dir(SearcherContract) if name.startswith("test_")}
    unbroken = {"test_starts_from_records_of_others_alone"}  # its failures are exceptions
    assert {f"test_{name}" for name in CAUGHT.values()} == tests - unbroken
