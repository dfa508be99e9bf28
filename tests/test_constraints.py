import math

import pytest

from automl_nas import Budget, Constraint, Metric, Study, load
from automl_nas.errors import SettingError, UnknownName
from automl_nas.searchers import EvolutionSearcher, LocalSearcher, RandomSearcher
from automl_nas.searchers.base import best_first, centres
from automl_nas.testing import cell_space
from automl_nas.types import History, Record

SIZE = Constraint("size", at_most=2)


def ones(configuration):
    """Loss falls with every op1, and so does what is left of the size."""
    count = sum(value == "op1" for value in dict(configuration).values())
    return {"loss": 6 - count, "size": count}


def study(searcher, **settings):
    return Study(cell_space(), ones, searcher, optimize=["loss"], constraints=[SIZE], **settings)


@pytest.mark.parametrize("searcher", [EvolutionSearcher, LocalSearcher, RandomSearcher])
def test_the_answer_keeps_the_constraints(searcher, tmp_path):
    url = f"sqlite:///{tmp_path / 's.db'}"
    one = study(searcher(cell_space()), budget=Budget(trials=80)).run(url)
    feasible = [record for record in one.records if record.values["size"] <= 2]
    assert 0 < len(feasible) < len(one.records)
    assert one.best.values["loss"] == min(record.values["loss"] for record in feasible)
    (stored,) = load(url)
    assert stored.constraints == (SIZE,)
    assert stored.best.number == one.best.number
    assert {record.values["loss"] for record in stored.front()} == {one.best.values["loss"]}


def test_feasible_records_come_before_all_others():
    history = History(cell_space(), (Metric("loss"),), 0, constraints=(SIZE,))
    values = [(3.0, 3.0), (5.0, 1.0), (1.0, 5.0), (4.0, 2.0), (0.0, math.nan)]
    records = [
        Record(i, None, "x", values={"loss": loss, "size": size})
        for i, (loss, size) in enumerate(values)
    ]
    assert [r.number for r in best_first(history, records)] == [3, 1, 0, 2, 4]
    assert [r.number for r in centres(history, records)] == [3]
    assert [r.number for r in centres(history, [records[2], records[0]])] == [0]


def test_a_lower_limit():
    assert Constraint("accuracy", at_least=0.9).violation({"accuracy": 0.7}) == pytest.approx(0.2)
    assert Constraint("accuracy", at_least=0.9).violation({"accuracy": 0.95}) < 0


def test_a_constraint_has_one_limit_and_a_known_metric():
    with pytest.raises(SettingError, match="set one of at_most and at_least"):
        Constraint("size")
    one = study(RandomSearcher(cell_space()), budget=Budget(trials=1))
    with pytest.raises(UnknownName, match="weight"):
        Study(
            cell_space(),
            one.objective,
            RandomSearcher(cell_space()),
            budget=Budget(trials=1),
            constraints=[Constraint("weight", at_most=1)],
        )
