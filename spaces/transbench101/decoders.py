"""The decoders of the tasks of TransNAS-Bench-101 whose output is a map as large as the image.

Each grows the backbone's map back by as many strided transposed convolutions as it was halved; the
other layers keep the resolution.

Source: Duan et al., CVPR 2021 (arXiv:2105.11871); the sizes are those of yawen-d/TransNASBench.
"""

from __future__ import annotations

from torch import Tensor, nn

_SLOPE = 0.2
_WIDEST = 1024


class Reshaped(nn.Module):
    """(batch, C, 1, 1) -> (batch, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """All but the first axis joined."""
        return x.flatten(1)


def _layer(channels_in: int, channels: int, *, grow: str = "no") -> nn.Sequential:
    """3x3 convolution with bias, batch norm, leaky ReLU; `grow="yes"` doubles the resolution."""
    conv: nn.Module = nn.Conv2d(channels_in, channels, 3, 1, 1)
    if grow == "yes":
        conv = nn.ConvTranspose2d(channels_in, channels, 3, 2, 1, output_padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.LeakyReLU(_SLOPE))


def _doublings(division: int) -> int:
    return division.bit_length() - 1


def segmentation(channels: int, division: int, outputs: int) -> nn.Sequential:
    """Halves its channels at every layer, from 1,024 on; the last growth keeps them.

    Args:
        channels: of the backbone's map.
        division: by how much the map is smaller than the image; a power of 2 from 4 to 64.
        outputs: channels of the answer.
    """
    growths, width = _doublings(division), _WIDEST
    layers: list[nn.Module] = [_layer(channels, width)]
    for place in range(6 - 1):
        layers.append(_layer(width, width // 2, grow="yes" if place >= 6 - growths else "no"))
        width //= 2
    layers.append(_layer(width, width, grow="yes"))
    return nn.Sequential(*layers, nn.Conv2d(width, outputs, 3, 1, 1))


def generative(channels: int, division: int, outputs: int) -> nn.Sequential:
    """The generator of an image: fourteen layers, tanh at the end; arguments as `segmentation`."""
    growths = _doublings(division)
    widths = (_WIDEST, _WIDEST, 512, 512, 256, 128, 64, 64, 32, 32, 16, 32, 16)
    grows_from = {2: 6, 4: 5, 6: 4, 8: 3, 10: 2, 12: 2}
    layers, before = [], channels
    for place, width in enumerate(widths):
        grows = growths >= grows_from.get(place, 7)
        layers.append(_layer(before, width, grow="yes" if grows else "no"))
        before = width
    return nn.Sequential(*layers, nn.Conv2d(before, outputs, 3, 1, 1), nn.Tanh())
