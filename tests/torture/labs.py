"""Each lab's records, the rows that its job must deliver, computed without the job's code, and those that it did."""

from __future__ import annotations

import collections
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from udfs.anomaly_detector import AnomalyDetector
from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder
from udfs.random_cut_forest import RandomCutForest

#: Share of the records that are bad.
BAD = 0.02
#: Where a lab's job writes in S3.
BUCKET = "torture"
_RUBBISH = (
    b"\xff\xfe",
    b"{",
    b"[1]",
    b"",
    b'{"id": "x',
    b"null",
    b'{"price": {}}\x00',
    b"<script>alert(1)</script>",
    b"'; DROP TABLE trades; --",
    b"=HYPERLINK(1)",
    b'{"price": NaN}',
    b"[" * 20_000,
    b'{"price": 1e999, "id": ' + b"9" * 5000,
    b'"' + b"x" * 60_000,
)


@dataclass(frozen=True)
class Record:
    """A record on the stream: ``number`` is its sequence number, ``arrival`` in milliseconds since the epoch."""

    data: bytes
    number: str
    arrival: int


@dataclass(frozen=True)
class Outcome:
    """The rows and errors of some records.

    Attributes
    ----------
    rows : Counter
        How often each row came at the sink, by key and values.
    errors : Counter
        How often each raw record, in hexadecimal, came on the error stream.
    """

    rows: collections.Counter[Any]
    errors: collections.Counter[str]


@dataclass(frozen=True)
class Lab:
    """A lab under torture.

    Parameters
    ----------
    name : str
        The job's.
    stream, errors : str
        The stream that it reads and the one for errors.
    properties : dict
        Property groups, without those that every job gets and without the sink's.
    record : callable
        Takes a number and a random generator; returns the fields of a good record.
    expected : callable
        Takes the stream's records in order; returns the outcome that must come, each row once.
    rows : callable
        Takes the sink's rows; returns what is compared.
    sink : str
        The service that it writes to; "files" for none. Rows in S3 and in files come exactly once; an item of DynamoDB
        and a row for a function may come again, with the same key.
    shards : int
        Shards of the stream at its start. With more than one, they are also split, merged and read slowly, and the
        expected rows must not depend on their order.
    """

    name: str
    stream: str
    errors: str
    properties: dict[str, dict[str, str]]
    record: Callable[[int, random.Random], dict[str, Any]]
    expected: Callable[[list[Record]], Outcome]
    rows: Callable[[list[dict[str, Any]]], collections.Counter[Any]]
    sink: str = "files"
    shards: int = 1

    def data(self, number: int, rng: random.Random) -> bytes:
        """A record's bytes; now and then a bad record."""
        if rng.random() < BAD:
            return rng.choice(_RUBBISH) + (b"" if rng.random() < 0.1 else b"%d}" % number)
        return json.dumps(self.record(number, rng)).encode()

    def target(self, folder: Path) -> dict[str, str]:
        """The property group of the sink."""
        if self.sink in ("dynamodb", "lambda"):
            return {"type": self.sink}
        return {
            "type": "s3",
            "path": f"s3://{BUCKET}/rows/" if self.sink == "s3" else (folder / "sink").as_uri(),
        }

    def delivered(self, folder: Path, client: Callable[[str], Any]) -> collections.Counter[Any]:
        """The rows that the sink has; ``client`` returns a client by the service's name."""
        if self.sink == "dynamodb":
            pages = client("dynamodb").get_paginator("scan").paginate(TableName="CloudAcademyLabs")
            return self.rows([item for page in pages for item in page["Items"]])
        return self.rows(_objects(client("s3"), "rows/") if self.sink == "s3" else _lines(folder / "sink"))


def changed(groups: dict[str, dict[str, str]], group: str, **values: str) -> dict[str, dict[str, str]]:
    """Property groups with some values of one group replaced or added."""
    return groups | {group: groups[group] | values}


def _decoded(records: list[Record], *columns: Column) -> tuple[list[tuple[Record, tuple[Any, ...]]], Any]:
    decoder = RecordDecoder(columns)
    good, errors = [], collections.Counter[str]()
    for record in records:
        for row in decoder.decode(record.data):
            if row.values is not None:
                good.append((record, row.values))
            else:
                errors[row.data_row or ""] += 1
    return good, errors


def _lines(folder: Path) -> list[dict[str, Any]]:
    files = [f for f in folder.rglob("*") if f.is_file() and not f.name.startswith((".", "_"))]
    return [json.loads(line) for f in files for line in f.read_text().splitlines()]


