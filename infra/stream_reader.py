"""Reads the newest records of all shards of a Kinesis stream, to show them.

Unlike a job's source it stores no position. It follows split and merged shards, and repeats a call that was throttled
or failed at the next :meth:`StreamReader.read`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from base.errors import KdaError
from connectors.shard_list import shards_of

#: Kinesis allows five reads per second of one shard, by all its consumers together.
READ_SECONDS = 0.25
#: Reads that found the end, after which it counts: an answer may be empty although there are more records.
CAUGHT_UP_READS = 3
_SHARDS_SECONDS = 10.0
#: Errors after which another call may succeed.
_PASSING = (
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "InternalFailure",
    "ServiceUnavailable",
    "ThrottlingException",
)


class StreamError(KdaError):
    """A stream can't be read; the message says which and why."""


@dataclass(frozen=True)
class StreamRecord:
    """One record.

    Attributes
    ----------
    data : bytes
    arrival : datetime
        Time of arrival, with a time zone.
    shard, key : str
        Id of its shard, and its partition key.
    """

    data: bytes
    arrival: datetime
    shard: str
    key: str


class StreamReader:
    """Reads one stream from a point in time.

    Parameters
    ----------
    kinesis : boto3 client
    stream : str
        Its name.
    since : datetime or None
        Time of arrival of the oldest records to read; None: read all.

    Attributes
    ----------
    behind_seconds : float
        How far the last read was behind the stream's end, as reported by Kinesis.
    """

    def __init__(self, kinesis: Any, stream: str, since: datetime | None) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._start: dict[str, Any] = (
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": since}
            if since
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        self._iterators: dict[str, str] = {}
        self._positions: dict[str, str] = {}
        self._ended: set[str] = set()
        self._shards_known_until = 0.0
        self.behind_seconds = 0.0

    def read(self, limit: int = 1000) -> list[StreamRecord]:
        """Return new records, oldest first, at most `limit` of each shard. It does not wait for records.

        Raises
        ------
        StreamError
            The stream doesn't exist or may not be read, or the service doesn't answer.
        """
        records: list[StreamRecord] = []
        try:
            if time.monotonic() >= self._shards_known_until:
                self._find_shards()
            behind = 0.0
            for shard in list(self._iterators):
                found, shard_behind = self._read_shard(shard, limit)
                records += found
                behind = max(behind, shard_behind)
            self.behind_seconds = behind
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            if code in _PASSING:
                return records
            raise StreamError(f"stream {self._stream}: {code}: {message}") from None
        except BotoCoreError as error:
            raise StreamError(f"stream {self._stream}: {error}") from None
        return sorted(records, key=lambda record: record.arrival)

    def rest(self, limit: int = 1000) -> Iterator[list[StreamRecord]]:
        """What each of several reads gives, until the stream's end is reached; raises as :meth:`read`.

        Records that keep coming don't prolong it: a read that gets all there is has reached the end.
        """
        caught_up = 0
        while caught_up < CAUGHT_UP_READS:
            new = self.read(limit)
            yield new
            caught_up = 0 if len(new) >= limit or self.behind_seconds else caught_up + 1

    def _find_shards(self) -> None:
        for shard in shards_of(self._kinesis, self._stream):
            name = shard["ShardId"]
            if name not in self._iterators and name not in self._ended:
                self._iterators[name] = self._iterator(name)
        self._shards_known_until = time.monotonic() + _SHARDS_SECONDS

    def _iterator(self, shard: str) -> str:
        position = self._positions.get(shard)
        start = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
            if position
            else self._start
        )
        answer = self._kinesis.get_shard_iterator(StreamName=self._stream, ShardId=shard, **start)
        return str(answer["ShardIterator"])

    def _read_shard(self, shard: str, limit: int) -> tuple[list[StreamRecord], float]:
        try:
            answer = self._kinesis.get_records(ShardIterator=self._iterators[shard], Limit=limit)
        except ClientError as error:
            # An iterator expires after five minutes, and a laptop may sleep longer.
            if error.response["Error"]["Code"] != "ExpiredIteratorException":
                raise
            self._iterators[shard] = self._iterator(shard)
            return [], 0.0
        if answer["Records"]:
            self._positions[shard] = answer["Records"][-1]["SequenceNumber"]
        if following := answer.get("NextShardIterator"):
            self._iterators[shard] = following
        else:
            del self._iterators[shard]
            self._ended.add(shard)
            self._shards_known_until = 0.0  # list the shards again, to find its children
        records = [
            StreamRecord(r["Data"], r["ApproximateArrivalTimestamp"], shard, r["PartitionKey"])
            for r in answer["Records"]
        ]
        return records, answer.get("MillisBehindLatest", 0) / 1000


def all_records(kinesis: Any, stream: str) -> Iterator[dict[str, Any]]:
    """Every record of a stream as Kinesis gives it, shard by shard, oldest first; those of closed shards too."""
    for shard in shards_of(kinesis, stream):
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        caught_up = 0
        while iterator and caught_up < CAUGHT_UP_READS:
            answer = kinesis.get_records(ShardIterator=iterator)
            yield from answer["Records"]
            iterator = answer.get("NextShardIterator")
            end = not answer["Records"] and answer.get("MillisBehindLatest", 0) == 0
            caught_up = caught_up + 1 if end else 0
