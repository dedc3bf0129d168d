"""The rows of a subtask that are not yet settled, in keyed state: a chunk of rows an entry, as bytes.

The rows of a chunk come in together and mostly go in one call, so an entry is written and removed once for hundreds of
rows. A chunk of which only some rows are settled is written again without those.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyflink.common import Types
from pyflink.datastream.functions import RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from connectors.lambda_sink.contract import Delivery

#: A chunk has at most this many rows, and not many more bytes than these.
CHUNK_ROWS = 500
CHUNK_BYTES = 256 * 1024
#: Flink's event time of a row that has none.
NO_TIMESTAMP = -(2**63)
#: Before a row's bytes: its sequence, its event time, and how many bytes they are.
_HEAD = struct.Struct(">qqI")
_BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
# Pickled: in thread mode PyFlink makes an array of objects of an array of bytes.
CHUNKS = MapStateDescriptor("pending_chunks", Types.LONG(), Types.PICKLED_BYTE_ARRAY())
#: State of older savepoints: an entry for each row.
ROWS = MapStateDescriptor(
    "pending", Types.LONG(), Types.ROW_NAMED(["rowtime", "data"], [Types.LONG(), _BYTES])
)


@dataclass(slots=True, eq=False)
class Chunk:
    """Rows in one entry of a bucket's state, by recordId. ``number``: the entry's key, the first row's sequence."""

    bucket: int
    number: int
    rows: dict[str, Delivery]


class Pending:
    """Keeps rows until they are settled. Flink's current key must be the bucket that a method is called for."""

    def __init__(self, runtime_context: RuntimeContext) -> None:
        self._chunks = runtime_context.get_map_state(CHUNKS)
        self._rows = runtime_context.get_map_state(ROWS)
        self._chunk_of: dict[str, Chunk] = {}
        self._touched: dict[int, dict[int, Chunk]] = {}
        self._held: dict[int, int] = {}  # chunks in the state of a bucket

    def restore(self, bucket: int) -> list[Delivery]:
        """The rows in the bucket's state, in order."""
        restored = []
        for number, packed in sorted(self._chunks.items()):
            rows = unpacked(bytes(packed), bucket)
            self._hold(bucket, number, rows)
            restored += rows
        single = [
            _restored(bucket, sequence, row[0], bytes(row[1])) for sequence, row in sorted(self._rows.items())
        ]
        if single:
            self.keep(bucket, single)
            self._rows.clear()
        return sorted(restored + single, key=lambda delivery: delivery.sequence)

    def keep(self, bucket: int, deliveries: Iterable[Delivery]) -> None:
        """Write rows to the bucket's state."""
        for rows in chunks(deliveries):
            number = rows[0].sequence
            self._hold(bucket, number, rows)
            self._chunks.put(number, _pack(rows))

    def settled(self, delivery: Delivery) -> int:
        """Take note that a row is settled; returns its bucket, whose state still has it. Needs no current key."""
        chunk = self._chunk_of.pop(delivery.record_id)
        del chunk.rows[delivery.record_id]
        self._touched.setdefault(chunk.bucket, {})[chunk.number] = chunk
        return chunk.bucket

    def remove_settled(self, bucket: int) -> None:
        """Remove the settled rows from the bucket's state."""
        for number, chunk in self._touched.pop(bucket, {}).items():
            if chunk.rows:
                self._chunks.put(number, _pack(chunk.rows.values()))
            else:
                self._chunks.remove(number)
                self._held[bucket] -= 1

    def holds(self, bucket: int) -> bool:
        """Whether the bucket's state has rows."""
        return self._held.get(bucket, 0) > 0

    def _hold(self, bucket: int, number: int, rows: Sequence[Delivery]) -> None:
        chunk = Chunk(bucket, number, {row.record_id: row for row in rows})
        self._chunk_of.update(dict.fromkeys(chunk.rows, chunk))
        self._held[bucket] = self._held.get(bucket, 0) + 1


def chunks(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """Consecutive rows, cut at :data:`CHUNK_ROWS` and after :data:`CHUNK_BYTES`."""
    chunk: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        chunk.append(delivery)
        size += len(delivery.data)
        if len(chunk) == CHUNK_ROWS or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _pack(rows: Iterable[Delivery]) -> bytes:
    parts: list[bytes] = []
    for row in rows:
        rowtime = NO_TIMESTAMP if row.rowtime is None else row.rowtime
        parts += (_HEAD.pack(row.sequence, rowtime, len(row.data)), row.data)
    return b"".join(parts)


def unpacked(packed: bytes, bucket: int) -> list[Delivery]:
    """The rows of an entry. They may have been sent before, so they have one retry."""
    rows, place = [], 0
    while place < len(packed):
        sequence, rowtime, length = _HEAD.unpack_from(packed, place)
        place += _HEAD.size
        data = packed[place : place + length]
        place += length
        rows.append(_restored(bucket, sequence, None if rowtime == NO_TIMESTAMP else rowtime, data))
    return rows


def _restored(bucket: int, sequence: int, rowtime: int | None, data: bytes) -> Delivery:
    return Delivery(sequence, f"{bucket}-{sequence}", data, rowtime, retries=1)
