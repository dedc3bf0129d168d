"""Unwrap gzip, and the Kinesis Producer Library's aggregation of many records into one.

Both are recognized by their first bytes, which can't begin a text in UTF-8.

References
----------
Amazon Kinesis Producer Library, "KPL Aggregated Record Format".
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

#: The most bytes of an unpacked record, against gzip bombs. A Kinesis record has at most 10 MiB.
MOST_UNPACKED = 64 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_AGGREGATED = b"\xf3\x89\x9a\xc2"
_DIGEST = 16
#: Protobuf field numbers: a record in the aggregated message, and the data in a record.
_RECORDS, _DATA = 3, 3
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class EnvelopeError(ValueError):
    """A record that begins like a wrapped one but can't be unpacked; ``name`` is the name of the error."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def is_wrapped(data: bytes) -> bool:
    """Whether a record is gzip or aggregated."""
    return data.startswith((_GZIP, _AGGREGATED))


def unwrapped(data: bytes) -> Iterator[bytes]:
    """Yield the records in a record; the record itself if it is not wrapped.

    Raises
    ------
    EnvelopeError
        If the record is damaged, or unpacks to more than ``MOST_UNPACKED`` bytes. What comes before is yielded.

    Examples
    --------
    >>> import gzip
    >>> list(unwrapped(gzip.compress(b"{}"))), list(unwrapped(b"[]"))
    ([b'{}'], [b'[]'])
    """
    if not data.startswith(_AGGREGATED):
        yield _unpacked(data)
        return
    message, digest = data[len(_AGGREGATED) : -_DIGEST], data[-_DIGEST:]
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        raise EnvelopeError("INVALID_AGGREGATE", "aggregated record: its MD5 does not match its content")
    for number, record in _fields(message):
        if number == _RECORDS:
            yield from (_unpacked(value) for n, value in _fields(record) if n == _DATA)


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    parts, room = [], MOST_UNPACKED
    try:
        while data:
            member = zlib.decompressobj(wbits=31)
            parts.append(member.decompress(data, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise EnvelopeError(
                    "INVALID_GZIP", f"gzip record: required at most {MOST_UNPACKED} bytes unpacked, got more"
                )
            if not member.eof:
                raise EnvelopeError("INVALID_GZIP", "gzip record: it ends too early")
            data = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise EnvelopeError("INVALID_GZIP", f"gzip record: {error}") from None
    return b"".join(parts)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message that hold bytes, each with its number."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise _damaged()
            yield number, message[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise _damaged()


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise _damaged()


def _damaged() -> EnvelopeError:
    return EnvelopeError("INVALID_AGGREGATE", "aggregated record: not a protobuf message in the KPL's format")
