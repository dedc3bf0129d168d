"""A lab's whole job over a stream with fixed arrival times; every AWS service that it calls answers from memory.

The expected rows are computed by the forest itself and a few lines of Python, without Flink.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from base.aws import LOCAL_REGION
from jobs.sessions.reference import Click, session_id, sessions
from pipeline.flink_version import stop_with_savepoint
from pipeline.settings import override
from tests.jobs.conftest import EPOCH, Flink
from tests.torture.proxy import Call, Fault, running_proxy
from udfs.anomaly_detector import AnomalyDetector
from udfs.random_cut_forest import RandomCutForest

_ARN = f"arn:aws:kinesis:{LOCAL_REGION}:000000000000:stream/"
_SHARD = "shardId-000000000000"
#: Milliseconds between two records.
_APART = 40


@dataclass(frozen=True)
class Replay:
    """A lab's job, with properties that deliver all of its rows.

    Parameters
    ----------
    name : str
        The job's.
    properties : tuple of str
        Override the job's own, as ``group.key=value``.
    record : callable
        Takes a random generator, a number and the time of arrival (epoch milliseconds); returns a record's fields.
    key : callable
        Converts a delivered row to the form of the expected ones.
    expected : callable
        Takes the fields of all records, with ``arrival``; returns the rows of a run without interruption.
    """

    name: str
    properties: tuple[str, ...]
    record: Callable[[random.Random, int, int], dict[str, Any]]
    key: Callable[[dict[str, Any]], Any]
    expected: Callable[[list[dict[str, Any]]], set[Any]]

    def groups(self, endpoint: str) -> dict[str, dict[str, str]]:
        """Its property groups, with all services at one address."""
        # On a slow machine, pauses must not close sessions: only event times count.
        given = (f"aws.endpoint={endpoint}", "source.position=TRIM_HORIZON", "source.idle_timeout=900")
        return override({}, [*given, *self.properties])

    def records(self, number: int) -> list[dict[str, Any]]:
        """Records that are the same each time."""
        rng, begin = random.Random(11), int(EPOCH.timestamp() * 1000)
        moments = [begin + n * _APART for n in range(number)]
        return [self.record(rng, n, moment) | {"arrival": moment} for n, moment in enumerate(moments)]


def _trade(rng: random.Random, number: int, arrival: int) -> dict[str, Any]:
    return {"tickerSymbol": "AMZN", "price": rng.gauss(100, 5), "quantity": rng.randint(10, 90), "id": number}


def _scored_trades(trades: list[dict[str, Any]]) -> set[Any]:
    forest = RandomCutForest(2, number_of_trees=20, sub_sample_size=32, seed=7)
    scores = forest.score_many([[t["price"], t["quantity"]] for t in trades])
    return {(t["id"], round(float(s), 9)) for t, s in zip(trades, scores, strict=True) if s > 0}


def _action(rng: random.Random, number: int, arrival: int) -> dict[str, Any]:
    return {"browseraction": rng.choice(["Click", "Impression", "Impression"]), "site": "a.example"}


def _scored_rates(actions: list[dict[str, Any]]) -> set[Any]:
    counts = collections.Counter((a["arrival"] // 1000, a["browseraction"]) for a in actions)
    seconds = sorted({s for s, _ in counts if counts[s, "Click"] and counts[s, "Impression"]})
    rates = [counts[s, "Click"] / counts[s, "Impression"] * 100 for s in seconds]
    points = [[r] for r in rates]
    scores = RandomCutForest(1, number_of_trees=20, sub_sample_size=12, seed=7).score_many(points)
    expected = AnomalyDetector(1, sub_sample_size=12).detect_many(points).expected[:, 0]
    return {
        (
            datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            round(rate, 6),
            round(float(score), 9),
            round(float(number), 9),
        )
        for s, rate, score, number in zip(seconds, rates, scores, expected, strict=True)
        if score > 0
    }


def _click(rng: random.Random, number: int, arrival: int) -> dict[str, Any]:
    user, device = f"user{rng.randint(0, 30)}", "phone"
    return {"user_id": user, "event_timestamp": arrival, "event_name": "page", "device_type": device}


def _sessions(clicks: list[dict[str, Any]]) -> set[Any]:
    made = (Click(c["user_id"], c["event_timestamp"], c["device_type"]) for c in clicks)
    return {session_id(first) for first, *_ in sessions(made, 1000)}


_FOREST = ("random_cut_forest.number_of_trees=20", "random_cut_forest.seed=7", "anomalies.threshold=0")
REPLAYS = (
    Replay(
        "trades",
        (*_FOREST, "random_cut_forest.sub_sample_size=32"),
        _trade,
        lambda row: (row["id"], round(row["anomaly_score"], 9)),
        _scored_trades,
    ),
    Replay(
        "ctr",
        (*_FOREST, "window.size=1", "anomalies.by=score"),
        _action,
        lambda r: (
            r["WINDOW_START"][:19],
            round(r["CTRPERCENT"], 6),
            round(r["ANOMALY_SCORE"], 9),
            round(r["EXPECTED_CTR"], 9),
        ),
        _scored_rates,
    ),
    Replay(
        "sessions",
        ("sessions.gap=1", "sessions.session_id=date_and_time", "event_time.disorder=1"),
        _click,
        lambda row: row["session_id"],
        _sessions,
    ),
)


@dataclass
class Services:
    """Kinesis with one shard of records, a delivery stream and a function, as a proxy's rule.

    Attributes
    ----------
    visible : int
        Records that the job can read from the stream so far.
    read : int
        Records that the job has read.
    rows : list of dict
        Rows that the job delivered, in order of arrival; without errors.
    """

    records: Sequence[dict[str, Any]]
    visible: int
    read: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    errors: collections.Counter[str] = field(default_factory=collections.Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: Call) -> Fault:
        answer = getattr(self, f"_{call.operation}")(call.body)
        return Fault(status=200, answer=json.dumps(answer))

    def _DescribeStream(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body.get("StreamName") or body["StreamARN"].rpartition("/")[2]
        shards = self._ListShards(body)["Shards"]
        return {
            "StreamDescription": {
                "StreamName": name,
                "StreamARN": _ARN + name,
                "StreamStatus": "ACTIVE",
                "Shards": shards,
                "HasMoreShards": False,
                "RetentionPeriodHours": 24,
                "StreamCreationTimestamp": 0,
                "EnhancedMonitoring": [],
            }
        }

    def _ListShards(self, body: dict[str, Any]) -> dict[str, Any]:
        keys = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
        numbers = {"StartingSequenceNumber": "0"}
        return {"Shards": [{"ShardId": _SHARD, "HashKeyRange": keys, "SequenceNumberRange": numbers}]}

    def _GetShardIterator(self, body: dict[str, Any]) -> dict[str, Any]:
        after = body["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"
        return {"ShardIterator": str(int(body["StartingSequenceNumber"]) + 1 if after else 0)}

    def _GetRecords(self, body: dict[str, Any]) -> dict[str, Any]:
        first = int(body["ShardIterator"])
        last = min(self.visible, first + 500)
        if first == last:
            time.sleep(0.05)
        found = [
            {
                "Data": base64.b64encode(json.dumps(r).encode()).decode(),
                "PartitionKey": "p",
                "SequenceNumber": str(n),
                "ApproximateArrivalTimestamp": r["arrival"] / 1000,
            }
            for n, r in enumerate(self.records[first:last], first)
        ]
        self.read = max(self.read, first)  # a reader that asks for these has received those before
        return {"Records": found, "NextShardIterator": str(last), "MillisBehindLatest": 0}

    def _PutRecords(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.errors.update(json.loads(base64.b64decode(r["Data"]))["data_row"] for r in body["Records"])
        return {
            "FailedRecordCount": 0,
            "Records": [{"SequenceNumber": "1", "ShardId": _SHARD} for _ in body["Records"]],
        }

    def _PutRecordBatch(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.rows += [json.loads(base64.b64decode(r["Data"])) for r in body["Records"]]
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"} for _ in body["Records"]]}

    def _Invoke(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.rows += [json.loads(base64.b64decode(r["data"])) for r in body["records"]]
        return {"records": [{"recordId": r["recordId"], "result": "Ok"} for r in body["records"]]}


@dataclass
class Run:
    """A running job: the services that it reads and writes, and its client."""

    services: Services
    client: Any

    def wait(self, rows: int, seconds: float = 300) -> None:
        """Return when all visible records are read, and this many rows have come."""
        end = time.monotonic() + seconds
        while self.services.read < self.services.visible or len(self.services.rows) < rows:
            came = f"{self.services.read} of {self.services.visible} records, {len(self.services.rows)} of {rows} rows"
            assert time.monotonic() < end, came
            time.sleep(0.05)

    def stop(self, folder: Path, drain: bool) -> Path:
        """Stop with a savepoint; with ``drain`` all windows close first."""
        end = time.monotonic() + 180
        while True:
            try:
                stopped = stop_with_savepoint(self.client, folder, drain=drain)
            except Exception as e:
                # The source may have read all before the last task runs.
                if "is not being executed at the moment" not in str(e) or time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return Path(stopped.removeprefix("file:"))


@contextlib.contextmanager
def running(
    mini_flink: Flink, replay: Replay, services: Services, savepoint: Path | None = None, parallelism: int = 1
) -> Iterator[Run]:
    """The job, from its beginning or a savepoint."""
    # State in files beside the savepoint's own has relative paths, so the folder can be moved; hence no inline state.
    options = {"execution.checkpointing.data-inline-threshold": "0 b"}
    options |= {"execution.state-recovery.path": savepoint.as_uri()} if savepoint else {}
    options["parallelism.default"] = str(parallelism)
    table_env = mini_flink.environment(**options)
    with running_proxy("http://127.0.0.1:1") as proxy:
        proxy.rule = services
        pipeline = mini_flink.pipeline(replay.name, table_env, groups=replay.groups(proxy.endpoint))
        pipeline.deliver()
        client = pipeline.execute().get_job_client()
        try:
            yield Run(services, client)
        finally:
            with contextlib.suppress(Exception):  # it has ended
                client.cancel().result()
