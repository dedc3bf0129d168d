"""The result of decoding a row: its values, or an error as KDA's error stream reported it."""

from __future__ import annotations

from typing import Any, NamedTuple

#: KDA's error_stream cuts the hexadecimal raw record at VARCHAR(49152), the message at VARCHAR(4096).
MAX_DATA_ROW = 49152
MAX_MESSAGE = 4096


class Decoded(NamedTuple):
    """One row of a record: its column values, or an error.

    ``data_row`` is the raw record in hexadecimal (unwrapped, if it was wrapped); only set for an error.
    """

    values: tuple[Any, ...] | None
    error_name: str | None = None
    message: str | None = None
    data_row: str | None = None


class Refused(NamedTuple):
    """A part of a record that can't be a row: the error, and where the part starts and stops in the record's text."""

    name: str
    message: str
    start: int = 0
    stop: int | None = None


def error_row(refused: Refused, data: bytes, more: str = "") -> Decoded:
    """An error row: message and raw record, both cut to the lengths of the error stream's columns."""
    name, message, start, stop = refused
    room = MAX_DATA_ROW // 2
    kept = data[:room]
    if stop is not None:
        text = data.decode("utf-8", "surrogateescape")
        first, size = (
            len(part.encode("utf-8", "surrogateescape")) for part in (text[:start], text[start:stop].rstrip())
        )
        if size < len(data.strip(b"\xef\xbb\xbf \t\r\n")):
            more += f" (bytes {first} to {first + size} of {len(data)})"
        if len(data) > room:  # show the part in error rather than the start of the record
            kept = data[first : first + min(room, size)]
    if len(data) > room:
        more += f" (record of {len(data)} bytes, cut to {len(kept)})"
    return Decoded(None, name, f"{message[: MAX_MESSAGE - len(more)]}{more}", kept.hex())
