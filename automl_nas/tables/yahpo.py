"""A surrogate of YAHPO Gym: an ONNX network over integer-coded choices and numbers.

    model = Yahpo.find(Path("yahpo/nb301"))
    model.predict({"edge": "skip_connect", ...}, {"epoch": 98.0})    # {"val_accuracy": 94.1, ...}

The folder is YAHPO's: a model `*.onnx` and `encoding*.json`, {hyperparameter: {choice: code}} with
"#na#" for one that is inactive. The network has two inputs, codes of shape (n, choices) in the
published order of hyperparameters and numbers of shape (n, numbers), and one output (n, targets).
`onnxruntime` is an optional package, imported when the first prediction is made.

Source: Pfisterer et al., AutoML 2022 (arXiv:2109.03670); slds-lmu/yahpo_gym, Apache-2.0.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl_nas.errors import MissingPackage, TableError
from automl_nas.tables.safe import load_json, reading

ABSENT = "#na#"
"""The code of a hyperparameter that is inactive."""
_TYPES = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(float)": np.float32,
          "tensor(double)": np.float64}  # fmt: skip
_TARGETS = {
    2: ("val_accuracy", "runtime"),
    4: ("val_accuracy", "val_cross_entropy", "runtime", "runtime_increase"),
}
"""What the outputs of nb301's model are, by their number: version 1 and version 2."""
_CELLS = ("normal", "reduce")
ORDER = tuple(
    f"NetworkSelectorDatasetInfo_COLON_darts_COLON_{name}"
    for name in (
        *(f"edge_{cell}_{edge}" for cell in _CELLS for edge in range(14)),
        *(f"inputs_node_{cell}_{node}" for cell in _CELLS for node in (3, 4, 5)),
    )
)
"""nb301's hyperparameters in the order of the model's input."""


@dataclass(frozen=True)
class Yahpo:
    """One model with its encoding; it travels between processes as two paths."""

    model: Path
    encoding: Path

    @classmethod
    def find(cls, folder: Path) -> Yahpo:
        """The newest model (`model_v2.onnx` before `model.onnx`) and encoding of a folder.

        Raises:
            TableError: one of them is not there.
        """
        models, encodings = sorted(folder.glob("*.onnx")), sorted(folder.glob("encoding*.json"))
        if not models or not encodings:
            raise TableError(
                f"expected a model *.onnx and an encoding*.json of YAHPO Gym in {folder}, found "
                f"{sorted(path.name for path in (*models, *encodings))}."
            )
        return cls(max(models, key=_version), max(encodings, key=_version))

    @functools.cached_property
    def digest(self) -> str:
        """Of both files."""
        digest = hashlib.sha256(self.model.read_bytes())
        digest.update(self.encoding.read_bytes())
        return digest.hexdigest()[:16]

    def predict(self, choices: Mapping[str, str], numbers: Mapping[str, float]) -> dict[str, float]:
        """Targets by name for one configuration; hyperparameters that are missing are inactive.

        Raises:
            MissingPackage: onnxruntime is not installed.
            TableError: the model or encoding is damaged, or knows no such choice.
        """
        codes = [self._code(name, choices.get(name, ABSENT)) for name in ORDER]
        session = _session(self.model)
        given = zip(session.get_inputs(), (codes, list(numbers.values())), strict=True)
        feed = {slot.name: np.array([row], dtype=_TYPES[slot.type]) for slot, row in given}
        values = np.asarray(session.run(None, feed)[0]).reshape(-1)
        if len(values) not in _TARGETS:
            raise TableError(
                f"{self.model} predicts {len(values)} targets, expected those of nb301: "
                f"{' or '.join(', '.join(names) for names in _TARGETS.values())}."
            )
        return dict(zip(_TARGETS[len(values)], map(float, values), strict=True))

    def _code(self, name: str, choice: str) -> int:
        with reading(self.encoding, "an encoding of YAHPO Gym"):
            return int(self._encoding[name][choice])

    @functools.cached_property
    def _encoding(self) -> Any:
        return load_json(self.encoding)

    def __getstate__(self) -> dict[str, Any]:
        """The paths alone."""
        return {"model": self.model, "encoding": self.encoding}


def _version(path: Path) -> tuple[bool, str]:
    return "v2" in path.stem, path.stem


@functools.lru_cache(maxsize=4)
def _session(model: Path) -> Any:
    """A session on one thread, so that predictions do not depend on the machine's load."""
    try:
        onnxruntime = importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingPackage("onnxruntime", "YAHPO's surrogate of NAS-Bench-301") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            str(model), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise TableError(f"{model} is no ONNX model: {str(error).splitlines()[0]}") from error
