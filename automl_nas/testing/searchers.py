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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from automl_nas import configs, identity
from automl_nas.errors import SpaceExhausted, UnsupportedSpace
from automl_nas.searchers.base import Searcher
from automl_nas.testing import process
from automl_nas.testing.driver import answer, drive, strangers
from automl_nas.testing.spaces import SPACES, cell_space, tiny_space
from automl_nas.types import Cache, Cost, History, Metric, Proposal, Record

_DRIVEN: dict[tuple[str, str], History] = {}


def _driven(contract: SearcherContract, name: str) -> History:
    """Made once per contract class and space."""
    key = (f"{type(contract).__module__}.{type(contract).__qualname__}", name)
    if key not in _DRIVEN:
        space = SPACES[name]()
        searcher = contract.make(space)
        _DRIVEN[key] = drive(searcher, space, contract.metrics, contract.budget, seed=3)
    return dataclasses.replace(_DRIVEN[key], cache=Cache())


def _same(left: Proposal | None, right: Proposal | None) -> bool:
    return bool(process.plain(left) == process.plain(right))


class SearcherContract:
    """What every searcher must hold; subclass it and define `make`."""

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("loss"),)
    """Metrics that are optimised."""
    budget: ClassVar[int] = 24
    """Records per driven history."""
    spaces: ClassVar[tuple[str, ...]] = tuple(SPACES)
    """Names in `automl_nas.testing.SPACES`; leave one out where it takes too long."""
    patience: ClassVar[int] = 50
    """Proposals after which a search of a fully measured space must have ended."""

    def make(self, space: ConfigurationSpace) -> Searcher:
        """The searcher under test; raises UnsupportedSpace where it cannot express the space."""
        raise NotImplementedError

    @pytest.fixture(params=sorted(SPACES))
    def driven(self, request: pytest.FixtureRequest) -> History:
        """A history that the searcher made by itself; skips a space it cannot express."""
        if request.param not in self.spaces:
            pytest.skip("left out by the contract class")
        try:
            return _driven(self, request.param)
        except UnsupportedSpace as reason:
            assert str(reason)
            pytest.skip(f"cannot express the space: {reason}")

    def test_is_a_frozen_recipe_with_a_name_and_packages(self) -> None:
        """Equal recipes have equal descriptions, and nothing about them can be set."""
        searcher = self._searcher(cell_space())
        assert isinstance(searcher, Searcher)
        assert searcher.name == self.make(cell_space()).name != ""
        assert all(importlib.metadata.version(package) for package in searcher.packages)
        text = json.dumps(identity.describe(searcher), sort_keys=True)
        assert text == json.dumps(identity.describe(self.make(cell_space())), sort_keys=True)
        first = dataclasses.fields(searcher)[0].name  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(searcher, first, None)

    def test_proposals_are_legal_and_their_attrs_json(self, driven: History) -> None:
        """Configurations survive JSON unchanged, as do the notes."""
        assert driven.records
        for record in driven.records:
            again = configs.from_dict(driven.space, configs.to_dict(record.configuration))
            assert configs.digest(again) == configs.digest(record.configuration)
            assert json.loads(json.dumps(dict(record.attrs))) == record.attrs

    def test_two_drives_agree(self, driven: History) -> None:
        """A second run from nothing proposes the same."""
        again = drive(self.make(driven.space), driven.space, self.metrics, 6, driven.seed)
        expected = [configs.to_dict(record.configuration) for record in driven.records[:6]]
        assert [configs.to_dict(record.configuration) for record in again.records] == expected

    def test_same_proposal_with_and_without_cache(self, driven: History) -> None:
        """Warm, asked again, and cold: one proposal."""
        searcher = self.make(driven.space)
        warm = [self._ask(searcher, case) for case in self._cases(driven)]
        again = [self._ask(searcher, case) for case in self._cases(driven)]
        cold = [
            self._ask(self.make(driven.space), dataclasses.replace(case, cache=Cache()))
            for case in self._cases(driven)
        ]
        assert all(map(_same, warm, again))
        assert all(map(_same, warm, cold))

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
                proposal = self._ask(self.make(history.space), case)
                expected.append(process.plain(proposal))
                cases.append({"space": name, "history": process.dump(case)})
        assert self._in_new_process(cases, tmp_path) == expected

    def test_accepts_records_of_others_and_ignores_audits(self, driven: History) -> None:
        """Audits and low fidelities must not influence the proposal."""
        foreign = strangers(driven)
        mixed = dataclasses.replace(driven, records=[*driven.records, *foreign], cache=Cache())
        proposal = self._ask(self.make(driven.space), mixed)
        records = [
            dataclasses.replace(r, values={k: 1e6 * v - 1 for k, v in r.values.items()})
            if r.audit or r.fidelity is not None
            else r
            for r in mixed.records
        ]
        other = dataclasses.replace(mixed, records=records, cache=Cache())
        assert _same(proposal, self._ask(self.make(driven.space), other))

    def test_starts_from_records_of_others_alone(self, driven: History) -> None:
        """A warm start: others have measured, this searcher has not."""
        empty = dataclasses.replace(driven, records=[], cache=Cache())
        others = dataclasses.replace(empty, records=strangers(empty, 12))
        proposal = self._ask(self.make(driven.space), others)
        if proposal is not None:
            values = configs.to_dict(proposal.configuration)
            assert configs.legal(driven.space, values) is not None

    def test_accepts_pending_trials(self, driven: History) -> None:
        """Trials under way have no values."""
        running = [
            Record(r.number + 100, r.configuration, "stranger") for r in strangers(driven, 3)
        ]
        self._ask(self.make(driven.space), dataclasses.replace(driven, pending=running))

    def test_ignores_measured_seconds(self, driven: History) -> None:
        """Seconds differ from run to run and must not influence the proposal."""
        slow: Mapping[str, Any] = {
            "ask_seconds": 9.0,
            "setup_seconds": 9.0,
            "evaluate_seconds": 9.0,
            "cost": Cost(1, 0.0, 0.0, 27.0),
        }
        records = [dataclasses.replace(record, **slow) for record in driven.records]
        slowed = dataclasses.replace(driven, records=records, cache=Cache())
        fast = dataclasses.replace(driven, cache=Cache())
        searcher = self.make(driven.space)
        assert _same(self._ask(searcher, fast), self._ask(searcher, slowed))

    def test_leaves_generators_logging_and_folder_alone(
        self, driven: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is global to the process, and the working directory, are as before."""
        monkeypatch.chdir(tmp_path)
        root = logging.getLogger()
        before = (list(root.handlers), root.level)
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002 - the global state is what is watched
        states = random.getstate(), str(np.random.get_state())  # noqa: NPY002
        self._ask(self.make(driven.space), dataclasses.replace(driven, cache=Cache()))
        assert (random.getstate(), str(np.random.get_state())) == states  # noqa: NPY002
        assert (list(root.handlers), root.level) == before
        assert list(tmp_path.iterdir()) == []

    def test_an_exhausted_space_ends_the_search(self) -> None:
        """SpaceExhausted or None, never an endless run."""
        space = tiny_space()
        searcher = self._searcher(space)
        empty = History(space, self.metrics, 0)
        records: list[Record] = []
        for number, configuration in enumerate(configs.enumerate_space(space)):
            records.append(answer(empty, "stranger", number, Proposal(configuration)))
        after = drive(searcher, space, self.metrics, self.patience, 0, records)
        assert len(after.records) < len(records) + self.patience

    def _searcher(self, space: ConfigurationSpace) -> Searcher:
        try:
            return self.make(space)
        except UnsupportedSpace as reason:
            pytest.skip(f"cannot express the space: {reason}")

    def _ask(self, searcher: Searcher, history: History) -> Proposal | None:
        try:
            return searcher.propose(history, len(history.records))
        except SpaceExhausted:
            return None

    def _cases(self, history: History) -> list[History]:
        """Prefixes of a history, its end mixed with records of others."""
        total = len(history.records)
        ends = sorted({0, min(3, total), total // 2, total})
        cases = [dataclasses.replace(history, records=history.records[:end]) for end in ends]
        mixed = [*history.records, *strangers(history)]
        return [*cases, dataclasses.replace(history, records=mixed)]

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
