"""Input of a backtest: rows of an application's tap, or records to run through Flink."""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from base.errors import KdaError
from console.row_buffer import RowBuffers
from infra.stream_reader import READ_SECONDS, StreamReader, StreamRecord
from pipeline.backtest_settings import seconds_of

#: Rows of the detector's relation, and records of a stream: the newest count; bytes of these, or of a recording.
MOST_ROWS, MOST_RECORDS, MOST_BYTES = 50_000, 100_000, 32_000_000
#: How long a stream is read; a read's records of each shard.
_PATIENCE_SECONDS, _LIMIT = 60.0, 5_000
Rows = Sequence[Mapping[str, Any]]


class InputError(KdaError, ValueError):
    """There are no rows for a backtest; the message says where they were looked for."""


def tapped(kinesis: Any, stream: str, relation: str, hours: float) -> tuple[Rows, list[float]]:
    """Read a relation's rows of the last hours from a tap stream, in order, with their times in seconds.

    Raises
    ------
    InputError
        There are none.
    StreamError
        The stream can't be read.
    """
    buffers = RowBuffers(MOST_ROWS)
    for record in _records(kinesis, stream, hours):
        buffers.add_tapped(record.data, record.arrival)
    buffer = buffers.by_relation.get(relation)
    if buffer is None or not buffer.rows:
        raise InputError(
            f"required rows of {relation} in the stream {stream}, got none of the last {hours:g} hours: run the job "
            "here, so that its tap is on, or use a recording or the stream"
        )
    timed = [(seconds_of(row.rowtime) if row.rowtime else row.arrival, row.values) for row in buffer.rows]
    timed.sort(key=lambda each: each[0])
    return [values for _, values in timed], [seconds for seconds, _ in timed]


def write_records(kinesis: Any, streams: Mapping[str, str], hours: float, path: Path) -> int:
    """Write the sources' records of the last hours for :func:`read_records`; return their number.

    Parameters
    ----------
    streams : mapping
        Names of streams by source.
    """
    count = 0
    with path.open("w", encoding="utf-8") as lines:
        for source, stream in streams.items():
            for record in _records(kinesis, stream, hours):
                ms = round(record.arrival.timestamp() * 1000)
                lines.write(json.dumps([source, ms, base64.b64encode(record.data).decode()]) + "\n")
                count += 1
    if not count:
        raise InputError(
            f"required records in {', '.join(streams.values()) or 'a stream'}, got none of the last {hours:g} hours"
        )
    return count


def read_records(path: Path) -> dict[str, list[tuple[int, bytes | None]]]:
    """Read what :func:`write_records` wrote: by source, each record with its time of arrival in milliseconds."""
    found: dict[str, list[tuple[int, bytes | None]]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            source, ms, data = json.loads(line)
            found.setdefault(source, []).append((ms, base64.b64decode(data)))
    return found


def write_rows(path: Path, rows: Rows, times: Sequence[float]) -> None:
    """Write the newest rows to a file, to try other settings on them."""
    newest = slice(max(0, len(rows) - MOST_ROWS), None)
    with path.open("w", encoding="utf-8") as lines:
        for row, moment in zip(rows[newest], times[newest], strict=True):
            lines.write(json.dumps([moment, row]) + "\n")


def read_rows(path: Path) -> tuple[Rows, list[float]]:
    """Read what :func:`write_rows` wrote."""
    with path.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [row for _, row in found], [moment for moment, _ in found]


def _records(kinesis: Any, stream: str, hours: float) -> Iterable[StreamRecord]:
    reader = StreamReader(kinesis, stream, datetime.now(UTC) - timedelta(hours=hours))
    found: deque[StreamRecord] = deque()
    size = 0
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for new in reader.rest(_LIMIT):
        found.extend(new)
        size += sum(len(record.data) for record in new)
        while len(found) > MOST_RECORDS or size > MOST_BYTES:
            size -= len(found.popleft().data)
        if time.monotonic() > deadline:
            break
        time.sleep(READ_SECONDS)
    return found
