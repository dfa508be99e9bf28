"""The contract of a searcher as a pytest class; see `automl_nas.testing`."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import inspect
import json
import logging
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from automl_nas import configs, identity
from automl_nas.errors import UnsupportedSpace
from automl_nas.searchers.base import Searcher
from automl_nas.testing import process
from automl_nas.testing.driver import answer, drive, slowed, strangers, turned, unlike
from automl_nas.testing.spaces import SPACES
from automl_nas.types import Cache, Fidelity, History, Metric, Proposal, Record

_DRIVEN: dict[tuple[str, str], History] = {}
_SMALL = 64
"""Configurations of a space that is measured completely."""
_ABREAST = 6
"""Trials that are opened before any of them ends."""


def _driven(contract: SearcherContract, name: str) -> History:
    """Made once per contract class and space; raises UnsupportedSpace only from `make`."""
    key = (f"{type(contract).__module__}.{type(contract).__qualname__}", name)
    if key not in _DRIVEN:
        space = contract.spaces[name]()
        searcher = contract.make(space)
        try:
            _DRIVEN[key] = contract.drive(searcher, space, contract.budget, seed=3)
        except UnsupportedSpace as late:
            raise AssertionError("UnsupportedSpace must be raised when it is made") from late
    return dataclasses.replace(_DRIVEN[key], cache=Cache())


class SearcherContract:
    """What every searcher must hold; subclass it and define `make`."""

    metrics: ClassVar[Sequence[Metric]] = (Metric("loss"),)
    """Metrics that are optimised."""
    budget: ClassVar[int] = 24
    """Records per driven history, fewer where the searcher ends earlier."""
    spaces: ClassVar[Mapping[str, Callable[[], ConfigurationSpace]]] = SPACES
    """Name -> space, made anew by each call. Give your own where a searcher knows only them."""
    fidelity: ClassVar[Fidelity | None] = None
    """What the objective can measure cheaper; a searcher of several fidelities needs one."""
    learns_from_low_fidelity: ClassVar[bool] = False
    """Whether values at low fidelity may influence proposals."""
    patience: ClassVar[int] = 50
    """Proposals after which a search of a fully measured space must have ended."""

    def make(self, space: ConfigurationSpace) -> Searcher:
        """The searcher under test; raises UnsupportedSpace where it cannot express the space."""
        raise NotImplementedError

    def drive(
        self,
        searcher: Searcher,
        space: ConfigurationSpace,
        n: int,
        seed: int,
        records: Sequence[Record] = (),
    ) -> History:
        """`automl_nas.testing.drive` on the contract's metrics and fidelity."""
        return drive(searcher, space, self.metrics, n, seed, records, self.fidelity)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Every test of a driven history, once for each space."""
        if "driven" in metafunc.fixturenames:
            metafunc.parametrize("driven", sorted(self.spaces), indirect=True)

    @pytest.fixture
    def driven(self, request: pytest.FixtureRequest) -> History:
        """A history that the searcher made by itself; skips a space it cannot express."""
        try:
            return _driven(self, request.param)
        except UnsupportedSpace as reason:
            assert str(reason)
            pytest.skip(f"cannot express the space: {reason}")

    def test_is_a_frozen_recipe_with_a_name_and_packages(self) -> None:
        """Equal recipes have equal descriptions, and nothing about them can be set."""
        makers = self._expressible()
        assert makers, "it can express none of the contract's spaces"
        searcher, other = (self.make(makers[0]()) for _ in range(2))
        assert isinstance(searcher, Searcher)
        assert searcher.name == other.name != ""
        assert all(importlib.metadata.version(package) for package in searcher.packages)
        text = json.dumps(identity.describe(searcher), sort_keys=True)
        assert text == json.dumps(identity.describe(other), sort_keys=True)
        first = dataclasses.fields(searcher)[0].name  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(searcher, first, None)

    def test_proposals_are_legal_and_their_attrs_json(self, driven: History) -> None:
        """Configurations survive JSON unchanged, as do the notes."""
        assert driven.records
        for case in self._cases(driven):
            proposal = self._propose(self.make(driven.space), case)
            attrs = {} if proposal is None else proposal.attrs
            assert json.loads(json.dumps(dict(attrs))) == attrs
        for record in driven.records:
            again = configs.from_dict(driven.space, configs.to_dict(record.configuration))
            assert configs.digest(again) == record.digest

    def test_two_drives_agree(self, driven: History) -> None:
        """A second run from nothing proposes the same."""
        again = self.drive(self.make(driven.space), driven.space, 6, driven.seed)
        expected = [configs.to_dict(record.configuration) for record in driven.records[:6]]
        assert [configs.to_dict(record.configuration) for record in again.records] == expected

    def test_same_proposal_with_and_without_cache(self, driven: History, tmp_path: Path) -> None:
        """Warm, asked again the other way round, from files alone, and cold: one proposal.

        The cache outlives changes of the record: other values, another seed.
        """
        searcher, cache = self.make(driven.space), Cache(tmp_path / "study")
        cases = self._cases(driven)

        def ask(case: History, known: Cache) -> Any:
            return self._ask(searcher, dataclasses.replace(case, cache=known))

        cold = [self._ask(self.make(driven.space), case) for case in cases]
        assert [ask(case, cache) for case in cases] == cold
        assert [ask(case, cache) for case in reversed(cases)] == cold[::-1]
        if cache.folder is not None and cache.folder.exists():
            assert [ask(case, Cache(cache.folder)) for case in cases] == cold

    def test_same_proposal_in_a_new_process(self, tmp_path: Path) -> None:
        """Another process, another PYTHONHASHSEED: the same proposals."""
        cases: list[dict[str, Any]] = []
        expected: list[Any] = []
        for name in self.spaces:
            try:
                history = _driven(self, name)
            except UnsupportedSpace:
                continue
            for case in self._cases(history):
                expected.append(self._ask(self.make(history.space), case))
                cases.append({"space": name, "history": process.dump(case)})
        assert self._in_new_process(cases, tmp_path) == expected

    def test_records_may_belong_to_an_equal_copy_of_the_space(
        self, driven: History, request: pytest.FixtureRequest
    ) -> None:
        """A reopened study has a space of its own."""
        name = request.node.callspec.params["driven"]
        history = self._part(driven)
        copied = process.load(process.dump(history), self.spaces[name]())
        searcher = self.make(driven.space)
        assert self._ask(searcher, copied) == self._ask(searcher, history)

    def test_accepts_records_of_others_and_ignores_audits(self, driven: History) -> None:
        """Values of audits and (unless it learns from them) low fidelities, and audits as such."""
        part = self._part(driven)
        mixed = dataclasses.replace(part, records=[*part.records, *strangers(part, 16)])
        searcher, number = self.make(driven.space), len(mixed.records)
        expected, learns = self._ask(searcher, mixed), self.learns_from_low_fidelity
        for loss in (-1e6, 1e6):
            changed = [
                unlike(record, mixed.metrics, loss)
                if record.audit or (record.fidelity is not None and not learns)
                else record
                for record in mixed.records
            ]
            other = dataclasses.replace(mixed, records=changed, cache=Cache())
            assert self._ask(searcher, other) == expected
        kept = [r for r in mixed.records if not r.audit or r.searcher == searcher.name]
        without = dataclasses.replace(mixed, records=kept, cache=Cache())
        assert self._ask(searcher, without, number) == expected

    def test_starts_from_records_of_others_alone(self, driven: History) -> None:
        """A warm start: others have measured, this searcher has not."""
        empty = dataclasses.replace(driven, records=[])
        others = dataclasses.replace(empty, records=strangers(empty, 12))
        proposal = self._ask(self.make(driven.space), others)
        if proposal is not None:
            assert configs.legal(driven.space, proposal["configuration"]) is not None

    def test_proposals_abreast_are_not_all_the_same(self, driven: History) -> None:
        """Trials under way have no values; number or pending trials tell proposals apart."""
        history, searcher = self._part(driven), self.make(driven.space)
        first = len(history.records)
        proposals: list[Any] = []
        pending: list[Record] = []
        for number in range(first, first + _ABREAST):
            now = dataclasses.replace(history, pending=pending)
            proposal = self._ask(searcher, now, number)
            if proposal is None:
                return
            proposals.append(proposal)
            configuration = configs.from_dict(driven.space, proposal["configuration"])
            known = {name: proposal[name] for name in ("fidelity", "parent", "attrs")}
            pending = [*pending, Record(number, configuration, searcher.name, **known)]
        assert any(proposal != proposals[0] for proposal in proposals)

    def test_ignores_measured_seconds(self, driven: History) -> None:
        """Seconds differ from run to run and must not influence the proposal."""
        searcher = self.make(driven.space)
        for history in (self._part(driven), driven):
            other = dataclasses.replace(history, records=slowed(history.records), cache=Cache())
            assert self._ask(searcher, history) == self._ask(searcher, other)

    def test_leaves_what_is_not_its_own_alone(
        self, driven: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The history, what is global to the process, and the working directory are as before."""
        part, searcher = self._part(driven), self.make(driven.space)
        history = dataclasses.replace(part, records=list(reversed(part.records)))
        record = process.dump(history)
        self._ask(searcher, history)  # engines may import what they need
        monkeypatch.chdir(tmp_path)
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002 - the global state is what is watched
        before = _globals()
        self._ask(searcher, dataclasses.replace(history, cache=Cache()))
        assert _globals() == before
        assert process.dump(history) == record
        assert list(tmp_path.iterdir()) == []

    def test_an_exhausted_space_ends_the_search(self) -> None:
        """SpaceExhausted or None, never an endless run."""
        for make in self._expressible():
            space = make()
            if (size := configs.count(space, _SMALL)) is None or size > _SMALL:
                continue
            empty = History(space, tuple(self.metrics), 0)
            records = [
                answer(empty, "stranger", number, Proposal(configuration))
                for number, configuration in enumerate(configs.enumerate_space(space))
            ]
            after = self.drive(self.make(space), space, self.patience, 0, records)
            assert len(after.records) < len(records) + self.patience

    def _expressible(self) -> list[Callable[[], ConfigurationSpace]]:
        found = []
        for make in self.spaces.values():
            try:
                self.make(make())
            except UnsupportedSpace:
                continue
            found.append(make)
        return found

    def _ask(self, searcher: Searcher, history: History, number: int | None = None) -> Any:
        """The proposal as JSON; None where the search has ended."""
        return process.plain(self._propose(searcher, history, number))

    def _propose(
        self, searcher: Searcher, history: History, number: int | None = None
    ) -> Proposal | None:
        return process.ask(searcher, history, len(history.records) if number is None else number)

    def _part(self, history: History) -> History:
        """The first two thirds, where even a searcher that has ended had something to say."""
        end = 2 * len(history.records) // 3
        return dataclasses.replace(history, records=history.records[:end], cache=Cache())

    def _cases(self, history: History) -> list[History]:
        """Parts of a history, one with other values or another seed; each with an empty cache."""
        records, part = history.records, self._part(history).records
        changes: list[dict[str, Any]] = [
            {"records": records[:0]},
            {"records": records[:3]},
            {"records": part},
            {"records": turned(part)},
            {"records": part, "seed": history.seed + 1},
            {"records": records},
            {"records": [*records, *strangers(history)]},
        ]
        return [dataclasses.replace(history, cache=Cache(), **change) for change in changes]

    def _in_new_process(self, cases: Sequence[Mapping[str, Any]], folder: Path) -> list[Any]:
        contract = type(self)
        job = {
            "file": inspect.getfile(contract),
            "module": contract.__module__,
            "contract": contract.__qualname__,
            "cases": list(cases),
        }
        (folder / "job.json").write_text(json.dumps(job))
        hash_seed = "7" if os.environ.get("PYTHONHASHSEED") != "7" else "8"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run(
            [sys.executable, "-m", "automl_nas.testing.process", str(folder)],
            env={**environment, "PYTHONHASHSEED": hash_seed},
            check=True,
            timeout=400,
        )
        answers: list[Any] = json.loads((folder / "answers.json").read_text())
        return answers


def _globals() -> list[Any]:
    """What belongs to the whole process."""
    root = logging.getLogger()
    legacy = str(np.random.get_state())  # noqa: NPY002
    found = [random.getstate(), legacy, list(root.handlers), root.level]
    found += [list(warnings.filters), dict(os.environ)]
    if (torch := sys.modules.get("torch")) is not None:
        found += [torch.get_rng_state().tolist(), torch.get_num_threads()]
        found += [torch.is_grad_enabled(), torch.get_default_dtype()]
    return found
