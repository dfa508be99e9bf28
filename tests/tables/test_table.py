"""A table in memory: keys to rows, values by fidelity and seed, one by one and many at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_nas.errors import SettingError, TableError, UnknownName
from automl_nas.tables import Column, Table
from automl_nas.types import Fidelity, Metric

AXES = [(), ("fidelity",), ("seed",), ("fidelity", "seed")]


def small(**changes):
    settings = {
        "name": "toy/one",
        "keys": np.array(["b", "a", "c"]),
        "columns": {
            "error": Column(
                Metric("error", unit="%"),
                np.arange(12.0).reshape(3, 2, 2),
                ("fidelity", "seed"),
                "validation",
            ),
            "params": Column(Metric("params"), np.array([10, 20, 30])),
        },
        "fidelity": Fidelity("epochs", 9),
        "fidelities": (3, 9),
        "seeds": (777, 888),
    }
    return Table(**{**settings, **changes})


@st.composite
def tables(draw):
    rows, amounts, repeats = (draw(st.integers(1, 5)) for _ in range(3))
    sizes = {"fidelity": amounts, "seed": repeats}
    number = st.one_of(st.just(np.nan), st.integers(-1000, 1000).map(float))
    columns = {}
    for i, axes in enumerate(AXES):
        shape = (rows, *(sizes[axis] for axis in axes))
        size = int(np.prod(shape))
        values = np.array(draw(st.lists(number, min_size=size, max_size=size))).reshape(shape)
        scale = draw(st.sampled_from([1.0, 0.5]))
        columns[str(i)] = Column(Metric(str(i)), values, axes, scale=scale)
    keys = draw(st.lists(st.integers(-50, 50), min_size=rows, max_size=rows, unique=True))
    fidelities = tuple(
        sorted(draw(st.sets(st.integers(1, 99), min_size=amounts, max_size=amounts)))
    )
    return Table(
        "drawn",
        np.array(keys),
        columns,
        Fidelity("epochs", fidelities[-1]),
        fidelities,
        tuple(range(100, 100 + repeats)),
    )


def by_hand(table, row, name, fidelity, seeds):
    """Plain indexing, one number at a time."""
    column = table.columns[name]
    values = column.values[row]
    if "fidelity" in column.axes:
        place = -1 if fidelity is None else table.fidelities.index(fidelity)
        values = values[place]
    if "seed" in column.axes:
        chosen = [values[table.seeds.index(seed)] for seed in seeds]
        measured = [value for value in chosen if not np.isnan(value)]
        values = sum(measured) / len(measured) if measured else np.nan
    return values * column.scale


@given(tables(), st.data())
def test_query_value_and_plain_indexing_agree(table, data):
    name = data.draw(st.sampled_from(sorted(table.columns)))
    fidelity = data.draw(st.sampled_from([None, *table.fidelities]))
    several = st.lists(st.sampled_from(table.seeds), min_size=1, unique=True)
    seed = data.draw(st.one_of(st.just("mean"), st.sampled_from(table.seeds), several))
    seeds = table.seeds if seed == "mean" else [seed] if isinstance(seed, int) else seed
    rows = data.draw(st.lists(st.integers(0, len(table) - 1), max_size=6))
    got = table.query(np.array(rows, dtype=int), name, fidelity=fidelity, seed=seed)
    one_by_one = [table.value(row, name, fidelity=fidelity, seed=seed) for row in rows]
    expected = [by_hand(table, row, name, fidelity, seeds) for row in rows]
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_array_equal(got, one_by_one)
    assert got.dtype == np.float64


@given(tables(), st.lists(st.integers(-60, 60), max_size=9))
def test_rows_and_row_agree_with_a_search_by_hand(table, wanted):
    keys = table.keys.tolist()
    assert table.rows(wanted).tolist() == [keys.index(k) if k in keys else -1 for k in wanted]
    for key in wanted:
        if key in keys:
            assert table.row(key) == keys.index(key)
        else:
            with pytest.raises(TableError, match="has no row"):
                table.row(key)


def test_a_longer_string_is_not_taken_for_its_beginning():
    assert small().rows(["a", "ab", "", "c"]).tolist() == [1, -1, -1, 2]


def test_keys_of_another_kind_are_refused():
    with pytest.raises(TableError, match="keys such as 'a'"):
        small().rows([1, 2])


def test_no_keys_give_no_rows():
    assert small().rows([]).tolist() == []


def test_full_fidelity_and_mean_are_the_defaults():
    table = small()
    assert table.value(0, "error") == 2.5
    assert table.value(0, "error", fidelity=3, seed=888) == 1.0
    assert table.query(slice(None), "params", fidelity=3).tolist() == [10, 20, 30]


def test_a_mean_leaves_out_what_was_not_measured():
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [2.0, 4.0]])
    table = small(columns={"error": Column(Metric("error"), values, ("seed",))})
    np.testing.assert_array_equal(table.query([0, 1, 2], "error"), [1.0, np.nan, 3.0])


@pytest.mark.parametrize(
    ("query", "kind", "message"),
    [
        ({"column": "eror"}, UnknownName, "did you mean error"),
        ({"column": "error", "fidelity": 5}, SettingError, "epochs 3, 9, got fidelity=5"),
        ({"column": "error", "seed": 1}, SettingError, "seeds \\(777, 888\\)"),
        ({"column": "error", "seed": ()}, SettingError, "seeds"),
    ],
)
def test_what_the_table_does_not_have_is_named(query, kind, message):
    with pytest.raises(kind, match=message):
        small().query([0], **query)
    with pytest.raises(kind, match=message):
        small().value(0, **query)


def test_a_column_of_another_shape_is_refused():
    column = Column(Metric("error"), np.zeros((3, 2)), ("seed",))
    assert small(columns={"error": column})
    with pytest.raises(TableError, match=r"'error' has the shape \(3, 2\), expected \(3,\)"):
        small(columns={"error": Column(Metric("error"), np.zeros((3, 2)))})


def test_a_double_key_is_refused():
    with pytest.raises(TableError, match="'a' twice"):
        small(keys=np.array(["a", "b", "a"])).rows(["a"])


def test_the_digest_follows_what_is_answered():
    table = small()
    more = {**table.columns, "energy": Column(Metric("energy"), np.zeros(3))}
    assert table.digest == small().digest
    assert table.digest != small(columns=more).digest
    assert table.digest_of(["error"]) == small(columns=more).digest_of(["error"])
    assert table.digest_of(["error"]) != table.digest_of(["params"])
    assert table.digest != small(keys=np.array(["b", "a", "d"])).digest
    assert table.digest != small(seeds=(777, 999)).digest
