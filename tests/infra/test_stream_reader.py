"""The stream reader: all shards from a moment on, and what a stream's faults do to it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.stream_reader import CAUGHT_UP_READS, StreamError, StreamReader

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


class Kinesis:
    """A stream of shards, each a list of answers: records, an error code, or None for the shard's end."""

    def __init__(self, **shards: list[Any]) -> None:
        self.shards = shards
        self.started: list[dict[str, Any]] = []
        self.behind = [1500]  # milliseconds, read by read; the last one stays

    def list_shards(self, **arguments: Any) -> dict[str, Any]:
        return {"Shards": [{"ShardId": name} for name in self.shards]}

    def get_shard_iterator(self, **arguments: Any) -> dict[str, str]:
        self.started.append(arguments)
        return {"ShardIterator": arguments["ShardId"]}

    def get_records(self, ShardIterator: str, Limit: int) -> dict[str, Any]:
        answers = self.shards[ShardIterator]
        answer = answers.pop(0) if answers else []
        if isinstance(answer, str):
            raise ClientError({"Error": {"Code": answer, "Message": "no"}}, "GetRecords")
        records = [
            {
                "Data": data,
                "SequenceNumber": str(data),
                "PartitionKey": "k",
                "ApproximateArrivalTimestamp": moment,
            }
            for moment, data in answer or []
        ]
        following = {} if answer is None else {"NextShardIterator": ShardIterator}
        behind = self.behind.pop(0) if len(self.behind) > 1 else self.behind[0]
        return {"Records": records, "MillisBehindLatest": behind} | following


def at(second: int) -> datetime:
    return NOON.replace(second=second)


def test_shards_are_read_side_by_side_in_order_of_arrival() -> None:
    kinesis = Kinesis(a=[[(at(1), b"1"), (at(3), b"3")]], b=[[(at(2), b"2")]])
    reader = StreamReader(kinesis, "s", NOON)
    assert [record.data for record in reader.read()] == [b"1", b"2", b"3"]
    assert reader.behind_seconds == 1.5
    assert {s["ShardIteratorType"] for s in kinesis.started} == {"AT_TIMESTAMP"}


def test_an_ended_shard_is_left_and_its_children_are_found() -> None:
    kinesis = Kinesis(parent=[[(at(1), b"1")], None])
    reader = StreamReader(kinesis, "s", None)
    assert [r.data for r in reader.read()] == [b"1"]
    assert reader.read() == []
    kinesis.shards["child"] = [[(at(2), b"2")]]
    assert [r.data for r in reader.read()] == [b"2"]
    assert [s["ShardId"] for s in kinesis.started] == ["parent", "child"]


def test_an_expired_position_goes_on_after_the_last_record() -> None:
    kinesis = Kinesis(a=[[(at(1), b"1")], "ExpiredIteratorException", [(at(2), b"2")]])
    reader = StreamReader(kinesis, "s", NOON)
    assert [[r.data for r in reader.read()] for _ in range(3)] == [[b"1"], [], [b"2"]]
    assert kinesis.started[-1]["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"


def test_the_end_is_reached_although_records_keep_coming() -> None:
    kinesis = Kinesis(a=[[(at(second), b"%d" % second)] for second in range(60)])
    kinesis.behind = [1500, 0, 1500, 0]
    reads = StreamReader(kinesis, "s", NOON).rest()
    assert [[r.data for r in read] for read in reads] == [[b"%d" % n] for n in range(3 + CAUGHT_UP_READS)]


def test_a_full_answer_is_not_the_end() -> None:
    kinesis = Kinesis(a=[[(at(n), b"%d" % n), (at(n), b"%da" % n)] for n in range(9)])
    kinesis.behind = [0]  # some local emulators report no other
    assert len(list(StreamReader(kinesis, "s", NOON).rest(2))) == 9 + CAUGHT_UP_READS


def test_a_busy_stream_is_asked_again_and_a_missing_one_is_an_error() -> None:
    reader = StreamReader(Kinesis(a=["ProvisionedThroughputExceededException", [(at(1), b"1")]]), "s", NOON)
    assert reader.read() == []
    assert [r.data for r in reader.read()] == [b"1"]
    with pytest.raises(StreamError, match="stream s: ResourceNotFoundException"):
        StreamReader(Kinesis(a=["ResourceNotFoundException"]), "s", NOON).read()
