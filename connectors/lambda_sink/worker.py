"""The thread of a queue of the Lambda sink: it takes the rows that are due, makes the call, and reports its result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from connectors.lambda_sink.calls import CallFailed, CallRefused
from connectors.lambda_sink.contract import Delivery, Refusal
from connectors.lambda_sink.delivery_queue import DeliveryQueue


class Worker:
    """A queue and the thread that empties it, which starts with the worker and ends with :meth:`close`.

    Parameters
    ----------
    queue : DeliveryQueue
        Decides what is sent next.
    deliver : callable
        Makes the call: see :func:`connectors.lambda_sink.calls.deliver`.
    """

    def __init__(self, queue: DeliveryQueue, deliver: Callable[[list[Delivery]], dict[str, Refusal]]) -> None:
        self.queue = queue
        self.error: Exception | None = None
        self._deliver = deliver
        self._changed = threading.Condition()
        self._sleeps_until: float | None = 0.0
        self._flush = False
        self._closed = False
        # A daemon: a call in flight must not delay the end of the process.
        self._thread = threading.Thread(target=self._run, name="lambda_sink", daemon=True)
        self._thread.start()

    def put(self, deliveries: Iterable[Delivery]) -> None:
        with self._changed:
            now = time.monotonic()
            for delivery in deliveries:
                self.queue.put(delivery, now)
            wait = self.queue.wait(now, self._flush)
            if wait is not None and (self._sleeps_until is None or now + wait < self._sleeps_until):
                self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Send without waiting for full batches, from now on; return whether all rows settle within ``seconds``."""
        with self._changed:
            self._flush = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self.queue.held or self.error, seconds)
            return not self.queue.held

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while not self._closed:
                batch = self._next_batch()
                if batch:
                    self._send(batch)
        except Exception as e:  # any error must fail the job, which raises it
            self.error = e
            with self._changed:
                self._changed.notify_all()

    def _next_batch(self) -> list[Delivery]:
        with self._changed:
            now = time.monotonic()
            batch = self.queue.take(now, self._flush)
            if not batch:
                wait = self.queue.wait(now, self._flush)
                self._sleeps_until = None if wait is None else now + wait
                if not self._closed:
                    self._changed.wait(wait)
                self._sleeps_until = 0.0
            return batch

    def _send(self, batch: list[Delivery]) -> None:
        try:
            refused = self._deliver(batch)
        except CallFailed as e:
            self._settle(self.queue.failed, batch, e.failure)
        except CallRefused:
            self._settle(self.queue.busy, batch)
        else:
            self._settle(self.queue.answered, batch, refused)

    def _settle(self, outcome: Callable[..., None], *details: object) -> None:
        with self._changed:
            outcome(*details, time.monotonic())
            self._changed.notify_all()
