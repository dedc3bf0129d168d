"""A stream as a file of records with their times."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.recording import record

ARRIVAL = datetime(2024, 1, 31, 12, 0, 0, 122_999, tzinfo=UTC)


class Kinesis:
    """Two shards: one goes on, with gaps in between; the other was closed by a split."""

    def __init__(self) -> None:
        self._answers: dict[str, list[list[bytes]]] = {
            "one": [[b'{"n": 1}'], [], [b"no json\nat all", b"[2]"]],
            "closed": [[b'{"n": 3}']],
        }

    def list_shards(self, **_: str) -> dict[str, Any]:
        return {"Shards": [{"ShardId": "one"}, {"ShardId": "closed"}]}

    def get_shard_iterator(self, *, ShardId: str, **_: str) -> dict[str, str]:
        return {"ShardIterator": ShardId}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:
        answers = self._answers[ShardIterator]
        data = answers.pop(0) if answers else []
        ended = ShardIterator == "closed" and not answers
        return {
            "Records": [{"Data": d, "ApproximateArrivalTimestamp": ARRIVAL} for d in data],
            "NextShardIterator": None if ended else ShardIterator,
            "MillisBehindLatest": 1000 if answers else 0,
        }


def test_every_record_is_a_line_with_its_time_of_arrival(tmp_path: Path) -> None:
    assert record(Kinesis(), "stream", tmp_path / "file") == 4
    first, *rest, last = (tmp_path / "file").read_text().splitlines()
    # To the nearest millisecond.
    assert json.loads(first) == {"n": 1, "event_time": "2024-01-31T12:00:00.123+00:00"}
    assert rest == ["no json at all", "[2]"]
    assert json.loads(last)["n"] == 3