def _objects(s3: Any, prefix: str) -> list[dict[str, Any]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    # Names with an underscore first are parts that the sink keeps until a checkpoint completes.
    keys = [key for key in keys if not key.rpartition("/")[2].startswith("_")]
    bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


# --- lab 3: every trade's score, from one forest that must survive everything


def _trade(number: int, rng: random.Random) -> dict[str, Any]:
    times = 4 if rng.random() < 0.05 else 1
    price, quantity = rng.gauss(100, 5) * times, rng.randint(10, 90) * times
    symbol = rng.choice(("AMZN", "MSFT", "ÜBER", ""))
    return {"tickerSymbol": symbol, "tradeType": "BUY", "price": price, "quantity": quantity, "id": number}


def _trades_expected(records: list[Record], by_symbol: bool = False) -> Outcome:
    good, errors = _decoded(
        records,
        Column("price", "DOUBLE", "$.price"),
        Column("quantity", "INTEGER", "$.quantity"),
        Column("id", "INTEGER", "$.id"),
        Column("ticker_symbol", "VARCHAR(8)", "$.tickerSymbol"),
    )
    rows = collections.Counter[Any]()
    forests = collections.defaultdict[Any, list[tuple[Any, ...]]](list)
    for _, trade in good:
        forests[trade[3] if by_symbol else None].append(trade)
    for trades in forests.values():
        forest = RandomCutForest(2, number_of_trees=30, sub_sample_size=32, seed=7)
        for trade, score in zip(trades, forest.score_many([t[:2] for t in trades]), strict=True):
            rows[trade[2], round(float(score), 9)] += score > 0
    return Outcome(+rows, errors)


TRADES = Lab(
    "trades",
    "Demo-samples",
    "Demo-samples-errors",
    {
        "random_cut_forest": {
            "columns": "price, quantity",
            "number_of_trees": "30",
            "sub_sample_size": "32",
            "seed": "7",
        },
        "anomalies": {"threshold": "0"},
    },
    _trade,
    _trades_expected,
    lambda rows: collections.Counter((r["id"], round(r["anomaly_score"], 9)) for r in rows),
)


#: The same with a forest for each symbol; after a rescaling these are in different subtasks.
BY_SYMBOL = replace(
    TRADES,
    properties=changed(TRADES.properties, "random_cut_forest", partition_by="ticker_symbol"),
    expected=lambda records: _trades_expected(records, by_symbol=True),
)


# --- lab 1: the rate of every second, its score, and what the detector expected it to be


def _action(number: int, rng: random.Random) -> dict[str, Any]:
    return {"browseraction": rng.choice(["Click", "Impression", "Impression"]), "site": "a.example"}


def _ctr_expected(records: list[Record]) -> Outcome:
    good, errors = _decoded(
        records,
        Column("browseraction", "VARCHAR(32)", "$.browseraction", required=True),
        Column("site", "VARCHAR(253)", "$.site"),
    )
    counts = collections.Counter((r.arrival // 1000, values[0]) for r, values in good)
    seconds = sorted({s for s, _ in counts})
    rates = [
        (s, counts[s, "Click"] / counts[s, "Impression"] * 100)
        for s in seconds
        if counts[s, "Click"] and counts[s, "Impression"]
    ]
    forest = RandomCutForest(1, sub_sample_size=12, seed=7)
    points = np.array([[rate] for _, rate in rates]).reshape(-1, 1)
    scores = forest.score_many(points)
    expected = AnomalyDetector(1, sub_sample_size=12).detect_many(points).expected[:, 0]
    rows = [
        (
            datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            *(round(float(x), 6) for x in (rate, score, number)),
        )
        for (s, rate), score, number in zip(rates, scores, expected, strict=True)
        if score > 0
    ]
    return Outcome(collections.Counter(rows), errors)


CTR = Lab(
    "ctr",
    "ctr-clickstream",
    "ctr-errors",
    {
        "window": {"size": "1"},
        "random_cut_forest": {"seed": "7"},
        "anomalies": {"by": "score", "threshold": "0"},
    },
    _action,
    _ctr_expected,
    lambda rows: collections.Counter(
        (
            r["WINDOW_START"][:19],
            *(round(r[name], 6) for name in ("CTRPERCENT", "ANOMALY_SCORE", "EXPECTED_CTR")),
        )
        for r in rows
    ),
    sink="s3",
)


#: The same with several shards, which more than one subtask reads.
CTR_OF_SHARDS = replace(CTR, sink="files", shards=3)

# --- lab 2: the start of every session, as an item of a table

_GAP = 1000


def _click(number: int, rng: random.Random) -> dict[str, Any]:
    return {
        "user_id": f"user{rng.randint(0, 30)}",
        "event_timestamp": int(time.time() * 1000),
        "event_name": "page",
        "event_type": "click",
        "device_type": "phone",
    }


def _sessions_expected(records: list[Record]) -> Outcome:
    good, errors = _decoded(
        records,
        Column("user_id", "VARCHAR(256)", "$.user_id", required=True),
        Column("event_timestamp", "BIGINT", "$.event_timestamp", required=True),
        Column("device_type", "VARCHAR(64)", "$.device_type", required=True),
    )
    last: dict[str, int] = {}
    starts = collections.Counter[Any]()
    for user, moment, device in sorted((v for _, v in good), key=lambda v: v[1]):
        if user not in last or moment - last[user] > _GAP:
            at = datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            starts[f"{user}_{device}_{at}.{moment % 1000:03d}Z"] += 1
        last[user] = moment
    return Outcome(starts, errors)


SESSIONS = Lab(
    "sessions",
    "lab-stream",
    "lab-stream-errors",
    {"sessions": {"gap": str(_GAP / 1000), "session_id": "date_and_time"}},
    _click,
    _sessions_expected,
    lambda rows: collections.Counter(r["session_id"]["S"] for r in rows),
    sink="dynamodb",
)

#: The same with the lab's own sink: a function gets each session's start.
TO_FUNCTION = replace(
    SESSIONS, rows=lambda rows: collections.Counter({r["session_id"] for r in rows}), sink="lambda"
)

LABS = {
    "trades": TRADES,
    "trades-by-symbol": BY_SYMBOL,
    "ctr": CTR,
    "ctr-of-shards": CTR_OF_SHARDS,
    "sessions": SESSIONS,
    "sessions-to-function": TO_FUNCTION,
}
