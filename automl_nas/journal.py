"""Journal files: Optuna's format, its torn end mended, and group commit for cheap objectives.

    open_journal(Path("s.log"), create=True)                      # a write and an fsync a line
    open_journal(Path("s.log"), create=True, group_commit=0.5)    # one every half second

Group commit. Lines about trials wait in memory and are written together, in their order, with one
fsync, at the latest after `group_commit` seconds and at `remove_session`, at the end of the
interpreter and before every line about a study (its identity, its lease). The file therefore
always holds a prefix of the run, and `kill -9` loses at most the last `group_commit` seconds of
it. A study that is run again computes them anew: identically if its objective is deterministic,
which is the condition for asking for it. Lost trials write their checkpoints again under the same
numbers.

The journal belongs to one process then: Optuna counts trials in the order of the file, so lines of
another process between ours would give ours other numbers. They are noticed under the file's lock
before anything is written; what was buffered is dropped, the file stays as the other one left it,
and every further operation raises StorageError. Readers may read at any time.

Source of the format and of the lock: Optuna's `JournalStorage` and `JournalFileSymlinkLock`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import threading
import weakref
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import (
    BaseJournalBackend,
    JournalFileBackend,
    JournalFileSymlinkLock,
)
from optuna.storages.journal._file import BaseJournalFileLock, get_lock_file
from optuna.storages.journal._storage import JournalOperation

from automl_nas.errors import StorageError

_BEGIN = b'{"op_code":'
"""How every line of a journal begins."""
_STALE_SECONDS = 10
"""A journal's lock without a write for so long was left behind by a killed process."""
_BUFFERED = frozenset(
    {
        JournalOperation.CREATE_TRIAL,
        JournalOperation.SET_TRIAL_PARAM,
        JournalOperation.SET_TRIAL_STATE_VALUES,
        JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE,
        JournalOperation.SET_TRIAL_USER_ATTR,
        JournalOperation.SET_TRIAL_SYSTEM_ATTR,
    }
)
"""What may wait; everything about a study is written at once."""


def open_journal(
    path: Path | None, *, create: bool, group_commit: float | None = None
) -> JournalStorage:
    """The journal of a file, its last line cut off where it is torn.

    Args:
        path: the file.
        create: whether the file may be made and mended; False: it is only read.
        group_commit: seconds for which lines about trials may wait in memory; None: not at all.

    Raises:
        StorageError: no file is named, or it is not a journal.
    """
    if path is None:
        raise StorageError("storage 'journal:' names no file: expected journal:PATH.")
    if create:
        path.touch()
    _check(path)
    place = str(path.absolute())  # Optuna waits for ever for a stale link that leads nowhere
    lock = JournalFileSymlinkLock(place, _STALE_SECONDS)
    if create:
        with get_lock_file(lock):
            _mend(path)
    if group_commit is None:
        return JournalStorage(JournalFileBackend(place, lock))
    return GroupedJournal(GroupedBackend(Path(place), lock, group_commit))


def _check(path: Path) -> None:
    with path.open("rb") as file:
        begin = file.read(len(_BEGIN))
    if not _BEGIN.startswith(begin):
        raise StorageError(f"{path} is not a journal of Optuna's: give another path.")


def _mend(path: Path) -> None:
    """Cuts off the last line where `kill -9` left a part of it: the next one would join it."""
    with path.open("rb+") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


class GroupedJournal(JournalStorage):
    """Optuna's journal storage on a buffer; `remove_session` writes what waits."""

    def __init__(self, backend: GroupedBackend) -> None:
        self._grouped = backend
        super().__init__(backend)

    def remove_session(self) -> None:
        """Writes what waits.

        Raises:
            StorageError: another process has written to the journal meanwhile.
        """
        self._grouped.flush()


class GroupedBackend(BaseJournalBackend):
    """A journal file whose lines about trials are written in groups; safe between threads."""

    def __init__(self, path: Path, lock: BaseJournalFileLock, seconds: float) -> None:
        """Nothing is read yet.

        Args:
            path: an existing file.
            lock: excludes other processes while it is written.
            seconds: how long a line may wait.
        """
        self._path, self._lock, self._seconds = path, lock, seconds
        self._guard = threading.RLock()
        self._waiting: list[bytes] = []  # appended, not in the file yet
        self._unread: list[bytes] = []  # appended or found in the file, not handed out yet
        self._handed = 0  # lines handed out
        self._size = 0  # bytes of the file that are known here
        self._timer: threading.Timer | None = None
        self._failed: Exception | None = None
        self._pid = os.getpid()
        _OPEN.add(self)

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """The lines from this number on, waiting ones included."""
        with self._guard:
            self._require_sound()
            if log_number_from != self._handed:  # another reader than the one so far
                self._write([])
                self._unread, self._handed, self._size = [], 0, 0
            if not self._waiting:
                self._unread += self._news()
            lines, self._unread = self._unread, []
            skipped = log_number_from - self._handed
            self._handed += len(lines)
            return [json.loads(line) for line in lines[skipped:]]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Keeps lines about trials for a while; writes the others at once."""
        lines = [json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs]
        with self._guard:
            self._require_sound()
            if not all(log["op_code"] in _BUFFERED for log in logs):
                self._write(lines)
                return
            self._waiting += lines
            self._unread += lines
            if self._timer is None:
                self._timer = threading.Timer(self._seconds, self._flush_late)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Writes what waits; nothing in a forked child, where it is the parent's.

        Raises:
            StorageError: another process has written to the journal meanwhile.
        """
        if os.getpid() != self._pid:
            return
        with self._guard:
            self._require_sound()
            self._write([])

    def _flush_late(self) -> None:
        """In the timer's thread: an error is kept for the next operation."""
        with self._guard:
            if self._failed is None:
                try:
                    self._write([])
                except (OSError, RuntimeError, StorageError) as error:
                    self._failed = error

    def _require_sound(self) -> None:
        if self._failed is not None:
            raise StorageError(
                f"journal {self._path} cannot be written: {self._failed}"
            ) from self._failed

    def _write(self, lines: list[bytes]) -> None:
        """Writes what waits and then `lines`, in one go."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting and not lines:
            return
        with get_lock_file(self._lock):
            self._take_news()
            self._append(b"".join([*self._waiting, *lines]))
        self._waiting = []
        self._unread += lines

    def _append(self, data: bytes) -> None:
        """All of it or nothing, as far as the file system lets us."""
        try:
            with self._path.open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._failed = error
            with contextlib.suppress(OSError):
                os.truncate(self._path, self._size)
            self._require_sound()
        self._size += len(data)

    def _take_news(self) -> None:
        """Lines of other processes come first, unless ours already count on their absence."""
        if not self._waiting:
            self._unread += self._news()
        elif self._path.stat().st_size != self._size:
            self._failed = StorageError(
                f"another process has written to it, and group commit needs a journal for itself: "
                f"{len(self._waiting)} lines that were not written yet are dropped. Give each "
                "study a journal of its own, or run it again when the other process has ended."
            )
            self._waiting = []
            self._require_sound()

    def _news(self) -> list[bytes]:
        """Whole lines that were added to the file since it was last read or written here."""
        if self._path.stat().st_size == self._size:
            return []
        with self._path.open("rb") as file:
            file.seek(self._size)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._size += len(whole)
        return whole.split(b"\n")[:-1]


_OPEN: weakref.WeakSet[GroupedBackend] = weakref.WeakSet()


@atexit.register
def _flush_all() -> None:
    for backend in list(_OPEN):
        if backend._failed is None:
            backend.flush()
