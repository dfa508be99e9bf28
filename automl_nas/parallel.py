"""Several studies at once, each in a process of its own, into one storage.

    finished = run_studies(studies, "sqlite:///all.db", workers=4, on_event=print)

Each worker process runs whole studies one after another with one computing thread. A worker ends
itself when its parent is gone, so that `kill -9` of the parent leaves nothing running.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.managers import SyncManager
from queue import Empty
from typing import Any

from optuna.storages import BaseStorage

from automl_nas import results, signing, storages, stored
from automl_nas.errors import AutoMLNASError, StudyError
from automl_nas.study import Study
from automl_nas.types import Record

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_WATCH_SECONDS = 0.2
_PATIENCE = 5.0
"""Seconds for a worker to end before it is killed."""


@dataclass(frozen=True)
class Event:
    """A record that a study completed, or its end."""

    study: str
    record: Record | None = None
    """None: the study has stopped."""
    stopped: str = ""
    """Why it stopped."""


def run_studies(
    studies: Sequence[Study],
    storage: str,
    *,
    workers: int,
    accept: Collection[str] = (),
    on_event: Callable[[Event], None] = lambda _event: None,
) -> None:
    """Runs or resumes all studies; raises the first error after the others have been stopped.

    Studies that have nothing left to do cost no worker. Scripts need the usual
    `if __name__ == "__main__":`, since the workers import them.

    Raises:
        KeyboardInterrupt: passed on after the workers have ended; nothing recorded is lost.
        StudyMismatch: a stored study is another one (before anything is run), see `Study.run`.
        StudyError: two studies have one name, a study cannot be sent to a worker, a worker died.
    """
    _check_names(studies)
    tasks = [_pickled(study) for study in _unfinished(studies, storage, accept, on_event)]
    if not tasks:
        return
    context = multiprocessing.get_context("spawn")
    with _one_thread(), _explained(), _manager(context) as manager:
        events = manager.Queue()
        with _pool(context, workers) as pool:
            with _deaf():
                futures = [pool.submit(_run, task, storage, events, [*accept]) for task in tasks]
            _listen(futures, events, on_event)


@contextlib.contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool for other work: one computing thread each, ended with this process and on an error."""
    with _one_thread(), _pool(multiprocessing.get_context("spawn"), workers) as pool:
        yield pool


def _check_names(studies: Sequence[Study]) -> None:
    for name, count in Counter(study.name for study in studies).items():
        if count > 1:
            raise StudyError(f"{count} studies are called {name!r}: give each a name of its own.")


def _unfinished(
    studies: Sequence[Study],
    storage: str,
    accept: Collection[str],
    on_event: Callable[[Event], None],
) -> list[Study]:
    """The studies that may have something left to do; the others are reported as stopped."""
    opened, left = storages.open_storage(storage), []
    with storages.translated(storage):
        reasons = {study.name: finished(study, opened, accept) for study in studies}
        storages.close(opened)
    for study in studies:
        if (reason := reasons[study.name]) is None:
            left.append(study)
        else:
            on_event(Event(study.name, stopped=reason))
    return left


def finished(study: Study, storage: BaseStorage, accept: Collection[str] = ()) -> str | None:
    """Why the stored study has nothing left to do, known without running it; None: it may have.

    A budget is compared with the records; what the searcher said when it was last asked holds as
    long as no record was added, however the budget is raised.

    Raises:
        StudyMismatch: the stored study is another one.
    """
    identity = study.identity()
    signing.check_accept(accept, identity)
    study_id = signing.find(storage, study.name)
    if study_id is None:
        return None
    changed = signing.changes(storage, study_id, study.name, identity, accept)
    found = results.read(storage, study_id, study.name)
    if changed or len(found.records) < storage.get_n_trials(study_id):
        return None
    flops = study.objective.full_training_flops
    limit = study.budget.reached(len(found.records), found.total, flops)
    return f"budget: {limit}" if limit else stored.end(storage, study_id, len(found.records))


def _pickled(study: Study) -> bytes:
    try:
        return pickle.dumps(study)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise StudyError(
            f"study {study.name!r} cannot be sent to a worker process ({error}): define its "
            "objective and searcher at the top level of a module, or call study.run() instead."
        ) from error


def _unpickled(task: bytes) -> Study:
    try:
        study: Study = pickle.loads(task)
    except (AttributeError, ImportError) as error:
        raise StudyError(
            f"a worker process cannot find what a study is made of ({error}): define it in a "
            "file that can be imported, not in an interactive session or behind a guard."
        ) from error
    return study


def _run(task: bytes, storage: str, events: Any, accept: list[str]) -> None:
    study = _unpickled(task)
    tell = [lambda s, record: events.put(Event(s.name, record))]
    try:
        study.run(storage, callbacks=tell, accept=accept)
    except AutoMLNASError:
        raise
    except Exception as error:  # others may not survive the way to the parent
        raise StudyError(f"study {study.name!r}: {type(error).__name__}: {error}") from error
    events.put(Event(study.name, stopped=study.stopped or ""))


@contextlib.contextmanager
def _manager(context: Any) -> Iterator[SyncManager]:
    """The process of the event queue."""
    manager = SyncManager(ctx=context)
    with contextlib.ExitStack() as closing:
        with _deaf():  # what was pressed meanwhile is heard at its end
            manager.start(_watch, (os.getpid(),))
            closing.callback(manager.shutdown)
        yield manager


@contextlib.contextmanager
def _pool(context: Any, workers: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, which are stopped at once where an error passes."""
    parent = (os.getpid(),)
    pool, passed = ProcessPoolExecutor(workers, context, initializer=_watch, initargs=parent), False
    try:
        yield pool
        passed = True
    finally:
        pool.shutdown() if passed else _stop(pool)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Children started here never hear Ctrl-C, not even while they start: the parent ends them.

    The parent hears it when they have been started.
    """
    resource_tracker.ensure_running()  # it unblocks signals when it starts
    with _later(), _blocked():
        yield


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """Children inherit that the signal is blocked; the platform must know such a thing."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _later() -> Iterator[None]:
    """Ctrl-C waits for the end: other threads of this process do not block it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        for number in heard[:1]:
            signal.raise_signal(number)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What the machinery of processes says, in words."""
    try:
        yield
    except BrokenProcessPool as error:
        raise StudyError(
            "a worker process died (killed, or out of memory); the records are kept: run the same "
            "again, perhaps with fewer workers."
        ) from error
    except EOFError as error:
        raise StudyError(
            "worker processes cannot start: a script that runs studies in several processes needs "
            'its calls under `if __name__ == "__main__":`.'
        ) from error


def _listen(
    futures: Sequence[Future[None]], events: Any, on_event: Callable[[Event], None]
) -> None:
    open_futures = set(futures)
    while open_futures:
        with contextlib.suppress(Empty):
            while True:
                on_event(events.get(timeout=0.2))
        done = {future for future in open_futures if future.done()}
        for future in done:
            future.result()
        open_futures -= done
    with contextlib.suppress(Empty):
        while True:
            on_event(events.get_nowait())


def _stop(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_PATIENCE)
        process.kill()


def _watch(parent: int) -> None:
    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Children inherit one computing thread each; the parent's environment is put back."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
