"""Each lab's records, the rows that its job must deliver, computed without the job's code, and those that it did."""

from __future__ import annotations

import collections
import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from jobs.sessions.reference import Click, session_id, sessions
from tests.torture.lab import Lab, Outcome, Record, changed, decoded
from udfs.anomaly_detector import AnomalyDetector
from udfs.decoding.columns import Column
from udfs.random_cut_forest import RandomCutForest

# --- lab 3: every trade's score, from one forest that must survive everything


def _trade(number: int, rng: random.Random) -> dict[str, Any]:
    times = 4 if rng.random() < 0.05 else 1
    price, quantity = rng.gauss(100, 5) * times, rng.randint(10, 90) * times
    symbol = rng.choice(("AMZN", "MSFT", "ÜBER", ""))
    return {"tickerSymbol": symbol, "tradeType": "BUY", "price": price, "quantity": quantity, "id": number}


def _trades_expected(records: list[Record], by_symbol: bool = False) -> Outcome:
    good, errors = decoded(
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
    good, errors = decoded(
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
    good, errors = decoded(
        records,
        Column("user_id", "VARCHAR(256)", "$.user_id", required=True),
        Column("event_timestamp", "BIGINT", "$.event_timestamp", required=True),
        Column("device_type", "VARCHAR(64)", "$.device_type", required=True),
    )
    starts = (session_id(first) for first, *_ in sessions((Click(*v) for _, v in good), _GAP))
    return Outcome(collections.Counter[Any](starts), errors)


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

#: The same with several shards.
SESSIONS_OF_SHARDS = replace(SESSIONS, shards=3)

LABS = {
    "trades": TRADES,
    "trades-by-symbol": BY_SYMBOL,
    "ctr": CTR,
    "ctr-of-shards": CTR_OF_SHARDS,
    "sessions": SESSIONS,
    "sessions-of-shards": SESSIONS_OF_SHARDS,
    "sessions-to-function": TO_FUNCTION,
}
