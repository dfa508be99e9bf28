"""A storage on a server that may go away for a while: it is waited for, and nothing is done twice.

    storage = storages.patient(storages.open_storage("postgresql://..."), seconds=60)

An operation that finds no server (connection refused or lost, server starting up or shutting down)
is repeated after 0.1, 0.2, 0.4 ... 2 seconds, until `seconds` have passed since it first failed.
Every other error passes at once. A lost connection does not tell whether the operation was done:

- reading, and setting an attribute, a parameter or an intermediate value: done again, no harm;
- `create_new_trial`: a trial of the study whose user attribute `proposal` has the same `token` as
  the template's is the one; the study's row is locked before, so that a transaction that the server
  is still finishing is seen. Without a token it is not repeated;
- `create_new_study`: a study of this name made meanwhile is the one (of two processes that make it
  at the same moment, both get it);
- `set_trial_state_values`: a trial that is finished in this state is done. Claiming a waiting trial
  may answer False although it was this claim that was committed;
- `delete_study`: a study that is gone is done.

Optuna's own `create_new_trial` repeats a failed transaction up to five times, which may make a
trial twice: it is replaced by one transaction.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from automl_nas.errors import StorageError

_PAUSES = (0.1, 2.0)
"""First and longest pause in seconds; each is twice the one before, less up to a quarter."""
_SERVERS = ("postgresql", "mysql", "mariadb")
_AWAY = (
    "connection refused",
    "connection reset",
    "connection timed out",
    "connection is closed",
    "connection is lost",
    "connection already closed",
    "timeout expired",
    "broken pipe",
    "could not translate host name",
    "name resolution",
    "server closed the connection",
    "closed unexpectedly",
    "terminating connection",
    "consuming input failed",
    "no such file or directory",  # a socket in the file system
    "starting up",
    "shutting down",
    "recovery mode",
    "not yet accepting connections",
    "could not receive data from server",
    "could not send data to server",
    "can't connect to",
    "lost connection",
    "gone away",
    "shutdown in progress",
    "deadlock",  # the server chose this transaction to be repeated
)
"""How PostgreSQL's and MySQL's drivers say that the server is not there."""


def patient(storage: BaseStorage, seconds: float = 60.0) -> BaseStorage:
    """The storage, waiting up to `seconds` for a server that goes away; others as they are."""
    if isinstance(storage, RDBStorage) and storage.engine.dialect.name in _SERVERS:
        return cast(BaseStorage, PatientStorage(storage, seconds))
    return storage


def _away(error: Exception) -> bool:
    """Whether the error says that the server is not there, or wants the transaction again."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, DBAPIError):
        return False
    text = str(cause.orig).lower()
    return cause.connection_invalidated or any(word in text for word in _AWAY)


def _repeated(name: str) -> Callable[..., Any]:
    """The operation `name`, repeated as it is."""

    def operation(self: PatientStorage, *args: Any, **settings: Any) -> Any:
        call = functools.partial(getattr(self._storage, name), *args, **settings)
        return self._patiently(lambda _again: call())

    return operation


def _names() -> list[str]:
    return [name for name in vars(BaseStorage) if not name.startswith("_")]


_Repeating: Any = type("_Repeating", (BaseStorage,), {name: _repeated(name) for name in _names()})


class PatientStorage(_Repeating):  # type: ignore[misc]
    """A proxy whose every operation waits for the server; made by `patient`."""

    def __init__(self, storage: RDBStorage, seconds: float) -> None:
        self._storage, self._seconds = storage, seconds

    def __getattr__(self, name: str) -> Any:
        """What is not an operation of every storage, such as the engine and heartbeats."""
        if name.startswith("__") or "_storage" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._storage, name)

    def _patiently(self, call: Callable[[bool], Any]) -> Any:
        """What `call(again)` returns; `again`: it may have been done before."""
        pause, deadline, again = _PAUSES[0], None, False
        while True:
            try:
                return call(again)
            except (SQLAlchemyError, StorageInternalError) as error:
                if not _away(error):
                    raise
                deadline = deadline or time.monotonic() + self._seconds
                if time.monotonic() > deadline:
                    raise self._gone(error) from error
            self._storage.remove_session()
            time.sleep(pause * random.SystemRandom().uniform(0.75, 1))
            pause, again = min(2 * pause, _PAUSES[1]), True

    def _gone(self, error: Exception) -> StorageError:
        engine = self._storage.engine
        shown = engine.url.render_as_string(hide_password=True)
        return StorageError(
            f"the server of storage {shown!r} has been away for {self._seconds:g} seconds "
            f"({_last_line(error)}): start it, then run the same again; what is recorded is kept."
        )

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """One transaction; a repeated one looks for the template's token first."""
        token = _token(template_trial)

        def create(again: bool) -> int:  # noqa: FBT001 - a callback of `_patiently`
            if again and token is None:
                raise StorageError(
                    "the server went away while a trial was created, and the trial has no token by "
                    "which to find it: run the same again."
                )
            with _create_scoped_session(self._storage.scoped_session) as session:
                models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
                found = _by_token(session, study_id, token) if again and token else None
                if found is None:
                    made = self._storage._get_prepared_new_trial(study_id, template_trial, session)
                    found = int(made.trial_id)
                return found

        return int(self._patiently(create))

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """A study of this name that an interrupted call made is the one."""

        def create(again: bool) -> int:  # noqa: FBT001 - a callback of `_patiently`
            try:
                return self._storage.create_new_study(directions, study_name)
            except DuplicatedStudyError:
                if not again or study_name is None:
                    raise
                return self._storage.get_study_id_from_name(study_name)

        return int(self._patiently(create))

    def delete_study(self, study_id: int) -> None:
        """A study that an interrupted call deleted is gone."""

        def delete(again: bool) -> None:  # noqa: FBT001 - a callback of `_patiently`
            try:
                self._storage.delete_study(study_id)
            except KeyError:
                if not again:
                    raise

        self._patiently(delete)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """A trial that is finished in this state is done."""

        def finish(again: bool) -> bool:  # noqa: FBT001 - a callback of `_patiently`
            try:
                return self._storage.set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if not again or self._storage.get_trial(trial_id).state != state:
                    raise
                return True

        return bool(self._patiently(finish))


def _last_line(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return str(getattr(cause, "orig", cause)).strip().splitlines()[0]


def _token(template: FrozenTrial | None) -> str | None:
    """The template's, by which its trial is known."""
    proposal = template.user_attrs.get("proposal", {}) if template is not None else {}
    token: str | None = proposal.get("token")
    return token


def _by_token(session: Session, study_id: int, token: str) -> int | None:
    """The id of the study's trial that was created with this token."""
    attribute = models.TrialUserAttributeModel
    query = (
        session.query(attribute.trial_id)
        .join(models.TrialModel, models.TrialModel.trial_id == attribute.trial_id)
        .filter(models.TrialModel.study_id == study_id, attribute.key == "proposal")
        .filter(attribute.value_json.contains(f'"token": "{token}"', autoescape=True))
    )
    found = query.first()
    return None if found is None else int(found[0])
