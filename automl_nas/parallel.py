"""Several studies at once, each in a process of its own, into one storage.

    finished = run_studies(studies, "sqlite:///all.db", workers=4, on_event=print)

Each worker process runs whole studies one after another with one computing thread. A worker ends
itself when its parent is gone, so that `kill -9` of the parent leaves nothing running.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from queue import Empty
from typing import Any

from automl_nas.storages import open_storage
from automl_nas.study import Study
from automl_nas.types import Record

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_WATCH_SECONDS = 0.2


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
    on_event: Callable[[Event], None] = lambda _event: None,
) -> None:
    """Runs or resumes all studies; raises the first error after the others have been stopped.

    Raises:
        KeyboardInterrupt: passed on after the workers have ended; nothing recorded is lost.
    """
    open_storage(storage)
    context = multiprocessing.get_context("spawn")
    manager, parent = SyncManager(ctx=context), (os.getpid(),)
    with _one_thread():
        manager.start(_serve, parent)
        events = manager.Queue()
        pool = ProcessPoolExecutor(workers, context, initializer=_watch, initargs=parent)
        try:
            futures = [pool.submit(_run, study, storage, events) for study in studies]
            _listen(futures, events, on_event)
        except BaseException:
            _stop(pool)
            raise
        finally:
            manager.shutdown()
        pool.shutdown()


def _run(study: Study, storage: str, events: Any) -> None:
    study.run(storage, callbacks=[lambda s, record: events.put(Event(s.name, record))])
    events.put(Event(study.name, stopped=study.stopped or ""))


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
        process.join()


def _serve(parent: int) -> None:
    """The event queue's process leaves Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _watch(parent)


def _watch(parent: int) -> None:
    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Children inherit one computing thread each; the parent's environment is put back."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
