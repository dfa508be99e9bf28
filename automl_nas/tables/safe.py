"""Files of strangers, read without running anything that is in them.

    data = load_pickle(path)          # .pickle, .pkl, .bz2/.pbz2, .gz: builtins and numpy only
    data = load_torch(path)           # torch.load(weights_only=True)
    data = load_json(path)            # .json, .json.gz

Whatever is malformed, truncated or names a class that numbers do not need is a `TableError` with
the file's name.
"""

from __future__ import annotations

import ast
import bz2
import gzip
import json
import pickle
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from automl_nas.errors import TableError

_BUILTINS = {
    "bool", "bytes", "bytearray", "complex", "dict", "float", "frozenset", "int", "list", "set",
    "slice", "str", "tuple", "range",
}  # fmt: skip
_NUMPY = {
    "dtype": "numpy", "ndarray": "numpy",
    "_reconstruct": "numpy.core.multiarray", "scalar": "numpy.core.multiarray",
    "_frombuffer": "numpy.core.numeric",
}  # fmt: skip
_DAMAGE = (
    EOFError, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    ImportError, MemoryError, RecursionError, SyntaxError, UnicodeError,
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class _Unpickler(pickle.Unpickler):
    """Knows plain containers, numbers, `OrderedDict` and numpy's arrays; refuses any other name."""

    def find_class(self, module: str, name: str) -> Any:
        """The class of that name, if it is a harmless one."""
        home = module.replace("numpy._core", "numpy.core").replace("__builtin__", "builtins")
        if home == "builtins" and name in _BUILTINS:
            return super().find_class("builtins", name)
        if (home, name) in {("collections", "OrderedDict"), ("collections", "defaultdict")}:
            return super().find_class(home, name)
        if (home, name) == ("_codecs", "encode"):
            return _encode
        if _NUMPY.get(name) == home:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no table needs")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """What Python 3 pickles of bytes at protocol 2 call."""
    return text.encode(encoding)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turns every sign of a damaged or hostile file into a TableError that names it."""
    try:
        yield
    except FileNotFoundError:
        raise TableError(f"expected {what} at {path}: there is no such file.") from None
    except TableError:
        raise
    except _DAMAGE as error:
        raise TableError(
            f"{path} is not {what}, or it is damaged ({type(error).__name__}: {error}): "
            "compare its size and checksum with those of `automl-nas data`."
        ) from error


def load_pickle(path: Path, *, count: int = 1, encoding: str = "latin1") -> Any:
    """The object of a pickle file, or a list of the first `count` > 1 of them.

    Raises:
        TableError: it is damaged, or names anything but builtins, OrderedDict and numpy arrays.
    """
    with reading(path, "a pickle of plain data"), opened(path) as file:
        unpickler = _Unpickler(file, encoding=encoding)
        objects = [unpickler.load() for _ in range(count)]
    return objects[0] if count == 1 else objects


def load_torch(path: Path) -> Any:
    """The object of a file of `torch.save`, tensors and plain data only, on the CPU.

    Raises:
        TableError: it is damaged or holds anything else.
    """
    import torch

    with reading(path, "a torch file of plain data"):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except RuntimeError as error:
            raise ValueError(str(error).splitlines()[0]) from error


def load_json(path: Path) -> Any:
    """The object of a JSON file, compressed or not.

    Raises:
        TableError: it is damaged.
    """
    with reading(path, "a JSON file"), opened(path) as file:
        return json.loads(file.read())


def literal(text: str, path: Path) -> Any:
    """A Python literal such as `(0, 2, 1)`, without evaluating anything.

    Raises:
        TableError: the text is not a literal.
    """
    with reading(path, "a table whose keys are Python literals"):
        return ast.literal_eval(text)


def opened(path: Path) -> IO[bytes]:
    """The file's bytes, decompressed as its ending says."""
    if path.suffix in (".bz2", ".pbz2"):
        return bz2.open(path)
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
