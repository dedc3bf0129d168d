"""Record a Kinesis stream into a file, with each record's time of arrival, to replay it later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EVENT_TIME = "event_time"
_CAUGHT_UP_READS = 3


def record(kinesis: Any, stream: str, path: Path, event_time: str = EVENT_TIME) -> int:
    """Write what a stream holds, one record a line; return how many.

    A record that is a JSON object gets its time of arrival as one more field. Any other record can carry none: it is
    written as it is, and in a replay goes to the error stream, as it did when it was live.

    Parameters
    ----------
    kinesis : boto3 client
    stream : str
        Read from its oldest record to the newest at this moment, shard after shard.
    path : Path
        Replaced.
    event_time : str
        Name of the field for the time of arrival, ISO 8601 in UTC to the millisecond.
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
    # The service tells milliseconds, its client makes a binary fraction of them: round, don't cut.
    rounded = arrival.astimezone(UTC) + timedelta(microseconds=500)
    document[event_time] = rounded.isoformat(timespec="milliseconds")
    return json.dumps(document).encode()


def _records(kinesis: Any, stream: str) -> Iterator[dict[str, Any]]:
    for page in kinesis.get_paginator("list_shards").paginate(StreamName=stream):
        for shard in page["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            # An answer may be empty though there is more; MillisBehindLatest says whether.
            caught_up = 0
            while iterator and caught_up < _CAUGHT_UP_READS:
                answer = kinesis.get_records(ShardIterator=iterator)
                yield from answer["Records"]
                iterator = answer.get("NextShardIterator")
                end = not answer["Records"] and answer.get("MillisBehindLatest", 0) == 0
                caught_up = caught_up + 1 if end else 0
