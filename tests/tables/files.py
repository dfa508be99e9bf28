"""Small files in the official formats, with numbers that say where they belong."""

from __future__ import annotations

import base64
import bz2
import collections
import json
import pickle
import struct
from pathlib import Path

import numpy as np

from automl_nas.tables.nasbench201 import arch_strings
from automl_nas.tables.tfrecord import masked

TASKS = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
FULL = {"200": (777, 888, 999), "12": (111, 777)}


def accuracy(index, name, seed, split, epoch):
    """Some number between 0 and 100 that differs for all of them."""
    split_place = ("train", "x-valid", "x-test", "ori-test").index(split)
    place = (((index * 7 + TASKS.index(name)) * 1000 + seed) * 4 + split_place) * 200 + epoch
    return (place * 0.6180339887) % 1 * 100


def run(index, name, seed, epochs, *, every):
    """As in the official files: which splits were recorded at which epochs differs by data set."""
    last, all_epochs = [epochs - 1], range(epochs)
    if name == "cifar10-valid":
        recorded = {"x-valid": all_epochs, "ori-test": all_epochs if every else last}
    elif name == "cifar10":
        recorded = {"ori-test": all_epochs}
    else:
        some = all_epochs if every else last
        recorded = {"ori-test": all_epochs, "x-valid": some, "x-test": some}
    return {
        "train_acc1es": {e: accuracy(index, name, seed, "train", e) for e in all_epochs},
        "train_times": collections.OrderedDict((e, 2.0 + index) for e in all_epochs),
        "eval_acc1es": {
            f"{split}@{e}": accuracy(index, name, seed, split, e)
            for split, epochs_ in recorded.items()
            for e in epochs_
        },
        "eval_times": {f"{split}@{e}": 0.5 for split in recorded for e in all_epochs},
        "params": np.float64(0.5 + index / 1e6),
        "flop": 10.0 + index,
        "latency": [np.float64(0.01), np.float64(0.03)],
        "net_state_dict": None,
    }


def nats_cell(index, arch, recipes, *, missing=()):
    """One file's content; `missing`: (recipe, seed) that this cell was not trained with."""
    content = collections.OrderedDict()
    for recipe, seeds in recipes.items():
        epochs = int(recipe)
        runs = collections.OrderedDict(
            ((name, seed), run(index, name, seed, epochs, every=epochs < 100))
            for seed in seeds
            for name in TASKS
            if (recipe, seed) not in missing
        )
        content[recipe] = {"arch_index": index, "arch_str": arch, "all_results": runs}
    return content


def nats_folder(
    parent: Path, indices=(0, 11, 284), *, name="NATS-tss-v1_0-3ffb9-simple", **settings
):
    """A folder with the files of some architectures."""
    folder = parent / name
    folder.mkdir(parents=True)
    archs = settings.pop("archs", None) or {index: arch_strings()[index] for index in indices}
    recipes = settings.pop("recipes", FULL)
    for index in indices:
        content = nats_cell(index, archs[index], recipes, **settings)
        write_pbz2(folder / f"{index:06d}.pickle.pbz2", content)
    write_pbz2(folder / "meta.pickle.pbz2", {"meta_archs": list(archs.values())})
    return folder


def write_pbz2(path: Path, content) -> None:
    path.write_bytes(bz2.compress(pickle.dumps(content), 1))


def naslib201(path: Path, task: str, indices=(0, 1, 2), epochs=200) -> None:
    """NASLib's pickle of NAS-Bench-201."""
    name = "cifar10-valid" if task == "cifar10" else task
    content = {
        arch_strings()[i]: {
            name: {
                "eval_acc1es": [accuracy(i, name, 888, "ori-test", e) for e in range(epochs)],
                "train_acc1es": [accuracy(i, name, 888, "train", e) for e in range(epochs)],
                "train_losses": [0.0] * epochs,
                "cost_info": {
                    "flops": 1.5,
                    "params": 0.2,
                    "latency": 0.01,
                    "train_time": 100.0 + i,
                },
            }
        }
        for i in indices
    }
    path.write_bytes(pickle.dumps(content))


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def delimited(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def double(field: int, number: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", number)


def model_metrics(points, params: int) -> bytes:
    """The official protobuf: (epoch, seconds, train, validation, test) of each checkpoint."""
    data = b"".join(
        delimited(1, b"".join(double(i, n) for i, n in enumerate(point, 1)) + delimited(6, b"ckpt"))
        for point in points
    )
    return data + varint(2 << 3) + varint(params) + double(3, 12.5)


def framed(data: bytes) -> bytes:
    """One TFRecord."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def nasbench101_record(name, epochs, adjacency, operations, points, params) -> bytes:
    encoded = base64.b64encode(model_metrics(points, params)).decode()
    return framed(json.dumps([name, epochs, adjacency, operations, encoded]).encode())
