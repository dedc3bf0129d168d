"""Lambda function `stock_trades_producer`: rounds of 100 stock trades, some of them anomalous.

Set by environment variables:

============== ======= ==================================================================================
STREAM_NAME            Kinesis stream that takes the trades
ANOMALY_SHARE  0.05    share of anomalous trades, 0–1
ANOMALY_SIZE   5       about how many times higher an anomalous price and quantity are
ROUNDS         900     rounds of 100 trades
ROUND_INTERVAL 1       seconds from the start of one round to the start of the next; 0 for no pause
SEED                   whole number that fixes the trades; empty for new ones each time
LEDGER_BUCKET          S3 bucket for a list of the injected anomalies, as JSON lines; empty for none
============== ======= ==================================================================================

It stops early if the function's time-out is near, and answers with the trades sent so far.
"""

import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3

Trade = dict[str, Any]

TRADES_PER_ROUND = 100
#: Seconds of the function's time kept for the last ledger object and the answer.
RESERVE_SECONDS = 10.0
# Up to this many injected trades are listed in the answer; the ledger always has all of them.
_IDS_IN_ANSWER = 500
# Limits of one PutRecords call.
_RECORDS_PER_CALL = 500
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0

_TICKERS = ("AAPL", "AMZN", "BAC", "GE", "INTC", "JPM", "KO", "MSFT", "NFLX", "WMT")
# Uniform in these ranges: the tails of a normal distribution would be outliers that the ledger does not list.
_PRICES = (90.0, 110.0)
_QUANTITIES = (35.0, 65.0)
# An anomaly's factor is between size × these: far apart, so that anomalies don't form a cluster.
_FACTOR_SPREAD = (0.5, 3.0)


def make_trades(
    rng: random.Random, first_id: int, count: int, anomaly_share: float = 0.05, anomaly_size: float = 5.0
) -> list[tuple[Trade, bool]]:
    """Make trades, each with whether it is anomalous.

    Parameters
    ----------
    rng : random.Random
        The same state gives the same trades.
    first_id : int
        ``id`` of the first trade; each next is one higher.
    count : int
        Number of trades.
    anomaly_share : float
        0–1. Exactly ``count × anomaly_share`` trades are anomalous; a fraction is rounded up or down at random.
    anomaly_size : float
        At least 1: an anomalous trade's price and quantity are half to three times this many times higher.

    Examples
    --------
    >>> trades = make_trades(random.Random(1), first_id=7, count=100)
    >>> sum(anomalous for _, anomalous in trades), trades[0][0]["id"], trades[-1][0]["id"]
    (5, 7, 106)
    """
    expected = count * anomaly_share
    anomalies = int(expected) + (rng.random() < expected % 1)
    anomalous = set(rng.sample(range(count), min(anomalies, count)))
    return [
        (_trade(rng, first_id + index, anomaly_size if index in anomalous else None), index in anomalous)
        for index in range(count)
    ]


#: The name that a producer must have (see :class:`pipeline.parts.Sender`).
make_records = make_trades


def _trade(rng: random.Random, trade_id: int, anomaly_size: float | None) -> Trade:
    price = rng.uniform(*_PRICES)
    quantity = rng.uniform(*_QUANTITIES)
    if anomaly_size is not None:
        low, high = _FACTOR_SPREAD
        price *= max(1.0, anomaly_size * rng.uniform(low, high))
        quantity *= max(1.0, anomaly_size * rng.uniform(low, high))
    return {
        "tickerSymbol": rng.choice(_TICKERS),
        "tradeType": rng.choice(("BUY", "SELL")),
        "price": round(price, 2),
        "quantity": round(quantity),
        "id": trade_id,
    }


