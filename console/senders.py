"""The lab's senders: records at a rate, each with its own start and stop."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from console.labs import Lab, Sender
from generator import runner, scenario, sinks
from lambdas.stock_trades_producer import make_trades, put_trades

LEAST_RATE, MOST_RATE = 0.1, 2000.0
_BATCH_SECONDS = 0.1
_RATE_SECONDS = 5.0


class SenderError(ValueError):
    """A sender can't do what was asked; the message says why."""


@dataclass
class _Run:
    """One run of a sender."""

    rate: float | None
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    sent: int = 0
    failed: int = 0
    trouble: str = ""
    marks: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=200))

    @property
    def running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def count(self, sent: int, failed: int) -> None:
        self.sent, self.failed = sent, failed
        self.marks.append((time.monotonic(), sent))

    def per_second(self) -> float:
        now = time.monotonic()
        marks = [mark for mark in list(self.marks) if mark[0] > now - _RATE_SECONDS]
        if len(marks) < 2 or not self.running:
            return 0.0
        return (marks[-1][1] - marks[0][1]) / max(now - marks[0][0], 0.2)


class Senders:
    """A lab's senders.

    Parameters
    ----------
    lab : Lab
    kinesis : callable
        Makes a boto3 client for each run.
    """

    def __init__(self, lab: Lab, kinesis: Callable[[], Any]) -> None:
        self._lab = lab
        self._kinesis = kinesis
        self._senders = {sender.id: sender for sender in lab.senders}
        self._runs = {sender.id: _Run(sender.rate) for sender in lab.senders}
        self._lock = threading.Lock()

    def start(self, id_: str, rate: float | None = None) -> None:
        """Start a sender; one that runs goes on at the new rate.

        Raises
        ------
        SenderError
            There is none of that id, or the rate is out of bounds.
        """
        sender = self._known(id_)
        if sender.rate is not None:
            rate = sender.rate if rate is None else rate
            if not LEAST_RATE <= rate <= MOST_RATE:
                raise SenderError(
                    f"rate must be between {LEAST_RATE:g} and {MOST_RATE:g} a second, got {rate:g}"
                )
        else:
            rate = None
        with self._lock:
            before = self._runs[id_]
            before.stop.set()
            run = self._runs[id_] = _Run(rate)
            run.thread = threading.Thread(
                target=self._send, args=(sender, run), name=f"sender {id_}", daemon=True
            )
            run.thread.start()

    def stop(self, id_: str) -> None:
        """Stop a sender; one that does not run is left as it is."""
        self._known(id_)
        self._runs[id_].stop.set()

    def stop_all(self) -> None:
        """Stop every sender."""
        for run in self._runs.values():
            run.stop.set()

    def as_json(self) -> list[dict[str, Any]]:
        """What the page shows of each."""
        return [
            {
                "id": sender.id,
                "label": sender.label,
                "rate": run.rate,
                "fixed": sender.rate is None,
                "running": run.running and not run.stop.is_set(),
                "sent": run.sent,
                "failed": run.failed,
                "per_second": round(run.per_second(), 1),
                "trouble": run.trouble[:300],
            }
            for sender, run in ((s, self._runs[s.id]) for s in self._lab.senders)
        ]

    def _known(self, id_: str) -> Sender:
        if id_ not in self._senders:
            raise SenderError(f"sender must be one of {', '.join(self._senders)}, got {id_[:40]!r}")
        return self._senders[id_]

    def _send(self, sender: Sender, run: _Run) -> None:
        try:
            if sender.kind == "trades":
                self._send_trades(run)
            else:
                self._send_records(sender, run)
        except Exception as error:  # shown on the page, where it was started
            run.trouble = str(error) or type(error).__name__

    def _send_records(self, sender: Sender, run: _Run) -> None:
        what = (
            scenario.single(sender.source, run.rate or 1.0)
            if sender.kind == "template"
            else scenario.load(sender.source)
        )
        sink = sinks.kinesis(self._kinesis(), self._lab.input)
        try:
            runner.run(
                what, sink, stop=run.stop, on_progress=lambda counts: run.count(counts.sent, counts.failed)
            )
        finally:
            sink.close()

    def _send_trades(self, run: _Run) -> None:
        kinesis, chance = self._kinesis(), random.SystemRandom()
        rate, made, failed, first = run.rate or 1.0, 0, 0, time.time_ns() // 1_000_000 % 1_000_000_000
        start = time.monotonic()
        size = max(1, min(500, round(rate * _BATCH_SECONDS)))
        while not run.stop.wait(max(0.0, start + made / rate - time.monotonic())):
            # Ids go on from one run to the next: two trades of one id could not be told apart.
            trades = [trade for trade, _ in make_trades(chance, first + made, size)]
            deadline = time.monotonic() + 10.0
            left = put_trades(
                kinesis,
                self._lab.input,
                trades,
                lambda deadline=deadline: deadline - time.monotonic(),  # type: ignore[misc]
            )
            made, failed = made + size, failed + len(left)
            run.count(made - failed, failed)
