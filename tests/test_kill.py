"""`kill -9` at every write of a run, then the same command: the records must not show it."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from ConfigSpace import ConfigurationSpace
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine.default import DefaultDialect

from automl_nas import (
    Budget,
    Fidelity,
    Measurement,
    Metric,
    Proposal,
    Study,
    configs,
    journal,
    load,
    proposing,
    report,
    seeds,
    storages,
)
from automl_nas.errors import StorageError, TooManyFailures


class Killed(BaseException):
    """The end of a process: nothing catches it."""


class Killer:
    """Lets the storages write `left` times and never again; None: for ever."""

    def __init__(self, monkeypatch):
        self.left = None
        append, commit = JournalFileBackend.append_logs, DefaultDialect.do_commit

        def append_or_die(backend, logs):
            if self.last() and len(logs):  # the first bytes of a line get written
                with Path(backend._file_path).open("ab") as file:
                    file.write(b'{"op_code":4,"worker')
            self.count()
            append(backend, logs)

        def commit_or_die(dialect, connection):
            if connection.in_transaction:
                self.count()
            commit(dialect, connection)

        monkeypatch.setattr(JournalFileBackend, "append_logs", append_or_die)
        monkeypatch.setattr(DefaultDialect, "do_commit", commit_or_die)

    def last(self):
        return self.left == 0

    def count(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    def run(self, make, url, writes=None):
        """A new process; True: it was killed."""
        self.left = writes
        try:
            make().run(url)
        except Killed:
            return True
        finally:
            self.left = None
        return False


@pytest.fixture
def killer(monkeypatch):
    monkeypatch.setattr(proposing, "_NUDGE_AFTER", 2)
    return Killer(monkeypatch)


@dataclass(frozen=True)
class Everything:
    """Low and full fidelities, audits, duplicates, nudges; configurations depend on the history."""

    space: ConfigurationSpace
    name: ClassVar[str] = "everything"
    packages: ClassVar[tuple[str, ...]] = ()

    def propose(self, history, number):
        seen = sum(r.cost.training_flops + sum(history.losses(r)) for r in history.selectable())
        new = configs.sample(self.space, seeds.rng("everything", history.seed, number, str(seen)))
        first = history.records[0].configuration
        steps = [
            Proposal(new, fidelity=2, attrs={"note": (1, 2)}),
            Proposal(new, audit=True, training_flops=10.0),
            Proposal(first),
            Proposal(first),
            Proposal(first),
            Proposal(new, parent=1, fidelity=8),
        ]
        own = history.own(self.name)
        return steps[own] if own < len(steps) else None


@dataclass(frozen=True)
class Objective:
    """Two metrics and one only recorded; fails for some configurations."""

    metrics: tuple[Metric, ...] = (Metric("error"), Metric("score", "max"), Metric("other"))
    fidelity: ClassVar[Fidelity] = Fidelity("epochs", 8)
    full_training_flops: float | None = 100.0
    packages: tuple[str, ...] = ()
    name: str = "objective"

    def __call__(self, configuration, fidelity, trial):
        trial.report(1, {"error": 1.0})
        if configuration["optimizer"] == "adam":
            raise RuntimeError("does not converge")
        error = configuration["width"] / 64 + (fidelity or 0)
        values = {"error": error, "score": -error, "other": float("inf")}
        return Measurement(values, training_flops=100.0 * (fidelity or 8) / 8)


def everything(space, optimize):
    initial = [configs.sample(space, seeds.rng("initial", i)) for i in range(2)]
    return Study(
        space, Objective(), Everything(space), budget=Budget(trials=9), optimize=optimize,
        initial=initial, name="s",
    )  # fmt: skip


def shown(url):
    """Everything that a storage shows, without seconds, times and notes of interruptions."""
    (stored,) = load(url)
    study_id = (storage := storages.open_storage(url)).get_study_id_from_name("s")
    trials = [
        (t.number, t.state.name, t.values, t.params, t.intermediate_values, t.distributions,
         t.user_attrs["measurement"]["curve"])
        for t in storage.get_all_trials(study_id)
    ]  # fmt: skip
    storage.remove_session()
    records = [
        (r.number, r.order, r.status, str(r.values), r.fidelity, r.parent, r.attrs, r.audit,
         configs.to_dict(r.configuration), r.duplicate_of, r.cost.evaluations, r.failure,
         r.cost.training_flops, r.search_flops)
        for r in stored.records
    ]  # fmt: skip
    return records, trials, report.as_plain(report.summary([stored]), seconds=False)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["sqlite:///{}.db", "journal:{}.log"])
@pytest.mark.parametrize("optimize", [["error"], ["error", "score"]])
def test_killed_at_every_write(space, tmp_path, killer, scheme, optimize):
    def make():
        return everything(space, optimize)

    storages.open_storage(f"sqlite:///{(empty := tmp_path / 'empty.db')}")
    whole = scheme.format(tmp_path / "whole")
    killer.run(make, whole)
    records, *_ = expected = shown(whole)
    assert {record[2] for record in records} == {"complete", "failed"}
    assert sum("nudged" in record[6] for record in records) == 1
    for writes in itertools.count():
        url = scheme.format(tmp_path / str(writes))
        if url.startswith("sqlite"):  # the tables, made once: that takes longer than the study
            shutil.copy(empty, tmp_path / f"{writes}.db")
        if not killer.run(make, url, writes):
            break
        assert killer.run(make, url) is False
        assert shown(url) == expected, f"killed at write {writes}"
    assert writes > 3 * len(records)


@pytest.mark.parametrize("scheme", ["sqlite:///{}.db", "journal:{}.log"])
def test_killed_again_and_again(space, tmp_path, killer, scheme):
    def make():
        return everything(space, ["error", "score"])

    whole, url = scheme.format(tmp_path / "whole"), scheme.format(tmp_path / "often")
    killer.run(make, whole)
    kills = 0
    while killer.run(make, url, 5 + kills % 3):
        kills += 1
    assert kills > 5
    assert shown(url) == shown(whole)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["sqlite:///{}.db", "journal:{}.log"])
def test_giving_up_does_not_depend_on_kills(space, tmp_path, killer, scheme):
    def broken(configuration):
        raise RuntimeError("no data")

    def make():
        return Study(
            space, broken, Everything(space), budget=Budget(trials=9), optimize=[Metric("error")],
            initial=[configs.sample(space, seeds.rng("initial", i)) for i in range(9)],
            max_failures=3, name="s",
        )  # fmt: skip

    for writes in range(6, 16):
        url = scheme.format(tmp_path / str(writes))
        killed = 0
        counts = []
        while not counts or counts[-1] < 9:
            try:
                killed += killer.run(make, url, None if killed else writes)
            except TooManyFailures:
                (stored,) = load(url)
                counts.append(len(stored.records))
        assert counts == [3, 6, 9], f"killed at write {writes}"
        assert killed == 1


def test_a_lock_left_in_a_folder_is_taken_after_a_while(space, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal, "_STALE_SECONDS", 3)
    (tmp_path / "runs").mkdir()
    make = lambda: everything(space, ["error"])  # noqa: E731
    make().run("journal:runs/s.log")
    (tmp_path / "runs/s.log").unlink()
    (tmp_path / "runs/s.log.lock").symlink_to(tmp_path / "runs/s.log")
    assert make().run("journal:runs/s.log").stopped == "everything is finished"


def test_a_file_that_is_no_journal_is_left_alone(space, tmp_path):
    (tmp_path / "notes.txt").write_text("first\nlast without an end")
    with pytest.raises(StorageError, match="not a journal"):
        everything(space, ["error"]).run(f"journal:{tmp_path}/notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "first\nlast without an end"
