"""Packed records: gzip, and the Kinesis Producer Library's aggregation."""

import gzip
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.decoding.decoded import V, rows, values
from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder
from udfs.decoding.record_envelope import MOST_UNPACKED
from udfs.decoding.refused import MAX_DATA_ROW


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def aggregated(*records: bytes) -> bytes:
    """As the Kinesis Producer Library packs records: two keys, hash keys, tags, and fields of a later version."""
    message = field(1, b"key-a") + field(1, b"key-b") + field(2, b"12345")
    for k, record in enumerate(records):
        tags = field(4, field(1, b"tag") + field(2, b"value"))
        message += field(3, b"\x08" + varint(k % 2) + b"\x10\x00" + field(3, record) + tags)
    message += varint(9 << 3 | 1) + bytes(8) + varint(10 << 3 | 5) + bytes(4)
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message, usedforsecurity=False).digest()


def test_gzip_and_aggregated_records_are_unpacked() -> None:
    assert values(gzip.compress(b'{"v":1}\n{"v":2}', mtime=0)) == [1, 2]
    assert values(gzip.compress(b'{"v":1}', mtime=0) + gzip.compress(b'{"v":2}', mtime=0)) == [1, 2]
    long = b'{"v":"' + b"y" * 300 + b'"}'
    packed = aggregated(b'{"v":1}', b'{"v":2}{"v":3}', gzip.compress(b'{"v":4}', mtime=0), long)
    assert values(packed) == [1, 2, 3, 4, "COERCION"]
    assert values(aggregated()) == []


def test_an_error_in_a_packed_record_shows_what_was_packed() -> None:
    for data in (gzip.compress(b'{"v":oops}', mtime=0), aggregated(b'{"v":1}', b'{"v":oops}')):
        (bad,) = (row for row in RecordDecoder(V).decode(data) if row.values is None)
        assert bad.data_row == b'{"v":oops}'.hex()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (gzip.compress(b'{"v":1}', mtime=0)[:-4], "INVALID_GZIP"),
        (b"\x1f\x8b rubbish", "INVALID_GZIP"),
        (b"\x1f\x8b", "INVALID_GZIP"),
        (aggregated(b'{"v":1}')[:-1], "INVALID_AGGREGATE"),
        (b"\xf3\x89\x9a\xc2", "INVALID_AGGREGATE"),
    ],
)
def test_a_damaged_packing_is_reported(data: bytes, name: str) -> None:
    (row,) = RecordDecoder(V).decode(data)
    assert (row.error_name, row.data_row) == (name, data.hex())


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_a_damaged_message_with_a_right_digest_is_reported(message: bytes) -> None:
    data = b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message, usedforsecurity=False).digest()
    for row in RecordDecoder(V).decode(data):
        assert row.values is not None or row.error_name


def test_a_bomb_is_reported_and_not_unpacked() -> None:
    bomb = gzip.compress(b" " * (MOST_UNPACKED + 1), compresslevel=1, mtime=0)
    assert len(bomb) < 1024 * 1024
    assert values(bomb) == ["INVALID_GZIP"]


def test_ten_mebibytes_are_a_record() -> None:
    text = "x" * (10 * 1024 * 1024 - 20)
    decoder = RecordDecoder([Column("t", "STRING", "$.t"), Column("v", "DOUBLE", "$.v")])
    data = json.dumps({"t": text, "v": "1"}).encode()
    assert decoder.plain(data) == (text, 1.0)
    assert rows(decoder, data) == [(text, 1.0)]
    (bad,) = decoder.decode(data.replace(b'"1"', b'"y"'))
    assert len(bad.data_row or "") <= MAX_DATA_ROW
    assert "cut to" in (bad.message or "")
