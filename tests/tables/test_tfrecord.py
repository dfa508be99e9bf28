"""TFRecord framing and protobuf's wire format: published examples, files cut anywhere."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_nas.errors import TableError
from automl_nas.tables.tfrecord import crc32c, masked, message, records
from tests.tables.files import delimited, double, framed, varint


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, appendix B.4; the last is the catalogue's check value
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
    ],
)
def test_the_checksum_is_that_of_the_standard(data, expected):
    assert crc32c(data) == expected


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_records_come_back_in_order(tmp_path_factory, parts):
    path = tmp_path_factory.getbasetemp() / "any.tfrecord"
    path.write_bytes(b"".join(map(framed, parts)))
    assert list(records(path, check="all")) == parts


@given(st.data())
def test_a_file_cut_anywhere_is_named(tmp_path_factory, data):
    whole = framed(b"first") + framed(b"second record")
    cut = data.draw(st.integers(1, len(whole) - 1).filter(lambda n: n != len(framed(b"first"))))
    path = tmp_path_factory.getbasetemp() / "cut.tfrecord"
    path.write_bytes(whole[:cut])
    with pytest.raises(TableError, match=r"cut\.tfrecord: record [01]"):
        list(records(path))


@given(st.data())
def test_a_flipped_bit_is_found(tmp_path_factory, data):
    whole = bytearray(framed(b"one") + framed(b"two"))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.getbasetemp() / "flipped.tfrecord"
    path.write_bytes(bytes(whole))
    with pytest.raises(TableError, match=r"flipped\.tfrecord"):
        list(records(path, check="all"))


def test_a_length_that_no_record_has_is_refused_before_it_is_read(tmp_path):
    length = struct.pack("<Q", 1 << 40)
    (tmp_path / "long.tfrecord").write_bytes(length + struct.pack("<I", masked(length)) + b"x" * 99)
    with pytest.raises(TableError, match="1099511627776 bytes are announced"):
        list(records(tmp_path / "long.tfrecord"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TableError, match="cannot be read"):
        list(records(tmp_path / "none.tfrecord"))


@given(st.lists(st.tuples(st.integers(1, 1000), st.one_of(
    st.integers(0, 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=9)))))  # fmt: skip
def test_fields_of_every_kind_come_back(fields):
    data = b"".join(
        varint(number << 3) + varint(value) if isinstance(value, int)
        else double(number, value) if isinstance(value, float)
        else delimited(number, value)
        for number, value in fields
    )  # fmt: skip
    assert list(message(data)) == fields


@given(st.binary(max_size=30))
def test_no_bytes_raise_anything_but_what_is_promised(data):
    with contextlib.suppress(ValueError, IndexError):
        assert isinstance(list(message(data)), list)
