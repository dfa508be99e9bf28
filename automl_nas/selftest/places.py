"""Where the studies of the self-test are kept: a file for each, or all in a given storage."""

from __future__ import annotations

import itertools
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from automl_nas import storages

_FILES = {"sqlite": "sqlite:///{}.db", "journal": "journal:{}.log"}


@dataclass(frozen=True)
class Places:
    """Hands out places that no study has been in."""

    storage: str
    folder: Path
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    _number: Iterator[int] = field(default_factory=itertools.count)

    def fresh(self) -> tuple[str, str]:
        """An URL and a study's name."""
        number = next(self._number)
        if self.storage not in _FILES:
            return self.storage, f"selftest-{self.run}-{number}"
        if self.storage == "sqlite":  # the tables, made once: that takes longer than a study
            shutil.copy(self.folder / "empty.db", self.folder / f"study-{number}.db")
        return _FILES[self.storage].format(self.folder / f"study-{number}"), "selftest"

    def drop(self, url: str, study: str) -> None:
        """Removes a study that has ended."""
        if self.storage in _FILES:
            path = storages.local_path(url)
            assert path is not None
            for left in self.folder.glob(f"{path.stem}.*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            return
        opened = storages.open_storage(url)
        with storages.translated(url):
            with suppress(KeyError):
                opened.delete_study(opened.get_study_id_from_name(study))
            opened.remove_session()


@contextmanager
def places(storage: str, folder: Path) -> Iterator[Places]:
    """Places for one run of the self-test.

    Raises:
        StorageError: the storage cannot be opened.
    """
    url = f"sqlite:///{folder / 'empty.db'}" if storage in _FILES else storage
    if storage != "journal":
        storages.open_storage(url).remove_session()
    yield Places(storage, folder)
