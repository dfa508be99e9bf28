"""A training that stops and goes on bit for bit: what it consists of, and where it is kept.

Between two epochs a training is its weights and buffers, the optimiser's sums, the generator of the
image order, and the global generators of Python, NumPy, torch and the device, which a network may
draw from. What a network keeps outside its `state_dict` is not continued.
"""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from automl_nas.configs import digest
from automl_nas.identity import describe
from automl_nas.oneshot import checkpoints

State = dict[str, Any]


def state(
    network: nn.Module, optimizer: torch.optim.Optimizer, order: torch.Generator, device: str
) -> State:
    """Everything that the next epoch depends on; a copy, of tensors, numbers and containers."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - networks may draw from it
    version, words, spare = random.getstate()
    return {
        "network": copy.deepcopy(network.state_dict()),
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "order": order.get_state(),
        "python": [version, list(words), spare],
        "numpy": [kind, torch.tensor(np.asarray(keys, dtype=np.int64)), *rest],
        "torch": torch.get_rng_state(),
        "device": torch.cuda.get_rng_state(device) if _on_gpu(device) else None,
    }


def restore(
    found: State,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    order: torch.Generator,
    device: str,
) -> None:
    """Puts everything back in place, the global generators too."""
    network.load_state_dict(found["network"])
    optimizer.load_state_dict(copy.deepcopy(found["optimizer"]))
    order.set_state(found["order"])
    version, words, spare = found["python"]
    random.setstate((version, tuple(words), spare))
    kind, keys, *rest = found["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(found["torch"])
    if found["device"] is not None and _on_gpu(device):
        torch.cuda.set_rng_state(found["device"], device)


def _on_gpu(device: str) -> bool:
    return torch.device(device).type == "cuda"


def chain(*parts: Any) -> str:
    """Names the one training that a checkpoint belongs to; equal parts, equal name."""
    return digest({"parts": json.dumps([describe(part) for part in parts], sort_keys=True)})


def save(folder: Path | None, of: str, epochs: int, found: State | None) -> None:
    """Keeps the state after so many epochs atomically; nothing where there is no folder."""
    if folder is not None and found is not None:
        checkpoints.save(folder, of, epochs, found)


def read(folder: Path | None, of: str, epochs: int) -> State | None:
    """The state after exactly so many epochs; None where it is missing or torn."""
    if folder is None or epochs < 1:
        return None
    return checkpoints.newest(folder, of, first=epochs, last=epochs)
