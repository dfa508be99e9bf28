"""Forward FLOPs of a network, counted by torch itself.

A multiply and an add are two FLOPs, so a figure here is twice the "MACs" (or "FLOPs") of most
papers. Convolutions and matrix products count; element-wise operations do not.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

PASSES = 3
"""Forward passes' worth of FLOPs of a training step: one forward, and a backward counts two."""
Shape = tuple[int, int, int]
"""(channels, height, width) of one image."""


def forward_flops(network: nn.Module, image: Shape) -> float:
    """FLOPs of one image's way through `network`, which is left as it was."""
    ghost = copy.deepcopy(network).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        ghost(torch.empty(1, *image, device="meta"))
    return float(counter.get_total_flops())
