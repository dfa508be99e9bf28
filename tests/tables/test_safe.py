"""Files of strangers: nothing in them is run, and whatever is wrong is one named error."""

from __future__ import annotations

import bz2
import collections
import gzip
import json
import os
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl_nas.errors import TableError
from automl_nas.tables.safe import literal, load_json, load_pickle, load_torch

PLAIN = collections.OrderedDict(
    a=[1, 2.5, None, True, "text", b"bytes", {3, 4}, (5,)],
    b={"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.float64(0.5), "z": np.int64(3)},
)


class Runs:
    """Writes a file if anybody unpickles it."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("ending", [".pickle", ".pickle.pbz2", ".pkl.gz"])
def test_plain_data_comes_back(tmp_path, protocol, ending):
    squeeze = {".pickle": bytes, ".pickle.pbz2": bz2.compress, ".pkl.gz": gzip.compress}[ending]
    path = written(tmp_path / f"t{ending}", squeeze(pickle.dumps(PLAIN, protocol)))
    got = load_pickle(path)
    assert list(got) == ["a", "b"]
    assert got["a"] == PLAIN["a"]
    np.testing.assert_array_equal(got["b"]["x"], PLAIN["b"]["x"])
    assert (got["b"]["y"], got["b"]["z"]) == (0.5, 3)


def test_several_pickles_in_a_row_come_back(tmp_path):
    path = written(tmp_path / "two.pickle", pickle.dumps({"head": 1}) + pickle.dumps([2, 3]))
    assert load_pickle(path, count=2) == [{"head": 1}, [2, 3]]
    with pytest.raises(TableError, match=r"two\.pickle is not"):
        load_pickle(path, count=3)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (os.system, ("touch {mark}",)),
        (eval, ("open('{mark}', 'w')",)),
        (exec, ("open('{mark}', 'w')",)),
        (open, ("{mark}", "w")),
        (getattr, (os, "system")),
        (Path, ("{mark}",)),
        (np.load, ("{mark}",)),
        (np.fromfile, ("{mark}",)),
        (__import__, ("os",)),
    ],
)
def test_a_hostile_pickle_runs_nothing(tmp_path, call, arguments, protocol):
    mark = tmp_path / "mark"
    given_ = tuple(a.format(mark=mark) if isinstance(a, str) else "os" for a in arguments)
    path = written(tmp_path / "bad.pickle", pickle.dumps([Runs(call, *given_)], protocol))
    with pytest.raises(TableError, match=r"bad\.pickle is not .*which no table needs"):
        load_pickle(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["numpy\nload", "numpy.core.multiarray\nfromfile", "numpy._core.multiarray\nload",
             "builtins\neval", "builtins\ngetattr", "collections\nnamedtuple", "posix\nsystem",
             "numpy.core.multiarray\nscalar.__class__", "_codecs\nlookup", "numpy\ndtype.type"],
)  # fmt: skip
def test_names_that_look_harmless_are_refused_too(tmp_path, name):
    code = b"c" + name.encode() + b"\n."
    assert list(pickletools.genops(code))
    with pytest.raises(TableError, match=r"no table needs|is not"):
        load_pickle(written(tmp_path / "bad.pickle", code))


@pytest.mark.parametrize("ending", [".pickle", ".pickle.pbz2", ".pkl.gz"])
@pytest.mark.parametrize("kept", [0, 1, 0.5, -1])
def test_a_truncated_pickle_is_named(tmp_path, ending, kept):
    squeeze = {".pickle": bytes, ".pickle.pbz2": bz2.compress, ".pkl.gz": gzip.compress}[ending]
    data = squeeze(pickle.dumps(PLAIN))
    cut = data[: int(len(data) * kept) if isinstance(kept, float) else kept]
    with pytest.raises(TableError, match=r"cut.*or it is damaged"):
        load_pickle(written(tmp_path / f"cut{ending}", cut))


@given(st.binary(max_size=64))
def test_no_bytes_raise_anything_else(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.pickle", "any.pbz2", "any.gz"):
        path = written(folder / name, data)
        try:
            load_pickle(path)
        except TableError as error:
            assert name in str(error)


def test_a_missing_file_is_named(tmp_path):
    for load in (load_pickle, load_torch, load_json):
        with pytest.raises(TableError, match="there is no such file"):
            load(tmp_path / "none.pickle")


def test_tensors_come_back_and_modules_do_not(tmp_path):
    torch.save({"a": torch.arange(3), "b": [1.5]}, tmp_path / "t.pth")
    got = load_torch(tmp_path / "t.pth")
    assert (got["a"].tolist(), got["b"]) == ([0, 1, 2], [1.5])
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pth")
    with pytest.raises(TableError, match=r"module\.pth is not"):
        load_torch(tmp_path / "module.pth")
    whole = (tmp_path / "t.pth").read_bytes()
    for data in (b"", b"nonsense", whole[: len(whole) // 2]):
        with pytest.raises(TableError, match=r"cut\.pth is not"):
            load_torch(written(tmp_path / "cut.pth", data))


def test_json_comes_back_and_damage_is_named(tmp_path):
    path = written(tmp_path / "t.json.gz", gzip.compress(json.dumps({"a": [1]}).encode()))
    assert load_json(path) == {"a": [1]}
    for data in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(TableError, match=r"bad\.json is not"):
            load_json(written(tmp_path / "bad.json", data))


def test_a_literal_is_no_expression(tmp_path):
    assert literal("(0, 2, 1)", tmp_path) == (0, 2, 1)
    for text in ("__import__('os')", "(1", "f()", "[x for x in y]", "(" * 300):
        with pytest.raises(TableError, match="literals"):
            literal(text, tmp_path)