def put_trades(
    kinesis: Any, stream: str, trades: Sequence[Trade], seconds_left: Callable[[], float]
) -> list[Trade]:
    """Put trades on a stream; return those that were not taken before the time was up.

    Delivery is at least once. Records that Kinesis refuses are sent again after a pause that doubles (0.1–5 s, with
    jitter), so they may arrive after later ones. If an answer is lost, its records may arrive twice.

    Parameters
    ----------
    kinesis : botocore client
    stream : str
        Name of the stream.
    trades : sequence of dict
    seconds_left : callable
        Returns the seconds until sending must end.
    """
    unsent = list(trades)
    pause = _FIRST_PAUSE_SECONDS
    while unsent:
        refused = []
        for start in range(0, len(unsent), _RECORDS_PER_CALL):
            batch = unsent[start : start + _RECORDS_PER_CALL]
            records = [{"Data": _encode(trade), "PartitionKey": str(trade["id"])} for trade in batch]
            try:
                answers = kinesis.put_records(StreamName=stream, Records=records)["Records"]
            except kinesis.exceptions.ProvisionedThroughputExceededException:
                refused += batch
                continue
            refused += [trade for trade, answer in zip(batch, answers, strict=True) if "ErrorCode" in answer]
        unsent = refused
        wait = pause * random.uniform(0.5, 1.0)  # noqa: S311
        if not unsent or seconds_left() < wait:
            break
        time.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return unsent


def _encode(trade: Trade) -> bytes:
    return json.dumps(trade).encode()


@dataclass(frozen=True)
class Settings:
    """The function's environment variables, checked."""

    stream: str
    anomaly_share: float = 0.05
    anomaly_size: float = 5.0
    rounds: int = 900
    round_interval: float = 1.0
    seed: int = field(default_factory=lambda: random.SystemRandom().randrange(2**32))
    ledger_bucket: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; an empty variable counts as absent.

        Raises
        ------
        ValueError
            A variable is missing, not a number, or out of its range; the message names it.
        """
        stream = environment.get("STREAM_NAME", "")
        if not stream:
            raise ValueError("STREAM_NAME must name the Kinesis stream, got nothing")
        given: dict[str, Any] = {}
        for variable, name, convert, low, high in (
            ("ANOMALY_SHARE", "anomaly_share", float, 0, 1),
            ("ANOMALY_SIZE", "anomaly_size", float, 1, 1000),
            ("ROUNDS", "rounds", int, 1, 10**6),
            ("ROUND_INTERVAL", "round_interval", float, 0, 600),
            ("SEED", "seed", int, 0, 10**18),
        ):
            text = environment.get(variable, "")
            if not text:
                continue
            try:
                value = convert(text)
            except ValueError:
                value = None
            if value is None or not low <= value <= high:
                raise ValueError(f"{variable} must be a number from {low} to {high}, got {text!r}")
            given[name] = value
        return cls(stream=stream, ledger_bucket=environment.get("LEDGER_BUCKET", ""), **given)


@cache
def _client(service: str) -> Any:
    return boto3.client(service)


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Produce trades; answer how many were sent and failed, and which were injected as anomalies.

    The ledger's objects are ``<request id>/<round>.jsonl``, with one anomalous trade that was sent per line. They are
    written after each round, so the ledger of an invocation that fails is correct.
    """
    settings = Settings.read(os.environ)

    def seconds_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - RESERVE_SECONDS

    rng = random.Random(settings.seed)  # noqa: S311
    sent = failed = rounds = 0
    injected: list[int] = []
    start = time.monotonic()
    while rounds < settings.rounds:
        wait = start + rounds * settings.round_interval - time.monotonic()
        if seconds_left() < max(wait, 0):
            break
        time.sleep(max(wait, 0))
        made = make_trades(
            rng,
            1 + rounds * TRADES_PER_ROUND,
            TRADES_PER_ROUND,
            settings.anomaly_share,
            settings.anomaly_size,
        )
        unsent = put_trades(_client("kinesis"), settings.stream, [trade for trade, _ in made], seconds_left)
        lost = {trade["id"] for trade in unsent}
        anomalies = [trade for trade, anomalous in made if anomalous and trade["id"] not in lost]
        if settings.ledger_bucket and anomalies:
            _client("s3").put_object(
                Bucket=settings.ledger_bucket,
                Key=f"{context.aws_request_id}/{rounds:06d}.jsonl",
                Body=b"".join(_encode(trade) + b"\n" for trade in anomalies),
            )
        injected += [trade["id"] for trade in anomalies]
        sent += len(made) - len(lost)
        failed += len(lost)
        rounds += 1
    answer: dict[str, Any] = {
        "sent": sent,
        "failed": failed,
        "rounds": rounds,
        "anomalies": len(injected),
        "seed": settings.seed,
    }
    if len(injected) <= _IDS_IN_ANSWER:
        answer["anomaly_ids"] = injected
    return answer
