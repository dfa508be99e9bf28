"""The 28 tasks of NAS-Bench-Suite-Zero as data: where each proxy was computed, and with which loss.

    task = TASKS["transbench101_micro/jigsaw"]      # .space, .dataset, .loss, .shape, .outputs, ...

Source: Krishnakumar et al., "NAS-Bench-Suite-Zero", NeurIPS 2022 (arXiv:2210.03230), table 2 and
the authors' code (automl/NASLib, branch zerocost). Shapes and outputs of svhn, scifar100 and
ninapro agree with the differences of the published parameter and FLOP counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PROXIES = (
    "epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params",
    "plain", "snip", "synflow", "zen",
)  # fmt: skip
"""The 13 zero-cost proxies."""
TASKONOMY = (
    "class_object", "class_scene", "jigsaw", "room_layout", "segmentsemantic", "normal",
    "autoencoder",
)  # fmt: skip
"""The tasks of TransNAS-Bench-101."""
EXTRA = ("svhn", "scifar100", "ninapro")
"""Data sets that the authors trained 192 to 199 architectures on themselves."""

Loss = Literal["cross entropy", "cross entropy of soft targets", "L1", "mean squared error"]


@dataclass(frozen=True)
class SuiteTask:
    """One space on one data set."""

    space: str
    """Such as `transbench101_micro`."""
    dataset: str
    """Such as `jigsaw`."""
    loss: Loss
    """What the gradients of the proxies are of."""
    shape: tuple[int, ...]
    """Of one input: (channels, height, width); jigsaw has a leading axis of nine tiles."""
    outputs: int
    """Classes; regressed numbers (room_layout); channels of the output map (dense tasks)."""
    batch_size: int
    """Images of the one minibatch that a proxy sees."""
    unit: str = "%"
    """Of `val_accuracy`; always to be maximised."""
    undefined: tuple[str, ...] = ()
    """Proxies that need classes, or a network without a decoder, and were not computed."""

    @property
    def name(self) -> str:
        """`space/dataset`."""
        return f"{self.space}/{self.dataset}"


_DENSE = ("epe_nas", "synflow")
_IMAGE = (3, 256, 256)


def _taskonomy(space: str) -> list[SuiteTask]:
    def task(
        dataset: str, loss: Loss, outputs: int, unit: str = "%", undefined: tuple[str, ...] = ()
    ) -> SuiteTask:
        shape = (9, 3, 64, 64) if dataset == "jigsaw" else _IMAGE
        return SuiteTask(space, dataset, loss, shape, outputs, 32, unit, undefined)

    return [
        task("class_object", "cross entropy of soft targets", 100),
        task("class_scene", "cross entropy of soft targets", 63),
        task("jigsaw", "cross entropy", 1000),
        task("room_layout", "mean squared error", 9, "negative loss"),
        task("segmentsemantic", "cross entropy", 17, undefined=_DENSE),
        task("normal", "L1", 3, "SSIM", _DENSE),
        task("autoencoder", "L1", 3, "SSIM", _DENSE),
    ]


def _extra(space: str) -> list[SuiteTask]:
    return [
        SuiteTask(space, "svhn", "cross entropy", (3, 32, 32), 10, 64),
        SuiteTask(space, "scifar100", "cross entropy", (3, 60, 60), 100, 64),
        SuiteTask(space, "ninapro", "cross entropy", (1, 16, 52), 18, 64),
    ]


def _all() -> list[SuiteTask]:
    cifar = (3, 32, 32)
    return [
        SuiteTask("nasbench101", "cifar10", "cross entropy", cifar, 10, 32),
        SuiteTask("nasbench201", "cifar10", "cross entropy", cifar, 10, 64),
        SuiteTask("nasbench201", "cifar100", "cross entropy", cifar, 100, 64),
        SuiteTask("nasbench201", "ImageNet16-120", "cross entropy", (3, 16, 16), 120, 64),
        *_extra("nasbench201"),
        SuiteTask("nasbench301", "cifar10", "cross entropy", cifar, 10, 64),
        *_extra("nasbench301"),
        *_taskonomy("transbench101_micro"),
        *_extra("transbench101_micro"),
        *_taskonomy("transbench101_macro"),
    ]


TASKS: dict[str, SuiteTask] = {task.name: task for task in _all()}
"""`space/dataset` -> task; 28 of them.

The batch of NAS-Bench-101 is that of its published jacov scores (about -32.2, which 32 images
give); the authors' data sheet says 64.
"""
SPACES = tuple(dict.fromkeys(task.space for task in TASKS.values()))
"""The five spaces."""
