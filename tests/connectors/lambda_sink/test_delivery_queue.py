"""The delivery queue with literal times: which rows are sent when, and which are given up."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.lambda_sink.contract import Delivery, Refusal
from connectors.lambda_sink.delivery_queue import (
    LONGEST_BACKOFF_SECONDS,
    OUTAGE_CALLS,
    DeliveryQueue,
    Failure,
)

ERROR = Failure("FunctionError", "boom")


def queue(
    batch_seconds: float = 1.0,
    batch_records: int = 4,
    batch_bytes: int = 10**6,
    max_retries: int | None = None,
) -> DeliveryQueue:
    return DeliveryQueue(batch_seconds, batch_records, batch_bytes, max_retries, jitter=lambda: 1.0)


def row(n: int, data: bytes = b"{}") -> Delivery:
    return Delivery(n, f"0-{n}", data)


def numbers(batch: list[Delivery]) -> list[int]:
    return [d.sequence for d in batch]


def test_a_batch_goes_when_its_first_row_has_waited_long_enough() -> None:
    it = queue()
    it.put(row(1), 10.0)
    it.put(row(2), 10.9)
    assert it.take(10.999) == []
    assert it.wait(10.5) == pytest.approx(0.5)
    assert numbers(it.take(11.0)) == [1, 2]
    assert it.wait(11.0) is None


def test_a_batch_goes_when_it_is_full() -> None:
    it = queue(batch_records=2)
    for n in (1, 2, 3):
        it.put(row(n), 10.0)
    assert it.wait(10.0) == 0
    assert numbers(it.take(10.0)) == [1, 2]
    assert it.take(10.0) == []
    assert numbers(it.take(10.0, flush=True)) == [3]


def test_a_batch_is_split_at_exactly_its_limit_of_bytes() -> None:
    size = row(1, b"x" * 300).size
    exact, less = queue(batch_bytes=2 * size), queue(batch_bytes=2 * size - 1)
    for it in (exact, less):
        for n in (1, 2):
            it.put(row(n, b"x" * 300), 10.0)
    assert numbers(exact.take(11.0)) == [1, 2]
    assert numbers(less.take(11.0)) == [1]
    assert numbers(less.take(11.0)) == [2]


def test_a_refused_row_goes_again_with_growing_back_off_and_the_others_are_settled() -> None:
    it = queue()
    for n in (1, 2):
        it.put(row(n), 10.0)
    it.answered(it.take(11.0), {"0-2": Refusal("no")}, 11.0)
    assert [(d.sequence, failure) for d, failure in it.settled] == [(1, None)]
    now = 11.0
    for retries, pause in enumerate((0.5, 1, 2, 4, 8, 16, 30, 30), start=1):
        assert it.take(now + pause - 0.001) == []
        now += pause
        batch = it.take(now)
        assert [(d.record_id, d.retries) for d in batch] == [("0-2", retries)]
        it.answered(batch, {"0-2": Refusal("no")}, now)
    assert (it.held, it.retried) == (1, 8)


def test_a_row_is_given_up_exactly_after_max_retries() -> None:
    it = queue(max_retries=2)
    it.put(row(1), 0.0)
    for now in (1.0, 10.0):
        it.answered(it.take(now), {"0-1": Refusal("no")}, now)
        assert not it.settled
    it.answered(it.take(20.0), {"0-1": Refusal("no")}, 20.0)
    assert [(d.sequence, failure and failure.message) for d, failure in it.settled] == [(1, "no")]
    assert it.held == it.held_bytes == 0


def test_no_retries_at_all() -> None:
    it = queue(max_retries=0)
    it.put(row(1), 0.0)
    it.failed(it.take(1.0), ERROR, 1.0)
    assert [failure for _, failure in it.settled] == [ERROR]


def test_fresh_and_failed_rows_share_no_call_and_neither_starves() -> None:
    it = queue(batch_records=1)
    for n in (1, 2):
        it.put(row(n), 0.0)
        it.answered(it.take(0.0), {f"0-{n}": Refusal("no")}, 0.0)
    for n in (3, 4):
        it.put(row(n), 1.0)
    assert [numbers(it.take(1.0)) for _ in range(4)] == [[1], [3], [2], [4]]


@pytest.mark.parametrize("poison", [0, 123, 499])
def test_one_poison_row_is_found_and_holds_up_no_other_row(poison: int) -> None:
    """The function fails on any call with the poison row in it; fresh rows keep coming."""
    it = queue(batch_records=500)
    for n in range(500):
        it.put(row(n), 0.0)
    now, calls, sent = 0.0, 0, [0] * 100_000
    next_row = 500
    while now < 20:
        it.put(row(next_row), now)
        next_row += 1
        while batch := it.take(now):
            calls += 1
            for d in batch:
                sent[d.sequence] += 1
            if poison in numbers(batch):
                it.failed(batch, ERROR, now)
                assert len(batch) == 1 or calls < 30
            else:
                it.answered(batch, {}, now)
        now += 0.1
    delivered = {d.sequence for d, failure in it.settled}
    assert delivered >= set(range(500)) - {poison}
    assert next_row - 500 - 15 <= sum(n >= 500 for n in delivered)  # but for those still gathering
    assert it.held <= 15
    assert max(sent[n] for n in range(500) if n != poison) <= 5
    assert max(sent[500:]) == 1


@pytest.mark.parametrize("said", [False, True], ids=["fails", "refuses every row"])
def test_an_outage_is_probed_with_back_off_and_ends_with_full_calls(said: bool) -> None:
    it = queue(batch_records=500)
    for n in range(2000):
        it.put(row(n), 0.0)
    now, calls = 0.0, 0
    while now < 600:
        if batch := it.take(now):
            calls += 1
            if said:
                it.answered(batch, {d.record_id: Refusal("no") for d in batch}, now)
            else:
                it.failed(batch, ERROR, now)
        now += 0.1
    assert calls < OUTAGE_CALLS + 10 + 600 / (LONGEST_BACKOFF_SECONDS - 1)
    calls_after, end = 0, now + LONGEST_BACKOFF_SECONDS * 2
    while it.held and now < end:
        if batch := it.take(now):
            calls_after += 1
            it.answered(batch, {}, now)
        now += 0.1
    assert it.held == 0
    assert calls_after <= 10


def test_with_max_retries_a_lasting_failure_gives_up_each_row_soon() -> None:
    it = queue(batch_records=500, max_retries=2)
    for n in range(500):
        it.put(row(n), 0.0)
    now = 0.0
    while it.held and now < 60:
        while batch := it.take(now):
            it.failed(batch, ERROR, now)
        now += 0.1
    assert (it.held, len(it.settled)) == (0, 500)
    assert now < 10


def test_throttling_pauses_the_queue_and_counts_against_no_row() -> None:
    it = queue(max_retries=0)
    for n in (1, 2):
        it.put(row(n), 0.0)
    now = 1.0
    for pause in (0.5, 1, 2):
        it.busy(it.take(now), now)
        it.put(row(100 + int(pause * 10)), now - 1)  # due, but the queue pauses
        assert it.take(now + pause - 0.001) == []
        assert it.wait(now) == pytest.approx(pause)
        now += pause
    batch = it.take(now)
    assert (numbers(batch), [d.retries for d in batch], [d.own_failures for d in batch]) == (
        [1, 2],
        [3, 3],
        [0, 0],
    )
    it.answered(batch, {}, now)
    it.busy(it.take(now), now)
    assert it.wait(now) == pytest.approx(0.5)  # an answer resets the back-off


def test_a_single_row_too_large_is_given_up_even_without_max_retries() -> None:
    it = queue()
    for n in (1, 2):
        it.put(row(n), 0.0)
    too_large = Failure("RecordTooLarge", "413", final=True)
    it.failed(it.take(1.0), too_large, 1.0)
    assert not it.settled
    it.failed(it.take(2.0), too_large, 2.0)
    it.answered(it.take(2.0), {}, 2.0)
    assert [(d.sequence, failure) for d, failure in it.settled] == [(1, too_large), (2, None)]


def test_a_restored_row_is_sent_at_once_with_a_retry_hint() -> None:
    it = queue()
    it.put(Delivery(1, "0-1", b"{}", retries=1), 5.0)
    batch = it.take(5.0)
    assert [d.retries for d in batch] == [1]


@given(st.integers(0, 2**32), st.sampled_from([None, 0, 3]), st.integers(1, 7))
@settings(deadline=None, max_examples=60)
def test_whatever_happens_every_row_is_settled_once(
    seed: int, max_retries: int | None, batch_records: int
) -> None:
    """Any mix of answers and failures, then a function that works again."""
    chance = random.Random(seed)
    it = DeliveryQueue(0.3, batch_records, 400, max_retries, jitter=chance.random)
    now, put = 0.0, 0
    while put < 60 or it.held:
        now += chance.random()
        if put < 60 and chance.random() < 0.7:
            put += 1
            it.put(row(put, b"x" * chance.randrange(200)), now)
        batch = it.take(now, flush=put == 60)
        if not batch:
            continue
        assert len(batch) <= batch_records
        assert len(batch) == 1 or sum(d.size for d in batch) <= 400
        fate = chance.random() if now < 100 else 1.0
        if fate < 0.2:
            it.failed(batch, ERROR, now)
        elif fate < 0.4:
            it.busy(batch, now)
        else:
            it.answered(
                batch,
                {d.record_id: Refusal("no") for d in batch if fate < 0.7 and chance.random() < 0.5},
                now,
            )
    assert sorted(d.sequence for d, _ in it.settled) == list(range(1, 61))
    assert (it.held, it.held_bytes, it.wait(now)) == (0, 0, None)
    if max_retries is None:
        assert all(failure is None for _, failure in it.settled)
