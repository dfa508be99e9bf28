"""Where and within which limits a run evaluates: the settings of `Study.run`, checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ConfigSpace import ConfigurationSpace

from automl_nas.errors import SettingError
from automl_nas.executors import Executor, Here

if TYPE_CHECKING:
    from distributed import Client

    from automl_nas.objectives.base import Objective


@dataclass(frozen=True)
class Limits:
    """Workers and what an evaluation may take.

    Raises:
        SettingError: settings out of range, or ones that do not go together.
    """

    workers: int | None = None
    client: Client | None = None
    resources: Mapping[str, float] | None = None
    time_limit: float | None = None
    memory_limit: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise SettingError(f"expected one worker or more, got workers={self.workers}.")
        if self.time_limit is not None and not self.time_limit > 0:
            raise SettingError(f"time_limit must be positive seconds, got {self.time_limit}.")
        if self.resources and self.client is None:
            raise SettingError("resources are those of a Dask cluster's workers: give a client.")
        if self.memory_limit and self.client is not None:
            raise SettingError(
                "memory_limit is for local workers: set it where the cluster starts."
            )

    @property
    def _local(self) -> int:
        """Local workers; 0: evaluate here."""
        return self.workers or int(self.time_limit is not None or self.memory_limit is not None)

    def window(self, *, deterministic: bool, shared: bool) -> int | None:
        """How many trials a proposal does not see in a deterministic run; None: it sees all."""
        if not deterministic:
            return None
        if shared:
            raise SettingError(
                "a shared study cannot be deterministic: what another process has finished depends "
                "on time. Use one process and a Dask cluster."
            )
        if self.client is not None and self.workers is None:
            raise SettingError("deterministic runs on a cluster need their number of workers.")
        return 2 * self._local or None

    @contextlib.contextmanager
    def executor(self, objective: Objective, space: ConfigurationSpace) -> Iterator[Executor]:
        """What evaluates, closed again at the end."""
        if self.client is None and not self._local:
            yield Here(objective)
            return
        from automl_nas import dask_executor

        with contextlib.ExitStack() as closing:
            client, workers = self.client, self.workers
            if client is None:
                cluster = dask_executor.local_cluster(self._local, self.memory_limit)
                client, workers = closing.enter_context(cluster), self._local
            executor = dask_executor.Workers(
                client,
                objective,
                space,
                workers=workers,
                resources=self.resources,
                time_limit=self.time_limit,
            )
            closing.callback(executor.close)
            yield executor
