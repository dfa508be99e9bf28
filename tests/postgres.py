"""A PostgreSQL server of its own for a test: `from tests.postgres import postgres`.

It needs Debian's binaries (any version), no installation and no rights: the server runs in a
temporary folder on a free port. PostgreSQL refuses to run as root, so that root starts it as the
user `postgres` (or `nobody`) in a folder of that user's, outside pytest's private ones.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
SYSTEM_USERS = ("postgres", "nobody")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def system_user():
    for name in SYSTEM_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise KeyError(SYSTEM_USERS)


class Server:
    """A server that can be stopped, killed and started again."""

    def __init__(self, folder, as_user):
        self.folder, self.as_user, self.port = folder, as_user, free_port()
        self._call("initdb", "--auth=trust", "--username=postgres", "--no-sync", "-D", self.data)

    @property
    def data(self):
        return str(self.folder / "data")

    @property
    def url(self):
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self):
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self._call("pg_ctl", "-w", "-s", "-D", self.data, "-l", log, "-o", options, "start")

    def stop(self, mode="fast"):
        """`fast` ends connections, `immediate` ends the server as a crash would."""
        self._call("pg_ctl", "-w", "-s", "-D", self.data, "-m", mode, "stop")

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def _call(self, program, *arguments):
        ended = subprocess.run(
            [BINARIES[-1].with_name(program), *arguments],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False, **self.as_user,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr


@pytest.fixture
def postgres():
    """A running server."""
    if not BINARIES:
        pytest.skip("PostgreSQL's server is not installed")
    folder, as_user = Path(tempfile.mkdtemp(prefix="postgres-")), {}
    if os.getuid() == 0:
        user = system_user()
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)
    server = Server(folder, as_user)
    server.start()
    try:
        yield server
    finally:
        if (folder / "data/postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
