"""Records a Kinesis stream to a file, with each record's time of arrival, to replay it later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EVENT_TIME = "event_time"
_CAUGHT_UP_READS = 3


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
        for found in _records(kinesis, stream):
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


def _records(kinesis: Any, stream: str) -> Iterator[dict[str, Any]]:
    for page in kinesis.get_paginator("list_shards").paginate(StreamName=stream):
        for shard in page["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            # An answer may be empty although there are more records; MillisBehindLatest says so.
            caught_up = 0
            while iterator and caught_up < _CAUGHT_UP_READS:
                answer = kinesis.get_records(ShardIterator=iterator)
                yield from answer["Records"]
                iterator = answer.get("NextShardIterator")
                end = not answer["Records"] and answer.get("MillisBehindLatest", 0) == 0
                caught_up = caught_up + 1 if end else 0
