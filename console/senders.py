"""The application's senders: each sends records at a rate, and can be started and stopped."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from console.resources import Resources
from console.sending import SenderError, produce, producer, scenario_of
from generator import runner, sinks
from pipeline.application import Application
from pipeline.parts import Sender

LEAST_RATE, MOST_RATE = 0.1, 2000.0
_RATE_SECONDS = 5.0


@dataclass
class Run:
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
    """An application's senders.

    Parameters
    ----------
    application : Application
    found : Resources
        Its streams.
    kinesis : callable
        Makes a boto3 client for each run.
    """

    def __init__(self, application: Application, found: Resources, kinesis: Callable[[], Any]) -> None:
        self._application = application
        self._found = found
        self._kinesis = kinesis
        self._senders = _by_id(application.senders)
        self._runs = {id_: Run(sender.rate) for id_, sender in self._senders.items()}
        self._lock = threading.Lock()

    def start(self, id_: str, rate: float | None = None) -> None:
        """Start a sender; if it runs already, change its rate.

        Raises
        ------
        SenderError
            There is no sender with this id, or the rate is out of bounds.
        """
        sender = self._known(id_)
        if sender.rate is not None:
            rate = sender.rate if rate is None else rate
            if not LEAST_RATE <= rate <= MOST_RATE:
                raise SenderError(
                    f"rate must be between {LEAST_RATE:g} and {MOST_RATE:g} per second, got {rate:g}"
                )
        else:
            rate = None
        with self._lock:
            before = self._runs[id_]
            before.stop.set()
            run = self._runs[id_] = Run(rate)
            run.thread = threading.Thread(
                target=self._send, args=(sender, run), name=f"sender {id_}", daemon=True
            )
            run.thread.start()

    def stop(self, id_: str) -> None:
        """Stop a sender, if it runs."""
        self._known(id_)
        self._runs[id_].stop.set()

    def stop_all(self) -> None:
        """Stop every sender."""
        for run in self._runs.values():
            run.stop.set()

    def as_json(self) -> list[dict[str, Any]]:
        """Plain data of each sender, for the page."""
        return [
            {
                "id": id_,
                "label": sender.label,
                "rate": run.rate,
                "fixed": sender.rate is None,
                "running": run.running and not run.stop.is_set(),
                "sent": run.sent,
                "failed": run.failed,
                "per_second": round(run.per_second(), 1),
                "trouble": run.trouble[:300],
            }
            for id_, sender, run in ((i, s, self._runs[i]) for i, s in self._senders.items())
        ]

    def _known(self, id_: str) -> Sender:
        if id_ not in self._senders:
            raise SenderError(f"sender must be one of {', '.join(self._senders)}, got {id_[:40]!r}")
        return self._senders[id_]

    def _send(self, sender: Sender, run: Run) -> None:
        try:
            stream = self._found.stream_of(sender.source)
            if stream is None:
                raise SenderError("required a Kinesis stream to send to, got a source of another type")
            sink = sinks.kinesis(self._kinesis(), stream)
            if sender.producer:
                self._produce(sender.producer, sink, run)
            else:
                runner.run(
                    scenario_of(self._application, sender, run.rate),
                    sink,
                    stop=run.stop,
                    on_progress=lambda counts: run.count(counts.sent, counts.failed),
                )
        except Exception as error:  # shown on the page
            run.trouble = str(error) or type(error).__name__

    def _produce(self, name: str, sink: sinks.Sink, run: Run) -> None:
        sent = failed = 0
        # Ids continue from one run to the next, so that each record has its own.
        first_id = time.time_ns() // 1_000_000 % 1_000_000_000
        chance = random.SystemRandom()
        for _, delivery in produce(
            producer(name), sink, run.rate or 1.0, rng=chance, first_id=first_id, stop=run.stop
        ):
            sent, failed = sent + len(delivery.sent), failed + len(delivery.failed)
            run.count(sent, failed)
            if delivery.fatal:
                raise delivery.fatal


def _by_id(senders: tuple[Sender, ...]) -> dict[str, Sender]:
    """Senders by unique ids, made from their labels for use in URLs."""
    found: dict[str, Sender] = {}
    for sender in senders:
        name = re.sub(r"[^a-z0-9]+", "-", sender.label.lower()).strip("-") or "sender"
        id_ = next(
            i for n in range(1, len(senders) + 1) if (i := name if n == 1 else f"{name}-{n}") not in found
        )
        found[id_] = sender
    return found
