"""Where tables come from: files found by name, what is missing is said, nothing is fetched."""

from __future__ import annotations

import types

import numpy as np
import pytest

from automl_nas import registry, tables
from automl_nas.errors import MissingTable, UnknownName
from automl_nas.tables import Column, File, Source, Table
from automl_nas.types import Metric


def reader(label):
    def read(paths, task, **options):
        values = np.array([len(paths)])
        column = Column(Metric("error"), values, note=repr(options))
        return Table(f"toy/{task}", np.array([0]), {"error": column}, source=f"{label}: {paths}")

    return read


def enough(paths):
    return len(list(paths[0].parent.iterdir())) > 1


SOURCES = (
    Source("folder", ("one",), (File("parts/meta.bin"),), reader("folder"), whole=enough),
    Source("pair", ("one", "two"), (File("{task}.a"), File("{task}.b")), reader("pair"),
           extras=(File("more.c"),)),
    Source("single", ("two",), (File("two.b"),), reader("single")),
)  # fmt: skip


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    load = registry.load
    monkeypatch.setattr(
        registry,
        "load",
        lambda kind, name: (
            types.SimpleNamespace(SOURCES=SOURCES)
            if (kind, name) == ("table", "toy")
            else load(kind, name)
        ),
    )
    monkeypatch.delenv("AUTOML_NAS_DATA", raising=False)


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize("below", ["", "x/", "x/y/"])
def test_files_are_found_down_to_two_levels(tmp_path, below):
    put(tmp_path, f"{below}one.a", f"{below}one.b")
    assert tables.open("toy", path=tmp_path).source.startswith("pair")


def test_three_levels_down_is_too_deep(tmp_path):
    put(tmp_path, "x/y/z/one.a", "x/y/z/one.b")
    with pytest.raises(MissingTable, match=r"one\.a, one\.b"):
        tables.open("toy", path=tmp_path)


def test_one_file_may_be_given_itself(tmp_path):
    put(tmp_path, "two.b")
    assert tables.open("toy", "two", path=tmp_path / "two.b").source.startswith("single")


def test_the_environment_says_where_to_search(tmp_path, monkeypatch):
    put(tmp_path, "one.a", "one.b")
    monkeypatch.setenv("AUTOML_NAS_DATA", str(tmp_path))
    assert tables.open("toy").name == "toy/one"


def test_the_first_source_whose_files_are_all_there_is_read(tmp_path):
    put(tmp_path, "two.b")
    assert tables.open("toy", "two", path=tmp_path).source.startswith("single")
    put(tmp_path, "two.a")
    assert tables.open("toy", "two", path=tmp_path).source.startswith("pair")


def test_a_part_of_a_benchmark_waits_for_a_whole_one(tmp_path):
    put(tmp_path, "parts/meta.bin")
    assert tables.open("toy", path=tmp_path).source.startswith("folder")
    put(tmp_path, "one.a", "one.b")
    assert tables.open("toy", path=tmp_path).source.startswith("pair")
    put(tmp_path, "parts/0.bin")
    assert tables.open("toy", path=tmp_path).source.startswith("folder")


def test_a_layout_may_be_named(tmp_path):
    put(tmp_path, "two.a", "two.b")
    assert tables.open("toy", "two", path=tmp_path, layout="single").source.startswith("single")
    with pytest.raises(UnknownName, match="layout of toy/two"):
        tables.open("toy", "two", path=tmp_path, layout="folder")


def test_extra_files_come_after_the_needed_ones(tmp_path):
    put(tmp_path, "one.a", "one.b")
    assert "None" in tables.open("toy", path=tmp_path).source
    put(tmp_path, "deep/more.c")
    opened = tables.open("toy", path=tmp_path)
    assert "more.c" in opened.source
    assert opened.value(0, "error") == 3


def test_options_reach_the_reader(tmp_path):
    put(tmp_path, "one.a", "one.b")
    assert "'12'" in tables.open("toy", path=tmp_path, recipe="12").columns["error"].note


def test_missing_files_are_listed_by_layout(tmp_path):
    with pytest.raises(MissingTable) as caught:
        tables.open("toy", "two", path=tmp_path)
    message = str(caught.value)
    assert "pair: two.a, two.b" in message
    assert "single: two.b" in message
    assert str(tmp_path) in message
    with pytest.raises(MissingTable, match="neither `path` nor AUTOML_NAS_DATA"):
        tables.open("toy", "two")


def test_unknown_names_are_answered_with_the_known_ones(tmp_path):
    with pytest.raises(UnknownName, match="did you mean one"):
        tables.open("toy", "ones", path=tmp_path)
    with pytest.raises(UnknownName, match="nasbench201"):
        tables.open("nasbench202", path=tmp_path)
