"""Senders: start, another rate, stop, and mistakes."""

import threading
import time
from typing import Any

import pytest
from console.labs import LABS

from console.senders import SenderError, Senders


class Kinesis:
    """Takes every record."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        with self.lock:
            self.records += Records
        return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1", "ShardId": "s"} for _ in Records]}


def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("lab", "sender"), [("ctr", "clicks-1"), ("trades", "trades"), ("sessions", "simulator")]
)
def test_a_sender_sends_until_it_is_stopped(lab: str, sender: str) -> None:
    kinesis = Kinesis()
    senders = Senders(LABS[lab], lambda: kinesis)
    senders.start(sender, 100.0)

    def shown() -> dict[str, Any]:
        return next(s for s in senders.as_json() if s["id"] == sender)

    until(lambda: shown()["sent"] >= (1 if lab == "sessions" else 30))
    assert shown()["running"]
    senders.stop(sender)
    until(lambda: not senders._runs[sender].running)
    assert shown()["sent"] == len(kinesis.records)
    assert not shown()["running"]


@pytest.mark.parametrize(
    ("sender", "rate"), [("none", 1.0), ("clicks-1", 0.0), ("clicks-1", 1e9), ("clicks-1", float("nan"))]
)
def test_mistakes_are_told(sender: str, rate: float) -> None:
    with pytest.raises(SenderError):
        Senders(LABS["ctr"], Kinesis).start(sender, rate)


def test_a_sender_that_cannot_send_says_why() -> None:
    def broken() -> Any:
        raise RuntimeError("no credentials")

    senders = Senders(LABS["ctr"], broken)
    senders.start("clicks-1")
    until(lambda: senders.as_json()[1]["trouble"])
    assert senders.as_json()[1]["trouble"] == "no credentials"
