"""Records a second of whole runs, and reading them again."""

from __future__ import annotations

import contextlib
import copy
import functools
import sys
import tempfile
import time

from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import TrialState

from automl_nas import Budget, Study, load, storages
from automl_nas.searchers import RandomSearcher
from automl_nas.testing import cell_space
from benchmarks.overhead.common import METRICS, clock, values


def random_study(trials):
    space = cell_space()
    return Study(
        space, lambda c: values(c)["loss"], RandomSearcher(space), name="s",
        budget=Budget(trials=trials), optimize=METRICS[:1],
    )  # fmt: skip


def copied(source, url):
    """All of a stored study in a database, in one transaction."""
    given, database = storages.open_storage(source), storages.open_storage(url)
    study_id = given.get_study_id_from_name("s")
    made = database.create_new_study(given.get_study_directions(study_id), "s")
    for key, value in given.get_study_user_attrs(study_id).items():
        database.set_study_user_attr(made, key, value)
    with _create_scoped_session(database.scoped_session) as session:
        models.StudyModel.find_or_raise_by_id(made, session)
        for trial in given.get_all_trials(study_id, deepcopy=False):
            running = copy.copy(trial)
            running.state, running.values, running.datetime_complete = (
                TrialState.RUNNING,
                None,
                None,
            )
            row = database._get_prepared_new_trial(made, running, session)
            row.state, row.datetime_complete = trial.state, trial.datetime_complete
            kind = models.TrialValueModel.TrialValueType.FINITE
            session.add(
                models.TrialValueModel(
                    trial_id=row.trial_id, objective=0, value=trial.values[0], value_type=kind
                )
            )
    database.engine.dispose()


def run(options):
    print(
        f"\n| Study.run, random search, {options.trials:,} trials | records/s | CPU ms a record |"
    )
    print("|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        ways = {
            "memory": (None, None),
            "journal, group commit 0.5 s": (f"journal:{folder}/grouped.log", 0.5),
            "journal": (f"journal:{folder}/plain.log", None),
            "SQLite": (f"sqlite:///{folder}/s.db", None),
        }
        for name, (url, seconds) in ways.items():
            trials = options.trials if seconds or url is None else min(options.trials, 500)
            cpu, run = time.process_time(), random_study(trials).run
            spent, _ = clock(functools.partial(run, url, group_commit=seconds))
            cpu = time.process_time() - cpu
            print(f"| {name} ({trials:,}) | {trials / spent:,.0f} | {1000 * cpu / trials:.2f} |")
            sys.stdout.flush()
        loading(options, folder)


def loading(options, folder):
    journal, database = f"journal:{folder}/many.log", f"sqlite:///{folder}/many.db"
    random_study(options.loaded).run(journal, group_commit=0.5)
    copied(journal, database)
    print(f"\n| {options.loaded:,} trials | load, s | Study.open, s |\n|---|---|---|")
    for url in (journal, database):
        read, _ = clock(functools.partial(load, url))
        study = random_study(options.loaded)
        with contextlib.ExitStack() as closing:
            opened, _ = clock(lambda: closing.enter_context(study.open(url)))  # noqa: B023
            assert len(study.records) == options.loaded
        print(f"| {url.split(':')[0]} | {read:.1f} | {opened:.1f} |")
