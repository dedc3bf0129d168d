"""Records a Kinesis stream to a file, with each record's time of arrival, to replay it later."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.stream_reader import all_records

EVENT_TIME = "event_time"


def record(kinesis: Any, stream: str, path: Path, event_time: str = EVENT_TIME) -> int:
    """Write a stream's records to a file, one per line; return their number.

    A record that is a JSON object gets its time of arrival as another field. Any other record can't have one: it is
    written unchanged, and goes to the error stream in a replay, as it did live.

    Parameters
    ----------
    kinesis : boto3 client
    stream : str
        Name of the stream. It is read from its oldest record to the newest at the moment, shard by shard.
    path : Path
        File to write; it is replaced.
    event_time : str
        Field for the time of arrival, ISO 8601 in UTC with milliseconds.
    """
    count = 0
    with path.open("wb") as lines:
        for found in all_records(kinesis, stream):
            lines.write(_line(found["Data"], found["ApproximateArrivalTimestamp"], event_time) + b"\n")
            count += 1
    return count


def _line(data: bytes, arrival: datetime, event_time: str) -> bytes:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data.replace(b"\n", b" ")
    if not isinstance(document, dict):
        return data.replace(b"\n", b" ")
    # The service gives milliseconds, but boto3 turns them into a binary fraction: round, don't truncate.
    rounded = arrival.astimezone(UTC) + timedelta(microseconds=500)
    document[event_time] = rounded.isoformat(timespec="milliseconds")
    return json.dumps(document).encode()
