"""NAS-Bench-201 looked up: protocols, seeds, devices; what a file lacks is said."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from automl_nas import Budget, Study
from automl_nas.errors import MissingTable, SettingError, TableError, UnknownName
from automl_nas.objectives.table import TableObjective
from automl_nas.searchers import HalvingSearcher, RandomSearcher
from automl_nas.types import Trial
from spaces import nasbench201
from spaces.nasbench201 import from_index, search_space, table, to_arch, to_index
from tests.tables.files import accuracy, naslib201, nats_folder
from tests.tables.test_nasbench201 import collected, hardware, helps, means

TRIAL = Trial(0, 4)


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    folder = tmp_path_factory.mktemp("official")
    nats_folder(folder, (0, 11, 284))
    helps(folder)
    return folder


def test_the_numbering_of_the_reader_is_that_of_the_space():
    from automl_nas.tables.nasbench201 import arch_strings

    assert [to_arch(from_index(i)) for i in range(0, 15_625, 331)] == list(arch_strings()[::331])


def test_validation_is_searched_on_and_test_recorded_besides(official):
    made = table("cifar100", path=official)
    assert made.name == "table:nasbench201/cifar100"
    assert [metric.name for metric in made.metrics] == ["validation_error", "test_error"]
    got = made(from_index(11), None, TRIAL)
    expected = [100 - accuracy(11, "cifar100", s, "x-valid", 199) for s in (777, 888, 999)]
    assert got.values["validation_error"] == pytest.approx(np.mean(expected), abs=1e-5)
    assert got.simulated_seconds == 200 * 13


def test_one_training_is_observed_where_asked(official):
    made = table("cifar10", path=official, observed=888)
    assert made(from_index(0), None, TRIAL).values["validation_error"] == pytest.approx(
        100 - accuracy(0, "cifar10-valid", 888, "x-valid", 199), abs=1e-5
    )
    made = table("cifar10", path=official, observed="drawn")
    values = {
        made(from_index(0), None, Trial(0, seed)).values["validation_error"] for seed in range(9)
    }
    assert len(values) == 3


def test_the_published_protocol_says_that_it_searches_on_test(official):
    made = table("cifar10", path=official, protocol="published")
    assert made.name.endswith("(published protocol, search on test)")
    assert made.metrics[0].name == "search_test_error"
    assert made.table.columns["search_test_error"].part == "test"
    assert made(from_index(0), None, TRIAL).values["search_test_error"] == pytest.approx(
        100 - accuracy(0, "cifar10-valid", 888, "ori-test", 199), abs=1e-5
    )
    with pytest.raises(SettingError, match="published"):
        table("cifar10", path=official, protocol="test")


def test_devices_and_other_columns_are_further_metrics(official, tmp_path):
    made = table("cifar10", path=official, devices=("pixel3",), others=("params",))
    assert [(m.name, m.unit) for m in made.metrics[2:]] == [
        ("latency_pixel3", "ms"),
        ("params", ""),
    ]
    assert made(from_index(284), None, TRIAL).values["latency_pixel3"] == 294
    with pytest.raises(UnknownName, match="did you mean latency_pixel3"):
        table("cifar10", path=official, devices=("pixel",))


def test_halving_sees_no_epoch_that_it_has_not_paid_for(official):
    made = table("cifar10", path=official)
    assert made.continues
    space = search_space()
    study = Study(space, made, HalvingSearcher(RandomSearcher(space)), budget=Budget(trials=3),
                  seed=0, initial=[from_index(0)])  # fmt: skip
    first = study.run().records[0]
    assert first.configuration == from_index(0)
    amount = first.fidelity or 200
    assert first.simulated_seconds == 2 * amount
    at = [100 - accuracy(0, "cifar10-valid", s, "x-valid", amount - 1) for s in (777, 888, 999)]
    assert first.values["validation_error"] == pytest.approx(np.mean(at), abs=1e-5)


def test_naslib_alone_has_no_validation_error(tmp_path):
    naslib201(tmp_path / "nb201_cifar10_full_training.pickle", "cifar10")
    with pytest.raises(TableError, match=r'no validation_error.*protocol="published"'):
        table("cifar10", path=tmp_path)
    made = table("cifar10", path=tmp_path, protocol="published")
    assert made(from_index(2), None, TRIAL).values["search_test_error"] == pytest.approx(
        100 - accuracy(2, "cifar10-valid", 888, "ori-test", 199), abs=1e-5
    )


def test_collected_means_have_no_single_seeds(tmp_path):
    collected(tmp_path, "cifar100")
    with pytest.raises(TableError, match="no validation_error at full fidelity"):
        table("cifar100", path=tmp_path)
    means(tmp_path, "cifar100")
    hardware(tmp_path, "cifar100")
    made = table("cifar100", path=tmp_path, others=("energy_edgegpu",))
    assert (made.seconds, made.continues) == (None, False)
    assert made(from_index(2), None, TRIAL).values == {
        "validation_error": 8,
        "test_error": 18,
        "energy_edgegpu": 4,
    }
    with pytest.raises(SettingError, match="means over seeds only, got observed=777"):
        table("cifar100", path=tmp_path, observed=777)
    published = table("cifar100", path=tmp_path, protocol="published")
    assert published(from_index(2), None, TRIAL).values["search_test_error"] == 28
    with pytest.raises(TableError, match="not measured at fidelity 12"):
        published(from_index(2), 12, TRIAL)


def test_a_yardstick_knows_the_best_cell(tmp_path):
    collected(tmp_path, "cifar100")
    means(tmp_path, "cifar100")
    best = nasbench201.yardstick("cifar100", path=tmp_path)
    assert (best.optimum, best.rows) == (8, 3)
    assert to_index(nasbench201.from_arch(best.key)) == 2
    assert best.reference == (("validation_error", 10), ("params", 200_001))


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(MissingTable, match=r"NATS-tss-v1_0-3ffb9-simple/meta\.pickle\.pbz2"):
        table("cifar10", path=tmp_path)
    with pytest.raises(UnknownName, match="did you mean cifar10"):
        table("cifar1", path=tmp_path)


def test_digits_is_left_to_its_own_module(monkeypatch):
    asked = []
    module = types.ModuleType("spaces.nasbench201.digits201")
    module.table = lambda **settings: asked.append(settings) or "made"
    monkeypatch.setitem(sys.modules, "spaces.nasbench201.digits201", module)
    assert table("digits", path="p", observed="drawn") == "made"
    assert asked == [{"path": "p", "observed": "drawn", "others": ()}]


def test_the_objective_travels_to_other_processes(official):
    import cloudpickle

    made = table("cifar10", path=official)
    copy = cloudpickle.loads(cloudpickle.dumps(made))
    assert isinstance(copy, TableObjective)
    assert copy(from_index(11), 12, TRIAL) == made(from_index(11), 12, TRIAL)
    assert copy.identity_json() == made.identity_json()
