"""The Lambda sink's operator: its state, the rows it sends and gives up, and its back-pressure."""

import pickle
import threading
import time
from typing import Any

import pytest
from pyflink.common import Row
from pyflink.common.typeinfo import PickledBytesTypeInfo, RowTypeInfo
from pyflink.datastream.state import MapStateDescriptor

from base.aws import Aws
from connectors.check import ConnectorError
from connectors.lambda_sink import sink as module
from connectors.lambda_sink.contract import Delivery
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.lambda_sink.pending import CHUNKS, ROWS
from connectors.lambda_sink.sink import END_OF_INPUT
from tests.connectors.lambda_sink.operator import FakeFunction, Harness


def test_rows_leave_the_state_when_they_are_acknowledged_and_timers_end() -> None:
    function = FakeFunction()
    run = Harness(function)
    run.send(*range(5))
    assert run.pending() == [0, 1, 2, 3, 4]
    run.until(lambda: not run.pending())
    run.tick()
    assert [row["n"] for row in function.rows] == [0, 1, 2, 3, 4]
    assert len(function.sent) == 1
    assert {timestamp for timestamp, _ in run.timers} == {END_OF_INPUT}
    assert (run.metrics.counts, run.metrics.gauges["in_flight"]()) == (
        {"delivered": 5, "failed": 0, "retried": 0},
        0,
    )


def test_what_was_not_acknowledged_before_a_crash_is_sent_again() -> None:
    release = threading.Event()

    class Stuck(FakeFunction):
        def invoke(self, payload: bytes) -> bytes:
            release.wait(10)
            return super().invoke(payload)

    run = Harness(Stuck())
    for n in range(3):
        run.send(n, bucket=n % 2)
    run.commit()
    run.send(3)  # after the last commit: the source will bring it again
    run.operator.close()  # the crash: calls are in flight, nothing is acknowledged

    function = FakeFunction()
    restored = Harness(function, backend=run.backend)
    restored.end()
    release.set()
    assert sorted(row["n"] for row in function.rows) == [0, 1, 2]
    assert not restored.pending()
    assert restored.metrics.counts == {"delivered": 3, "failed": 0, "retried": 3}


