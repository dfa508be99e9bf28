"""TFRecord files without TensorFlow, and just enough of protobuf's wire format to read numbers.

    for data in records(path):
        for field, value in message(data):
            ...

Framing: length (8 bytes), masked CRC-32C of the length (4), data, masked CRC-32C of the data (4).
The lengths' sums are always checked; the data's take longer than all the rest and are checked on
request. Sources: the TensorFlow tutorial "TFRecord and tf.train.Example", section on the file
format; protobuf's "Encoding" page; CRC-32C: RFC 3720, appendix B.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from automl_nas.errors import TableError

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_LONGEST = 1 << 24
"""Bytes; a record of a benchmark has hundreds."""


def _entry(index: int) -> int:
    for _ in range(8):
        index = (index >> 1) ^ (_POLYNOMIAL if index & 1 else 0)
    return index


_TABLE = [_entry(index) for index in range(256)]


def crc32c(data: bytes) -> int:
    """The checksum that TFRecord uses, unmasked."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The checksum as the file stores it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def records(path: Path, *, check: Literal["lengths", "all"] = "lengths") -> Iterator[bytes]:
    """The data of each record.

    Raises:
        TableError: the file is missing, not a TFRecord file, damaged or truncated.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while header := file.read(12):
                where = f"{path}: record {number}"
                if len(header) < 12 or masked(header[:8]) != _uint32(header[8:]):
                    raise TableError(f"{where}: expected a length with its checksum: {_ADVICE}")
                length = int(struct.unpack("<Q", header[:8])[0])
                data = file.read(length) if length <= _LONGEST else b""
                sum_ = file.read(4)
                if len(data) < length or len(sum_) < 4:
                    raise TableError(f"{where}: {length} bytes are announced, fewer are there.")
                if check == "all" and masked(data) != _uint32(sum_):
                    raise TableError(f"{where}: the checksum of its data differs: {_ADVICE}")
                yield data
                number += 1
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error}.") from error


_ADVICE = "the file is no TFRecord or it is damaged; compare its checksum."


def _uint32(data: bytes) -> int:
    return int(struct.unpack("<I", data)[0])


def message(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """(field number, value) of a protobuf message: integers, doubles, bytes.

    Raises:
        ValueError: the data is no message.
        IndexError: it is truncated.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 1:
                yield tag >> 3, _number("<d", data, at, 8)
                at += 8
            case 2:
                length, at = _varint(data, at)
                if at + length > len(data):
                    raise ValueError("a message is truncated")
                yield tag >> 3, data[at : at + length]
                at += length
            case 5:
                yield tag >> 3, _number("<f", data, at, 4)
                at += 4
            case kind:
                raise ValueError(f"a message has a field of the unknown kind {kind}")


def _number(form: str, data: bytes, at: int, size: int) -> float:
    if at + size > len(data):
        raise ValueError("a message is truncated")
    return float(struct.unpack_from(form, data, at)[0])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a message has a number of more than 64 bits")
