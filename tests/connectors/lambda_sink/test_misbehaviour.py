"""Handlers that misbehave in many ways: every bad row is given up, and no good row because of a bad one.

A good row is one for which the function, called with it alone, answers ``Ok``. Queue, contract and call are the real
ones; the handler is simulated, and so is the clock.
"""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.lambda_sink.calls import CallFailed, deliver
from connectors.lambda_sink.contract import Delivery
from connectors.lambda_sink.delivery_queue import DeliveryQueue, Failure

Records = list[dict[str, Any]]


class FunctionError(Exception):
    """The handler raised."""


def bad(record: dict[str, Any]) -> bool:
    return "bad" in str(record["recordId"])


def entry(record: dict[str, Any], result: Any = "Ok") -> dict[str, Any]:
    return {"recordId": record["recordId"], "result": result}


def each(
    of_bad: Callable[[dict[str, Any]], list[Any]],
) -> Callable[[Records], Any]:
    """A handler that answers Ok for good rows and something else for bad ones."""
    return lambda records: {"records": [e for r in records for e in (of_bad(r) if bad(r) else [entry(r)])]}


def all_or(otherwise: Callable[[Records], Any]) -> Callable[[Records], Any]:
    """A handler that fails as a whole if one row is bad."""
    return lambda records: (
        otherwise(records) if any(map(bad, records)) else {"records": [*map(entry, records)]}
    )


def raises(records: Records) -> Any:
    raise FunctionError


def until_the_bad_one(records: Records) -> Any:
    first = next(n for n, r in enumerate(records) if bad(r))
    return {"records": [entry(r) for r in records[:first]]}


def in_chunks(records: Records) -> Any:
    """A handler that writes five rows at a time, which fail together."""
    chunks = [records[n : n + 5] for n in range(0, len(records), 5)]
    return {
        "records": [
            entry(r, "DeliveryFailed" if any(map(bad, chunk)) else "Ok") for chunk in chunks for r in chunk
        ]
    }


#: Handlers: records -> answer, as text or as a value to be written as JSON.
HANDLERS: dict[str, Callable[[Records], Any]] = {
    "names it": each(lambda r: [entry(r, "DeliveryFailed")]),
    "is silent about it": each(lambda r: []),
    "forgets the result": each(lambda r: [{"recordId": r["recordId"]}]),
    "forgets the recordId": each(lambda r: [{"result": "Ok"}]),
    "null for an entry": each(lambda r: [None]),
    "text for an entry": each(lambda r: [r["recordId"]]),
    "a list for a recordId": each(lambda r: [{"recordId": [r["recordId"]], "result": "Ok"}]),
    "another word": each(lambda r: [entry(r, "Dropped")]),
    "the wrong case": each(lambda r: [entry(r, "ok")]),
    "a result that is no text": each(lambda r: [entry(r, {"Ok": 1})]),
    "Ok, and then not": each(lambda r: [entry(r), entry(r, "DeliveryFailed")]),
    "another's recordId": each(lambda r: [{"recordId": "0-0", "result": "Ok"}]),
    "raises": all_or(raises),
    "null": all_or(lambda records: None),
    "a list": all_or(lambda records: [*map(entry, records)]),
    "no records": all_or(lambda records: {}),
    "records of null": all_or(lambda records: {"records": None}),
    "records of text": all_or(lambda records: {"records": "Ok"}),
    "an empty list": all_or(lambda records: {"records": []}),
    "no JSON": all_or(lambda records: b"<html>502</html>"),
    "no UTF-8": all_or(lambda records: b"\xff\xfe{"),
    "a hundred thousand brackets": all_or(lambda records: b"[" * 100_000),
    "all fail together": all_or(lambda records: {"records": [entry(r, "DeliveryFailed") for r in records]}),
    "none has a result": all_or(lambda records: {"records": [{"recordId": r["recordId"]} for r in records]}),
    "stops at the first": all_or(until_the_bad_one),
    "fails in chunks": in_chunks,
}


class Function:
    """A Lambda function with one of these handlers."""

    def __init__(self, handler: Callable[[Records], Any]) -> None:
        self.handler = handler
        self.calls = 0

    def invoke(self, payload: bytes) -> bytes:
        self.calls += 1
        try:
            answer = self.handler(json.loads(payload)["records"])
        except FunctionError:
            raise CallFailed(Failure("FunctionError", "boom")) from None
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def run(
    handler: Callable[[Records], Any], rows: list[bool], max_retries: int | None, seed: int = 0
) -> tuple[dict[str, Failure | None], DeliveryQueue, Function]:
    """Send rows (True: good) until the result can't change any more."""
    chance = random.Random(seed)
    queue, function = DeliveryQueue(0.3, 500, 10**6, max_retries, jitter=chance.random), Function(handler)
    for n, good in enumerate(rows):
        queue.put(Delivery(n + 1, f"0-{n + 1}" + ("" if good else "-bad"), b"{}"), 0.0)
    now, enough = 0.3, 3600.0
    while (wait := queue.wait(now)) is not None and now < enough:
        now += wait + 1e-6
        if batch := queue.take(now):
            now += 2.0  # how long a call takes: rows that failed gather meanwhile
            try:
                refused = deliver(function, "arn:a", batch)  # type: ignore[arg-type]
            except CallFailed as e:
                queue.failed(batch, e.failure, now)
            else:
                queue.answered(batch, refused, now)
    return {d.record_id: failure for d, failure in queue.settled}, queue, function


@pytest.mark.parametrize("max_retries", [1, 3])
@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_ten_bad_rows_of_500_are_given_up_and_no_other(
    handler: Callable[[Records], Any], max_retries: int
) -> None:
    rows = [n % 50 != 7 for n in range(500)]
    settled, queue, function = run(handler, rows, max_retries)
    assert (len(settled), queue.held) == (500, 0)
    assert {id_ for id_, failure in settled.items() if failure} == {id_ for id_ in settled if "bad" in id_}
    # The cost of finding them: at worst ten times quarters down to one, and each bad row's own tries.
    assert function.calls <= 10 * (4 * 5 + max_retries + 5)


@given(
    st.sampled_from(sorted(HANDLERS)),
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.sampled_from([None, 1, 2, 5]),
    st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=150)
def test_a_bad_row_is_given_up_and_a_good_row_delivered_by_any_handler(
    name: str, rows: list[bool], max_retries: int | None, seed: int
) -> None:
    settled, queue, _ = run(HANDLERS[name], rows, max_retries, seed)
    delivered = {id_ for id_, failure in settled.items() if failure is None}
    ids = {f"0-{n + 1}" + ("" if good else "-bad") for n, good in enumerate(rows)}
    good = {id_ for id_ in ids if "bad" not in id_}
    assert delivered == good
    # Without max_retries the bad rows are still being sent.
    assert set(settled) == (good if max_retries is None else ids)
    assert queue.held == len(ids) - len(settled)
