"""Evaluations as tasks of a Dask cluster, local or any other.

Imports `distributed` at once: import this module inside functions only.

Space and objective are sent to each worker once, those that come later too; a task gets the
configuration as a dict. A task whose worker dies comes back at once instead of being tried on
three more workers, as Dask would: a scheduler plugin marks each task as having used up its tries. A
worker notes when it begins a trial, so that trials that only waited for the dead worker are told
from those that may have killed it. A trial that exceeds its time limit is left running in a
thread; its worker is restarted.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, Queue
from typing import Any

import cloudpickle
import dask
from ConfigSpace import ConfigurationSpace
from distributed import Client, Future, LocalCluster, get_worker, wait
from distributed.diagnostics.plugin import SchedulerPlugin, WorkerPlugin
from distributed.scheduler import KilledWorker
from distributed.utils import sync

from automl_nas import configs, evaluation
from automl_nas.errors import StudyError
from automl_nas.evaluation import Outcome
from automl_nas.executors import Died, Returns
from automl_nas.objectives.base import Objective
from automl_nas.types import Record, Trial

_PREFIX = "automl_nas-"

_ATTEMPTS = 10
_PAUSE = 0.5
"""Seconds before the objective is sent once more."""

_SETTINGS = {
    "distributed.scheduler.worker-ttl": "1 hour",  # an objective may keep the interpreter busy
    "distributed.comm.timeouts.connect": "60s",
}


class OneDeath(SchedulerPlugin):
    """Tasks of ours are not tried again by Dask when their worker dies."""

    idempotent = True

    def update_graph(self, scheduler: Any, *, tasks: list[Any], **_: Any) -> None:
        """Called before any of the new `tasks` is sent to a worker."""
        for key in tasks:
            if str(key).startswith(_PREFIX):
                scheduler.tasks[key].suspicious = scheduler.allowed_failures


class Work(WorkerPlugin):
    """The space and the objective of a run on a worker."""

    def __init__(self, space: ConfigurationSpace, objective: Objective) -> None:
        self._pickled = cloudpickle.dumps((configs.space_to_json(space), objective))

    @functools.cached_property
    def loaded(self) -> tuple[ConfigurationSpace, Objective]:
        """Both, unpickled where they are first needed."""
        space, objective = cloudpickle.loads(self._pickled)
        return configs.space_from_json(space), objective


@contextlib.contextmanager
def local_cluster(workers: int, memory_limit: str | None) -> Iterator[Client]:
    """A client of `workers` processes on this machine with one thread each.

    Raises:
        StudyError: the processes cannot start.
    """
    with dask.config.set(_SETTINGS), contextlib.ExitStack() as closing:
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=memory_limit or 0,
                dashboard_address=":0",
                silence_logs=logging.CRITICAL,
            )
        except RuntimeError as error:
            raise StudyError(
                f"worker processes cannot start ({error}): a script that runs a study with workers "
                'needs its calls under `if __name__ == "__main__":`.'
            ) from error
        closing.enter_context(cluster)
        yield closing.enter_context(Client(cluster))


class Workers:
    """Evaluates trials on the workers of a Dask cluster."""

    def __init__(
        self,
        client: Client,
        objective: Objective,
        space: ConfigurationSpace,
        *,
        workers: int | None = None,
        resources: Mapping[str, float] | None = None,
        time_limit: float | None = None,
    ) -> None:
        """Nothing is under way.

        Args:
            client: of the cluster.
            objective: what to evaluate; its module must be importable on the workers.
            space: of the configurations.
            workers: trials under way at most; None: as many as the cluster has threads.
            resources: of a worker's, that one evaluation takes.
            time_limit: seconds of one evaluation.
        """
        self._client, self._workers = client, workers
        self._resources, self._time_limit = dict(resources or {}), time_limit
        self._count = itertools.count()
        self._topic = f"{_PREFIX}{uuid.uuid4().hex}"
        self._futures: dict[Future[Any], Record] = {}
        client.register_plugin(OneDeath(), name=f"{_PREFIX}one-death")
        self._send(Work(space, objective))

    def _send(self, work: Work) -> None:
        """To all workers, once more where one of them died meanwhile."""
        for attempt in itertools.count(1):
            try:
                self._client.register_plugin(work, name=self._topic)
            except OSError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def free(self) -> bool:
        """Whether fewer trials are under way than there are workers."""
        capacity = self._workers or sum(self._client.nthreads().values()) or 1
        return len(self._futures) < capacity

    def busy(self) -> bool:
        """Whether any trial is under way."""
        return bool(self._futures)

    def submit(self, record: Record, trial: Trial) -> None:
        """Sends a trial to the cluster."""
        key = f"{self._topic}-{record.number}-{next(self._count)}"
        future = self._client.submit(
            evaluate,
            configs.to_dict(record.configuration),
            record.fidelity,
            trial,
            topic=self._topic,
            key=key,
            time_limit=self._time_limit,
            resources=self._resources,
            pure=False,
            retries=0,
        )
        self._futures[future] = record

    def wait(self, seconds: float | None) -> Returns:
        """What has come back.

        Raises:
            StudyError: the cluster is gone, or its workers cannot load the objective.
        """
        with contextlib.suppress(TimeoutError):
            wait(list(self._futures), timeout=seconds, return_when="FIRST_COMPLETED")
        done = [future for future in self._futures if future.done()]
        return [(self._futures.pop(future), self._outcome(future)) for future in done]

    def _outcome(self, future: Future[Any]) -> Outcome | Died:
        if future.status == "cancelled":
            raise StudyError(
                "the Dask cluster is gone; the records are kept: run again when it is back."
            )
        error = future.exception()
        if error is None:
            result: tuple[Outcome, str | None] = future.result()
            outcome, occupied = result
            if occupied is not None:
                self._client.restart_workers([occupied], raise_for_error=False)
            return outcome
        if isinstance(error, KilledWorker):
            return Died(started=self._started(str(future.key)))
        raise StudyError(
            f"a Dask worker cannot evaluate the objective ({type(error).__name__}: {error}): its "
            "module and automl_nas must be installed there, in the same versions as here."
        ) from error

    def _started(self, key: str) -> bool:
        return any(event == key for _, event in self._client.get_events(self._topic))

    def close(self) -> None:
        """Cancels what is under way."""
        futures = list(self._futures)
        self._futures = {}
        with contextlib.suppress(Exception):  # the cluster itself may be gone
            self._client.cancel(futures, force=True)
            self._client.unregister_worker_plugin(self._topic)


def evaluate(
    values: dict[str, configs.Value],
    fidelity: int | None,
    trial: Trial,
    *,
    topic: str,
    time_limit: float | None,
) -> tuple[Outcome, str | None]:
    """Runs on a worker; the outcome, and the worker's address where it is still evaluating."""
    worker = get_worker()
    begun = functools.partial(
        worker.scheduler.log_event, topic=topic, msg=worker.get_current_task()
    )
    sync(worker.loop, begun)  # waits until the scheduler knows: what follows may be deadly
    work: Any = worker.plugins[topic]
    space, objective = work.loaded
    configuration = configs.from_dict(space, values)

    def attempt() -> Outcome:
        return evaluation.attempt(objective, configuration, fidelity, trial)

    outcome = attempt() if time_limit is None else within(attempt, time_limit)
    if outcome is not None:
        return outcome, None
    failure = f"TimeLimit: more than {time_limit:g} s"
    return Outcome(evaluation.NOTHING, failure, time_limit or 0.0), worker.address


def within(attempt: Callable[[], Outcome], seconds: float) -> Outcome | None:
    """What `attempt` returns; None when it takes longer, and is left running."""
    done: Queue[Outcome] = Queue()
    threading.Thread(target=lambda: done.put(attempt()), daemon=True).start()
    try:
        return done.get(timeout=seconds)
    except Empty:
        return None
