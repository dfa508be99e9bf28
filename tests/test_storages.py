"""Storages by URL, and what a user sees when one cannot be used."""

from __future__ import annotations

import sqlite3

import optuna
import pytest

from automl_nas import Budget, Metric, Study, load, storages
from automl_nas.errors import StorageError
from automl_nas.searchers import RandomSearcher


def run(space, url, **settings):
    searcher = RandomSearcher(space)
    study = Study(
        space,
        lambda c: 1.0,
        searcher,
        budget=Budget(trials=3),
        optimize=[Metric("error")],
        name="s",
    )
    return study.run(url, **settings)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///a/b.db", "a/b.db"),
        ("journal:a/b.log", "a/b.log"),
        ("sqlite:///:memory:", None),
        ("postgresql://host/db", None),
        (None, None),
    ],
)
def test_local_path(url, path):
    found = storages.local_path(url)
    assert (None if found is None else found.as_posix()) == path


def test_sqlite_runs_in_wal_mode(space, tmp_path):
    run(space, f"sqlite:///{tmp_path}/new/folder/s.db")
    with sqlite3.connect(tmp_path / "new/folder/s.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_journal_is_optunas_journal(space, tmp_path):
    run(space, f"journal:{tmp_path}/s.log")
    backend = optuna.storages.journal.JournalFileBackend(f"{tmp_path}/s.log")
    shown = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend))
    assert len(shown.trials) == 3


def test_a_file_that_is_no_database(space, tmp_path):
    (tmp_path / "s.db").write_text("not a database, but long enough to look like a file of one" * 9)
    with pytest.raises(StorageError, match="not an SQLite database"):
        run(space, f"sqlite:///{tmp_path}/s.db")


def test_a_locked_database(space, tmp_path, monkeypatch):
    run(space, f"sqlite:///{tmp_path}/s.db")
    monkeypatch.setattr(storages, "_LOCK_SECONDS", 0.1)
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="another process holds its lock"):
            run(space, f"sqlite:///{tmp_path}/s.db")


def test_a_folder_that_cannot_be_made(space, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot create folder"):
        run(space, f"sqlite:///{tmp_path}/file/s.db")


def test_an_unknown_scheme(space):
    with pytest.raises(StorageError, match="journal:PATH"):
        run(space, "study.db")


def test_a_server_that_does_not_answer(space):
    with pytest.raises(StorageError, match="cannot be used"):
        run(space, "postgresql://nobody@127.0.0.1:1/nothing")


def test_reading_needs_a_storage_of_ours(tmp_path):
    with pytest.raises(StorageError, match="no storage at"):
        load(f"sqlite:///{tmp_path}/absent.db")
    optuna.create_study(storage=f"sqlite:///{tmp_path}/theirs.db", study_name="s")
    with pytest.raises(StorageError, match="no study of automl_nas"):
        load(f"sqlite:///{tmp_path}/theirs.db")


def test_somebody_elses_study_is_not_written_to(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    theirs = optuna.create_study(storage=url, study_name="s")
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(StorageError, match="did not write"):
        run(space, url)


def test_another_ledger_format_is_refused(space, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    run(space, url)
    optuna.load_study(study_name="s", storage=url).set_user_attr("format", 99)
    with pytest.raises(StorageError, match="ledger format 99"):
        run(space, url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory(space, url):
    assert run(space, url).stopped == "budget: trials"


def test_a_journal_needs_a_file(space, tmp_path):
    with pytest.raises(StorageError, match="expected journal:PATH"):
        run(space, "journal:")
    with pytest.raises(StorageError, match="it is a folder"):
        run(space, f"journal:{tmp_path}")
    run(space, f"sqlite:///{tmp_path}/s.db")
    with pytest.raises(StorageError, match="not a journal"):
        run(space, f"journal:{tmp_path}/s.db")
