"""Servers with different hash seeds, started and asked by the self-test."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from automl_nas.errors import AutoMLNASError
from automl_nas.parallel import THREADS

HASH_SEEDS = (1, 2, 3)
"""Of the servers: the first one runs what is not interrupted."""
_PATIENCE = 120.0
"""Seconds for a server to import the engines on a busy machine."""


class Servers:
    """One server for each hash seed."""

    def __init__(self, folder: Path, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self._paths = [folder / f"{seed}.socket" for seed in HASH_SEEDS]
        self._processes = processes
        for path in self._paths:
            self._wait(path.with_suffix(".ready"), there=True)

    def ask(self, turn: int, job: dict[str, Any]) -> dict[str, Any]:
        """Has the server of this turn do a job; safe from several threads."""
        path = self._paths[turn % len(self._paths)]
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(json.dumps(job).encode() + b"\n")
            line = connection.makefile("rb").readline()
        if not line:
            raise AutoMLNASError("a process of the self-test died: is there enough memory?")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def preload(self, modules: Sequence[str]) -> None:
        """Has all servers import modules before their next job."""
        for path in self._paths:
            partial = path.with_suffix(".partial")
            partial.write_text("\n".join(modules))
            partial.rename(path.with_suffix(".modules"))
        for path in self._paths:
            self._wait(path.with_suffix(".modules"), there=False)

    def _wait(self, path: Path, *, there: bool) -> None:
        deadline = time.monotonic() + _PATIENCE
        while path.exists() is not there:
            if time.monotonic() > deadline or any(p.poll() is not None for p in self._processes):
                said = path.with_suffix(".log").read_text().strip().splitlines()[-1:]
                raise AutoMLNASError(f"the processes of the self-test do not start: {said}.")
            time.sleep(0.05)


@contextlib.contextmanager
def servers(folder: Path, packages: Sequence[str]) -> Iterator[Servers]:
    """Starts the servers, with the packages imported; ends them."""
    processes = [_start(folder / f"{seed}.socket", seed, packages) for seed in HASH_SEEDS]
    try:
        yield Servers(folder, processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _start(path: Path, hash_seed: int, packages: Sequence[str]) -> subprocess.Popen[bytes]:
    settings = {"PYTHONHASHSEED": str(hash_seed), **dict.fromkeys(THREADS, "1")}
    command = [sys.executable, "-m", "automl_nas.selftest.server", str(path), *packages]
    with path.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, env=os.environ | settings, stderr=log)