def test_a_clock_that_goes_back_overwrites_no_pending_row(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Harness(FakeFunction(lambda row: "DeliveryFailed"))
    run.send(0)
    run.commit()
    run.operator.close()
    monkeypatch.setattr(time, "time_ns", lambda: 5)
    restored = Harness(FakeFunction(), backend=run.backend)
    for n in (1, 2):
        restored.send(n)
    assert restored.pending() == [0, 1, 2]
    restored.end()


def test_the_end_of_input_delivers_everything_first() -> None:
    attempts: dict[int, int] = {}

    def third_time(row: dict[str, Any]) -> str:
        attempts[row["n"]] = attempts.get(row["n"], 0) + 1
        return "Ok" if attempts[row["n"]] >= 3 or row["n"] < 4 else "DeliveryFailed"

    run = Harness(FakeFunction(third_time), LambdaSinkOptions("f", Aws("us-east-1"), batch_seconds=60))
    for n in range(6):
        run.send(n, bucket=n % 3)
    run.end()
    assert not run.pending()
    assert run.metrics.counts == {"delivered": 6, "failed": 0, "retried": 4}


def test_the_end_of_input_fails_when_the_function_accepts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_WAIT_SECONDS", 1)
    run = Harness(FakeFunction(lambda row: "DeliveryFailed" if row["n"] else "Ok"))
    for n in range(3):
        run.send(n)
    with pytest.raises(ConnectorError, match="Lambda function f accepted none of the last 2 rows for 1 s"):
        run.end()
    assert run.pending() == [0, 1, 2]
    run.operator.close()


def test_a_large_row_that_is_given_up_is_cut_and_says_so() -> None:
    run = Harness(FakeFunction(), LambdaSinkOptions("f", Aws("us-east-1")))
    run.send("x" * 6_000_000)
    run.end()
    ((name, message, _, data_row),) = run.errors
    assert (name, len(data_row)) == ("RecordTooLarge", 49152)
    assert message.endswith("(row of 6000008 bytes, cut to 24576)")


def test_a_row_that_is_given_up_becomes_an_error_row_with_its_details() -> None:
    function = FakeFunction(lambda row: "DeliveryFailed" if row["n"] == 1 else "Ok")
    run = Harness(function, LambdaSinkOptions("f", Aws("us-east-1"), batch_seconds=0.02, max_retries=1))
    run.rowtime = 1_700_000_000_123
    for n in range(3):
        run.send(n)
    run.end()
    (error,) = run.errors
    name, message, rowtime, data_row = error
    assert (name, message) == ("DeliveryFailed", "f, sent 2 times: the function answered DeliveryFailed")
    assert rowtime == 1_700_000_000_123
    assert bytes.fromhex(data_row) == b'{"n":1}'
    assert not run.pending()
    assert run.metrics.counts == {"delivered": 2, "failed": 1, "retried": 1}


@pytest.mark.parametrize(("missing", "delivered"), [(0, 1), (-1, 0)])
def test_one_row_more_than_a_call_can_carry_is_an_error_at_once(missing: int, delivered: int) -> None:
    """base64 makes four bytes of three, so the largest row has about 4.7 MB."""
    function = FakeFunction()
    run = Harness(function)
    probe = Delivery(1, f"0-{time.time_ns()}", b"")
    largest = (run.operator._room - probe.size) // 4 * 3
    run.send("x" * (largest - len('{"n":""}') - missing))
    assert [error[0] for error in run.errors] == ["RecordTooLarge"] * (1 - delivered)
    run.end()
    assert len(function.rows) == delivered
    assert all(len(error[3]) <= module.DATA_ROW_LENGTH for error in run.errors)


def test_a_missing_function_fails_the_job_with_one_line() -> None:
    class Missing:
        def invoke(self, payload: bytes) -> bytes:
            raise ConnectorError("there is no function f")

    run = Harness(Missing())
    run.send(1)
    with pytest.raises(ConnectorError, match="there is no function f"):
        run.until(lambda: False)
    with pytest.raises(ConnectorError, match="there is no function f"):
        run.end()


def test_a_full_buffer_slows_the_input_without_stopping_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = threading.Event()
    function = FakeFunction(lambda row: "Ok" if works.is_set() else "DeliveryFailed")
    run = Harness(function, LambdaSinkOptions("f", Aws("us-east-1"), batch_seconds=0.02, max_buffered=10))
    for n in range(10):
        run.send(n)
    start = time.monotonic()
    for n in range(10, 14):
        run.send(n)
    waited = time.monotonic() - start
    assert waited >= 4 * module.FULL_WAIT_SECONDS
    assert run.metrics.gauges["in_flight"]() == 14
    works.set()
    run.end()
    assert {row["n"] for row in function.rows} == set(range(14))
    assert not run.pending()
    start = time.monotonic()
    run.send(14)
    assert time.monotonic() - start < module.FULL_WAIT_SECONDS


def test_a_slow_function_does_not_hold_up_the_input_or_other_buckets() -> None:
    release = threading.Event()

    class SlowForZero(FakeFunction):
        def invoke(self, payload: bytes) -> bytes:
            answer = super().invoke(payload)
            if self.sent[-1][0]["n"] == 0:
                release.wait(10)
            return answer

    function = SlowForZero()
    run = Harness(function)
    run.send(0, bucket=0)
    run.until(lambda: len(function.sent) == 1)
    run.send(1, bucket=1)
    run.until(lambda: run.pending() == [0])
    assert len(function.sent) == 2
    release.set()
    run.until(lambda: not run.pending())


def test_a_closed_operator_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    run = Harness(FakeFunction())
    for bucket in range(3):
        run.send(bucket, bucket=bucket)
    run.end()
    ours = set(threading.enumerate()) - before
    assert len(ours) == 3
    run.operator.close()
    for thread in ours:
        thread.join(5)
    assert not any(thread.is_alive() for thread in ours)


def test_rows_of_a_key_stay_in_their_buckets_queue_and_rows_without_key_fill_one_queue_after_the_other() -> (
    None
):
    def calls(key: str | None) -> list[list[int]]:
        function = FakeFunction()
        options = LambdaSinkOptions(
            "f", Aws("us-east-1"), key_column=key, concurrency=3, batch_records=2, batch_seconds=60
        )
        run = Harness(function, options)
        for bucket in range(3):
            run.send(bucket, bucket + 10, bucket=bucket)
        for n in range(20, 26):
            run.send(n, bucket=n % 3)
        run.end()
        return sorted([row["n"] for row in call] for call in function.sent)

    assert calls("n") == [[0, 10], [1, 11], [2, 12], [20, 23], [21, 24], [22, 25]]
    assert calls(None) == [[0, 10], [1, 11], [2, 12], [20, 21], [22, 23], [24, 25]]


def test_a_chunk_loses_its_settled_rows_while_others_wait() -> None:
    run = Harness(FakeFunction(lambda row: "DeliveryFailed" if row["n"] % 100 == 7 else "Ok"))
    run.send(*range(1200))
    assert run.pending() == list(range(1200))
    assert len(pickle.loads(run.backend["pending_chunks", 0])) == 3
    run.until(lambda: len(run.pending()) == 12)
    assert run.pending() == list(range(7, 1200, 100))
    restored = Harness(FakeFunction(), backend=run.backend)
    run.operator.close()
    restored.end()
    assert not restored.pending()


def test_rows_in_a_savepoint_of_the_first_version_are_sent_again_under_their_ids() -> None:
    backend = {
        ("pending", 3): pickle.dumps({12: Row(None, b'{"n":1}'), 11: Row(1_700_000_000_000, b'{"n":0}')})
    }
    function = FakeFunction(lambda row: "Ok" if row["n"] else "DeliveryFailed")
    options = LambdaSinkOptions("f", Aws("us-east-1"), batch_seconds=0.02, max_retries=0)
    run = Harness(function, options, backend)
    run.end()
    assert function.ids == [["3-11", "3-12"]]
    assert [(error[0], error[2]) for error in run.errors] == [("DeliveryFailed", 1_700_000_000_000)]
    run.commit()
    assert [pickle.loads(entries) for entries in backend.values()] == [{}, {}]


@pytest.mark.parametrize("descriptor", [CHUNKS, ROWS], ids=lambda descriptor: descriptor.name)
def test_state_is_of_types_that_thread_mode_pickles(descriptor: MapStateDescriptor) -> None:
    """Of an array of bytes PyFlink made one of objects there, and each checkpoint failed."""
    assert isinstance(descriptor.type_info._value_type_info, PickledBytesTypeInfo | RowTypeInfo)
