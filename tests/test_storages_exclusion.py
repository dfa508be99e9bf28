"""One holder of a lock at a time, and a dead one keeps nothing."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time

import pytest

from automl_nas import storages
from automl_nas.errors import StorageError
from tests.postgres import postgres  # noqa: F401

HOLDER = """
import sys, time
from automl_nas import storages
storage = storages.open_storage(sys.argv[1])
with storages.exclusive(storage, sys.argv[1], "key", 30):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    time.sleep(float(sys.argv[2]))
"""
COUNTER = """
import sys
from pathlib import Path
from automl_nas import storages
storage, path = storages.open_storage(sys.argv[1]), Path(sys.argv[2])
for _ in range(50):
    with storages.exclusive(storage, sys.argv[1], "key", 60):
        path.write_text(str(int(path.read_text()) + 1))
"""


def start(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def holder(url, seconds):
    with start(HOLDER, url, seconds) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def check_locking(url):
    """Another process is waited for; other keys are free; a killed one is no holder."""
    storage = storages.open_storage(url)
    with holder(url, 60) as process:
        refused = pytest.raises(StorageError, match=r"lock of 'key' for 0\.2 seconds")
        with refused, storages.exclusive(storage, url, "key", 0.2):
            pass
        with storages.exclusive(storage, url, "another key", 0):
            pass
        process.kill()
        with storages.exclusive(storage, url, "key", 30):
            pass
    with pytest.raises(RuntimeError, match="mine"), storages.exclusive(storage, url, "key", 1):
        raise RuntimeError("mine")
    with storages.exclusive(storage, url, "key", 1):
        pass
    storage.remove_session()
    if hasattr(storage, "engine"):
        storage.engine.dispose()


def check_counting(url, path):
    path.write_text("0")
    processes = [start(COUNTER, url, path) for _ in range(2)]
    for process in processes:
        with process:
            assert process.wait(120) == 0
    assert path.read_text() == "100"


@pytest.mark.parametrize("scheme", ["sqlite:///{}/s.db", "journal:{}/s.log"])
def test_files(tmp_path, scheme):
    check_locking(scheme.format(tmp_path))


@pytest.mark.slow
def test_two_processes_count_with_sqlite(tmp_path):
    storages.open_storage(url := f"sqlite:///{tmp_path}/s.db").remove_session()
    check_counting(url, tmp_path / "count")


@pytest.mark.slow
def test_postgresql(postgres, tmp_path):  # noqa: F811
    storages.open_storage(postgres.url).engine.dispose()  # makes the tables
    check_locking(postgres.url)
    check_counting(postgres.url, tmp_path / "count")


@pytest.mark.slow
def test_a_lock_that_postgresql_loses_is_noticed(postgres):  # noqa: F811
    storage = storages.open_storage(postgres.url)
    noticed = pytest.raises(StorageError, match="run the same again")
    with noticed, storages.exclusive(storage, postgres.url, "key", 1):
        postgres.restart()
    with storages.exclusive(storage, postgres.url, "key", 1):
        pass
    storage.engine.dispose()


@pytest.mark.parametrize("url", [None, "sqlite:///:memory:"])
def test_threads(url):
    storage, inside, most = storages.open_storage(url), [], []

    def work():
        for _ in range(20):
            with storages.exclusive(storage, url, "key", 30):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80
    outer, inner = (storages.exclusive(storage, url, "key", 0.01) for _ in range(2))
    with outer, pytest.raises(StorageError), inner:
        pass


def test_locks_of_files_are_beside_them(tmp_path):
    url = f"journal:{tmp_path}/s.log"
    storage = storages.open_storage(url)
    with storages.exclusive(storage, url, "key", 1):
        storage.create_new_study([1], "s")  # Optuna's own lock is another one
        assert len(list(tmp_path.iterdir())) == 2
