"""The networks of NAS-Bench-MR: 27 ordered numbers, which are 80 bits.

    space = search_space()
    to_embedding(configuration)      # (32, 16, 1, 1, 32, 3, ...): 27 numbers
    to_bits(configuration)           # (0, 0, 1, 1, ...): 4 bits for channels, 2 for counts

`input_1` and `input_2` are the stem's channels; block b has `modules_b` modules of b branches,
branch i of which has `convs_b_i` convolutions at `channels_b_i` channels; `last` are the head's.
Nothing depends on anything else. `neighbours` are those of NAS-Bench-Suite: one number one step up
or down, 45.4 on average; `configs.neighbours` goes to every other value of one number.

Source: Ding et al., ICLR 2022 (arXiv:2106.02253), README of dingmyu/NCP; bits of NASLib's branch
`nasbenchmr`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from ConfigSpace import Categorical, Configuration, ConfigurationSpace

from automl_nas import configs
from automl_nas.tables.nasbenchmr import FIELDS, choices, embedding, key

WIDTHS = tuple((len(choices(field)) - 1).bit_length() for field in FIELDS)
"""Bits of each number, the most significant first."""


def search_space() -> ConfigurationSpace:
    """27 ordinals, named as in `FIELDS`."""
    space = ConfigurationSpace(name="nasbenchmr")
    space.add([Categorical(field, choices(field), ordered=True) for field in FIELDS])
    return space


@functools.lru_cache(maxsize=1)
def _shared_space() -> ConfigurationSpace:
    return search_space()


def to_embedding(configuration: Configuration) -> tuple[int, ...]:
    """The 27 numbers in the published order."""
    values = configs.to_dict(configuration)
    return tuple(int(values[field] or 0) for field in FIELDS)


def from_embedding(numbers: Sequence[int]) -> Configuration:
    """The configuration of 27 numbers.

    Raises:
        TableError: they are no network of the space.
    """
    checked = embedding(key(numbers))
    return configs.from_dict(_shared_space(), dict(zip(FIELDS, checked, strict=True)))


def to_key(configuration: Configuration) -> str:
    """The published code, by which tables know the network."""
    return key(to_embedding(configuration))


def to_bits(configuration: Configuration) -> tuple[int, ...]:
    """The 80 bits: each number's place among its choices, the most significant bit first."""
    bits = ""
    for field, width, number in zip(FIELDS, WIDTHS, to_embedding(configuration), strict=True):
        bits += f"{choices(field).index(number):0{width}b}"
    return tuple(map(int, bits))


def from_bits(bits: Sequence[int]) -> Configuration:
    """The configuration of 80 bits; all of them are legal.

    Raises:
        ValueError: they are not 80, or not bits.
    """
    given = [int(bit) for bit in bits]
    if len(given) != sum(WIDTHS) or not set(given) <= {0, 1}:
        raise ValueError(f"expected {sum(WIDTHS)} bits, got {len(given)}: {given}.")
    text, numbers = "".join(map(str, given)), []
    for field, width in zip(FIELDS, WIDTHS, strict=True):
        numbers.append(choices(field)[int(text[:width], 2)])
        text = text[width:]
    return from_embedding(numbers)


def neighbours(configuration: Configuration) -> Iterator[Configuration]:
    """The networks with one number one step lower or higher: at most 54."""
    own = to_embedding(configuration)
    for place, field in enumerate(FIELDS):
        options = choices(field)
        at = options.index(own[place])
        for step in (at - 1, at + 1):
            if 0 <= step < len(options):
                yield from_embedding((*own[:place], options[step], *own[place + 1 :]))
