"""One queue of the Lambda sink decides which rows are sent next, and which are given up. No clock, no threads.

A queue has one call in flight at a time, so rows arrive in order as long as nothing fails. Rows that failed wait in a
heap of their own, with a back-off for each failed call, and never share a call with fresh rows: a poison record holds
up no other row.

A call that fails as a whole does not say which row caused it. Neither does an answer that accepts none of several
rows, or one that does not mention a row. Such rows are sent again in quarters until the bad row is alone. Only then
does the failure count as the row's own, with growing back-off, and the row stays alone from then on. A row that is
refused by name while others are accepted has failed by itself, but its last try is still made alone: no row is given up
because of another one, whatever the function does. Too many failed calls in a row are an outage, not the fault of a
row: the queue pauses between calls, and after the first success the waiting rows share calls again.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from connectors.lambda_sink.contract import Delivery, Refusal

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
#: Failed calls in a row that one bad row can't explain: in the largest batch it is alone after 8.
OUTAGE_CALLS = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row was not delivered: a short name and a sentence. ``final``: sending the row again can't help."""

    name: str
    message: str
    final: bool = False


def backoff(failures: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds to wait after this many failures in a row: doubles from 0.5 to 30 s, less up to half as jitter.

    Examples
    --------
    >>> [backoff(n, lambda: 1.0) for n in (1, 2, 3, 99)]
    [0.5, 1.0, 2.0, 30.0]
    """
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * float(1 << min(failures - 1, 16)))
    return longest * (0.5 + 0.5 * jitter())


class DeliveryQueue:
    """The rows of one bucket that are not yet delivered.

    Parameters
    ----------
    batch_seconds, batch_records, max_retries
        As in :class:`connectors.lambda_sink.options.LambdaSinkOptions`.
    batch_bytes : int
        Largest sum of :attr:`Delivery.size` in one call.
    jitter : callable
        Returns a number in 0-1; for tests.

    Notes
    -----
    Times are seconds of any monotonic clock. Each row that is put in appears in :attr:`settled` once, with None when it
    was delivered.
    """

    def __init__(
        self,
        batch_seconds: float,
        batch_records: int,
        batch_bytes: int,
        max_retries: int | None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.batch_seconds = batch_seconds
        self.batch_records = batch_records
        self.batch_bytes = batch_bytes
        self.max_retries = max_retries
        self.jitter = jitter
        self.settled: deque[tuple[Delivery, Failure | None]] = deque()
        self.held = 0  # rows not yet settled, and their bytes
        self.held_bytes = 0
        self.retried = 0
        self._fresh: deque[tuple[float, Delivery]] = deque()  # (when it must go at the latest, row)
        self._fresh_bytes = 0
        self._again: list[tuple[float, int, Delivery]] = []  # heap of (not before, sequence, row)
        self._paused_until = 0.0
        self._refusals_in_a_row = 0
        self._failed_in_a_row = 0
        self._last_was_fresh = False

    def put(self, delivery: Delivery, now: float) -> None:
        """Add a row. One that may have been sent before (a restored one) is due at once."""
        self.held += 1
        self.held_bytes += delivery.size
        if delivery.retries:
            heapq.heappush(self._again, (now, delivery.sequence, delivery))
        else:
            self._fresh.append((now + self.batch_seconds, delivery))
            self._fresh_bytes += delivery.size

    def wait(self, now: float, flush: bool = False) -> float | None:
        """Seconds until :meth:`take` has something; 0: now; None: not before another row comes."""
        due = [
            time
            for time in (self._fresh_due(flush), self._again[0][0] if self._again else None)
            if time is not None
        ]
        return max(0.0, self._paused_until - now, min(due) - now) if due else None

    def take(self, now: float, flush: bool = False) -> list[Delivery]:
        """The rows of the next call; empty when none is due. ``flush``: fresh rows do not wait for a full batch."""
        if now < self._paused_until:
            return []
        fresh_due = self._fresh_due(flush)
        fresh = fresh_due is not None and fresh_due <= now
        again = bool(self._again) and self._again[0][0] <= now
        # Alternate, so that neither many failures nor many fresh rows starve the other.
        self._last_was_fresh = fresh and not (again and self._last_was_fresh)
        if self._last_was_fresh:
            return self._take_fresh()
        return self._take_again(now) if again else []

    def _fresh_due(self, flush: bool) -> float | None:
        if not self._fresh:
            return None
        full = len(self._fresh) >= self.batch_records or self._fresh_bytes >= self.batch_bytes
        return 0.0 if full or flush else self._fresh[0][0]

    def _take_fresh(self) -> list[Delivery]:
        batch: list[Delivery] = []
        size = 0
        while self._fresh and len(batch) < self.batch_records:
            delivery = self._fresh[0][1]
            if batch and size + delivery.size > self.batch_bytes:
                break
            self._fresh.popleft()
            batch.append(delivery)
            size += delivery.size
        self._fresh_bytes -= size
        return batch

    def _take_again(self, now: float) -> list[Delivery]:
        batch: list[Delivery] = []
        size, allowed = 0, self.batch_records
        while self._again and self._again[0][0] <= now:
            delivery = self._again[0][2]
            if delivery.batch_limit is not None:
                allowed = min(allowed, delivery.batch_limit)
            if batch and (len(batch) >= allowed or size + delivery.size > self.batch_bytes):
                break
            heapq.heappop(self._again)
            batch.append(delivery)
            size += delivery.size
        self.retried += len(batch)
        return batch

    def answered(self, batch: Sequence[Delivery], refused: Mapping[str, Refusal], now: float) -> None:
        """The function answered; ``refused``: the records that it did not accept, with the reason."""
        self._refusals_in_a_row = 0
        refusals = [
            (delivery, refused[delivery.record_id]) for delivery in batch if delivery.record_id in refused
        ]
        if len(refusals) == len(batch):
            failure = Failure("DeliveryFailed", refusals[0][1].reason)
            if len(batch) > 1:
                self.failed(batch, failure, now)
            else:
                self._own_failure(batch[0], failure, now)
            return
        if self._failed_in_a_row >= OUTAGE_CALLS:
            for _, _, delivery in self._again:
                delivery.batch_limit = None
        self._failed_in_a_row = 0
        for delivery in batch:
            if delivery.record_id not in refused:
                self._settle(delivery, None)
        for delivery, refusal in refusals:
            if refusal.named:
                delivery.batch_limit = None
                self._own_failure(delivery, Failure("DeliveryFailed", refusal.reason), now)
        self._send_split([delivery for delivery, refusal in refusals if not refusal.named], len(batch), now)

    def failed(self, batch: Sequence[Delivery], failure: Failure, now: float) -> None:
        """The call failed as a whole: an error in the function, a time-out."""
        self._refusals_in_a_row = 0
        self._failed_in_a_row += 1
        # With max_retries each row must be tried alone before it is given up, so the queue does not pause.
        if self._failed_in_a_row >= OUTAGE_CALLS and self.max_retries is None:
            self._paused_until = now + backoff(self._failed_in_a_row - OUTAGE_CALLS + 1, self.jitter)
        if len(batch) == 1:
            batch[0].batch_limit = 1
            self._own_failure(batch[0], failure, now)
        else:
            self._send_split(batch, len(batch), now)

    def busy(self, batch: Sequence[Delivery], now: float) -> None:
        """Lambda did not accept the call, which no row caused: the queue pauses, then sends all rows again."""
        self._refusals_in_a_row += 1
        self._paused_until = now + backoff(self._refusals_in_a_row, self.jitter)
        for delivery in batch:
            self._send_again(delivery, self._paused_until)
        self._last_was_fresh = True  # so that they go first and stay in order

    def _send_split(self, deliveries: Sequence[Delivery], called: int, now: float) -> None:
        """Send rows again in quarters, after a call of ``called`` rows that did not say which of them is bad."""
        # All get the same due time: jitter must not split a batch that may be fine.
        due = now + backoff(1, self.jitter)
        for delivery in deliveries:
            delivery.batch_limit = max(1, called // 4)
            self._send_again(delivery, due)

    def _own_failure(self, delivery: Delivery, failure: Failure, now: float) -> None:
        delivery.own_failures += 1
        if failure.final or (self.max_retries is not None and delivery.own_failures > self.max_retries):
            self._settle(delivery, failure)
        else:
            if delivery.own_failures == self.max_retries:
                delivery.batch_limit = 1
            self._send_again(delivery, now + backoff(delivery.own_failures, self.jitter))

    def _send_again(self, delivery: Delivery, due: float) -> None:
        delivery.retries += 1
        heapq.heappush(self._again, (due, delivery.sequence, delivery))

    def _settle(self, delivery: Delivery, failure: Failure | None) -> None:
        self.held -= 1
        self.held_bytes -= delivery.size
        self.settled.append((delivery, failure))
