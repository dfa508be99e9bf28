"""The self-test of resuming: it passes here, and it sees what it is meant to see."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from automl_nas import spelling
from automl_nas.errors import SettingError, UnknownName
from automl_nas.selftest import Outcome, Row, resume
from automl_nas.selftest.events import KINDS, watched
from automl_nas.selftest.shown import first_difference, shown
from automl_nas.selftest.subjects import METRICS, SPACES, TRIALS, Case, subject
from tests.test_cli import automl_nas

FORGETFUL = """
from dataclasses import dataclass
from typing import ClassVar
from ConfigSpace import ConfigurationSpace
from automl_nas import configs, seeds
from automl_nas.types import Proposal

CALLS = []

@dataclass(frozen=True)
class Forgetful:
    space: ConfigurationSpace
    name: ClassVar[str] = "forgetful"
    packages: ClassVar[tuple[str, ...]] = ()

    def propose(self, history, number):
        CALLS.append(number)
        return Proposal(configs.sample(self.space, seeds.rng("calls", len(CALLS))))

@dataclass(frozen=True)
class Choosy(Forgetful):
    name: ClassVar[str] = "choosy"

    def __post_init__(self):
        from automl_nas.errors import UnsupportedSpace
        raise UnsupportedSpace("no space is good enough")
"""

OFTEN = ["regularized-evolution", "optuna:nsga2", "smac:rf", "syne-tune:mo-rea", "gradient:darts"]
"""One of each kind, killed often in the tests; all of them are in benchmarks/README.md."""


def run(case, url, happened):
    study = case.study("selftest", 0, happened)
    with watched(happened, study.searcher):
        study.run(url)
    return shown(url, "selftest")


@pytest.mark.parametrize("scheme", ["sqlite:///{}/s.db", "journal:{}/s.log"])
def test_every_kind_of_event_happens_where_it_says(tmp_path, scheme):
    events = []
    case = Case("gradient:darts", "categorical", 1)
    run(case, scheme.format(tmp_path), events.append)
    assert set(events) == set(KINDS) - {"clock"}
    assert events.count("asked") == events.count("ask") + events.count("cache")
    assert events.index("asked") < events.index("run") < events.index("close")
    assert events.index("close") < events.index("done")


def test_watching_leaves_nothing_behind(tmp_path):
    from optuna.storages import RDBStorage

    case = Case("random", "conditional", 1)
    before = RDBStorage.create_new_trial
    run(case, f"sqlite:///{tmp_path}/s.db", lambda kind: None)
    assert RDBStorage.create_new_trial is before


def test_a_difference_is_found_and_named(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    one = run(Case("random", "conditional", 1), url, lambda kind: None)
    assert first_difference(one, one) is None
    other = json.loads(json.dumps(one))
    other["records"][3]["configuration"]["rate"] = 0.5
    assert first_difference(one, other).startswith("records.3.configuration.rate: uninterrupted ")


def test_the_study_has_what_a_resume_can_get_wrong(tmp_path):
    found = run(Case("random", "conditional", 2), f"sqlite:///{tmp_path}/s.db", lambda kind: None)
    statuses = {record["status"] for record in found["records"]}
    assert statuses == {"complete", "failed"}
    assert len(found["records"]) == TRIALS
    assert len(METRICS) == 2


def test_the_supernet_is_one():
    import torch

    from automl_nas import configs, seeds
    from automl_nas.selftest.supernet import LinearSupernet, Points
    from automl_nas.supernet.mixture import one_hot

    space, network = SPACES["categorical"](), LinearSupernet().build()
    configuration = configs.sample(space, seeds.rng("supernet"))
    images = Points().load().train.images
    hard = network.hard(images, configuration)
    torch.testing.assert_close(hard, network.soft(images, one_hot(configuration)))
    exported = network.export(configuration)
    alone = exported.soft(images, dict.fromkeys(one_hot(configuration), _one()))
    torch.testing.assert_close(hard, alone)


def _one():
    import torch

    from automl_nas.supernet.mixture import Weights

    return Weights(torch.ones(1), 0)


def test_settings_are_small_where_there_are_any():
    space = SPACES["conditional"]()
    assert subject("optuna:nsga2", space).settings == {"population_size": 4}
    assert subject("optuna:qmc", space).settings == {}
    assert subject("smac:rf", space).initial == 4


@pytest.mark.slow
def test_killed_and_resumed_by_the_command(tmp_path):
    chosen = ["--searcher", "random", "--searcher", "smac:rf", "--searcher", "gradient:gdas"]
    done = automl_nas(
        "selftest", "resume", "--kills", "9", "--workers", "2", *chosen, "--out", "found.json",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 searchers resumed exactly" in done.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    rows = {row["searcher"]: row for row in found["rows"]}
    assert rows["gradient:gdas"]["space"] == "categorical"
    assert rows["gradient:gdas"]["kills"]["file"] == 1
    assert rows["smac:rf"]["metrics"] == [1]
    assert sum(rows["random"]["kills"].values()) == 9
    assert not any(row["differences"] for row in rows.values())


@pytest.mark.slow
def test_a_searcher_that_forgets_is_found_out_and_one_that_refuses_is_listed(tmp_path):
    (tmp_path / "strange.py").write_text(FORGETFUL)
    info = tmp_path / "strange-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
    entries = "forgetful = strange:Forgetful\nchoosy = strange:Choosy\n"
    (info / "entry_points.txt").write_text(f"[automl_nas.searchers]\n{entries}")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = automl_nas(
        "selftest", "resume", "--kills", "14", "--searcher", "forgetful", "--searcher", "choosy",
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "DIFF: forgetful, run: records." in done.stdout
    assert "refused: choosy: no space is good enough" in done.stdout
    assert "0 of 1 searchers resumed exactly" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "searchers"), [(2, spelling.names()), (20, OFTEN)])
def test_every_registered_searcher_resumes_exactly(kills, searchers):
    outcome = resume(kills=kills, searchers=searchers, workers=2)
    assert [row.searcher for row in outcome.rows] == searchers
    assert {row.searcher: row.differences for row in outcome.rows if row.differences} == {}
    assert {row.searcher for row in outcome.rows if row.refused} == set()
    assert all(sum(row.kills.values()) == kills for row in outcome.rows)


@pytest.mark.slow
def test_a_journal_with_half_a_line_is_resumed():
    outcome = resume(kills=8, searchers=["regularized-evolution"], storage="journal", workers=2)
    assert outcome.passed
    assert outcome.rows[0].kills["write"] == 1


def test_unknown_searchers_are_refused():
    with pytest.raises(UnknownName, match="did you mean optuna:tpe"):
        resume(searchers=["optuna:tpee"])


def test_other_files_are_refused_before_anything_is_done():
    done = automl_nas("selftest", "resume", "--out", "found.txt")
    assert (done.returncode, "expected a file that ends with" in done.stderr) == (2, True)


def test_a_difference_fails_and_nothing_tested_does_not_pass():
    same = Row("a", kills={"ask": 1})
    other = Row("b", kills={"ask": 1}, differences={"ask": "records.0"})
    refused = Row("c", refused="no")
    assert Outcome((same, refused), "sqlite", 0, 1.0).passed
    assert not Outcome((same, other), "sqlite", 0, 1.0).passed
    assert not Outcome((refused,), "sqlite", 0, 1.0).passed
    with pytest.raises(SettingError, match="KEY=VALUE"):
        spelling.setting("x")
