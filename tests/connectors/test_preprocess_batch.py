"""KDA's pre-processing contract: the calls, the result for each record, and their order."""

import base64
import doctest
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.aws import Aws
from connectors import preprocess_batch
from connectors.check import ConnectorError
from connectors.lambda_sink.calls import CallFailed, CallRefused
from connectors.lambda_sink.contract import AnswerError, Refusal
from connectors.lambda_sink.delivery_queue import Failure
from connectors.preprocess_batch import (
    Outcome,
    Preprocessor,
    SourceRecord,
    event,
    firehose_metadata,
    kinesis_metadata,
    read_answer,
)
from connectors.preprocess_options import PreprocessOptions
from tests.connectors.lambda_sink.test_misbehaviour import HANDLERS, FunctionError

APPLICATION = "arn:aws:kinesisanalytics:us-east-1:000000000000:application/a"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


def record(n: int, data: bytes = b"{}", name: str = "") -> SourceRecord:
    return SourceRecord(
        n, name or f"{n}", data, metadata=kinesis_metadata("shard-1", f"49{n}", 1_706_702_400_123)
    )


class Clock:
    """A clock that advances by sleeping, and by a step with each reading."""

    def __init__(self, look: float = 0.0) -> None:
        self.now, self.look = 0.0, look

    def monotonic(self) -> float:
        self.now += self.look
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Function:
    """A Lambda function with a handler, which remembers the data of each call."""

    name = "f"

    def __init__(self, handler: Callable[[list[dict[str, Any]]], Any]) -> None:
        self.handler = handler
        self.calls: list[list[bytes]] = []

    def invoke(self, payload: bytes) -> bytes:
        records = json.loads(payload)["records"]
        self.calls.append([base64.b64decode(r["data"]) for r in records])
        try:
            answer = self.handler(records)
        except FunctionError:
            raise CallFailed(Failure("FunctionError", "boom")) from None
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def entry(record: dict[str, Any], result: str = "Ok", data: bytes = b"new") -> dict[str, Any]:
    return {"recordId": record["recordId"], "result": result, "data": base64.b64encode(data).decode()}


def process(
    function: Any, records: list[SourceRecord], max_retries: int | None = 3, batch_records: int = 500
) -> list[Outcome]:
    clock = Clock()
    made = Preprocessor(
        function, APPLICATION, STREAM, batch_records, max_retries, clock.monotonic, clock.sleep
    )
    return made.process(records)


def test_the_event_is_kdas() -> None:
    sent = json.loads(event(APPLICATION, STREAM, [record(1, b"\xffraw")]))
    assert sent.pop("invocationId")
    assert sent == {
        "applicationArn": APPLICATION,
        "streamArn": STREAM,
        "records": [
            {
                "recordId": "1",
                "kinesisStreamRecordMetadata": {
                    "sequenceNumber": "491",
                    "partitionKey": "",
                    "shardId": "shard-1",
                    "approximateArrivalTimestamp": 1_706_702_400_123,
                },
                "data": base64.b64encode(b"\xffraw").decode(),
            }
        ],
    }
    landed = SourceRecord(1, "1", b"", metadata=firehose_metadata(5))
    (of_file,) = json.loads(event(APPLICATION, "", [landed]))["records"]
    assert of_file["kinesisFirehoseRecordMetadata"] == {"approximateArrivalTimestamp": 5}


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20))
@settings(deadline=None)
def test_the_size_of_an_event_is_never_more_than_its_records_were_counted(rows: list[bytes]) -> None:
    batch = [record(n, data) for n, data in enumerate(rows)]
    assert len(event(APPLICATION, STREAM, batch)) <= len(event(APPLICATION, STREAM, [])) + sum(
        r.size for r in batch
    )


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"result": "Ok", "data": "eA=="}, Outcome(b"x")),
        ({"result": "Ok", "data": ""}, Outcome(b"")),
        ({"result": "Dropped"}, Outcome()),
        ({"result": "Dropped", "data": 5}, Outcome()),
        (
            {"result": "ProcessingFailed", "data": "eA=="},
            Outcome(error=Failure("ProcessingFailed", "the function answered ProcessingFailed")),
        ),
        ({"result": "Ok"}, Refusal("the data of a record that is Ok must be base64, got None")),
        ({"result": "Ok", "data": "x"}, Refusal("the data of a record that is Ok must be base64, got 'x'")),
        ({"result": "Ok", "data": {}}, Refusal("the data of a record that is Ok must be base64, got {}")),
        ({}, Refusal("the result must be 'Ok', 'Dropped' or 'ProcessingFailed', got None")),
        ({"result": "ok"}, Refusal("the result must be 'Ok', 'Dropped' or 'ProcessingFailed', got 'ok'")),
    ],
)
def test_each_result_of_an_answer(said: dict[str, Any], outcome: Outcome | Refusal) -> None:
    answer = json.dumps({"records": [{"recordId": "1"} | said]}).encode()
    outcomes, refused = read_answer(answer, [record(1)])
    assert (outcomes | refused) == {"1": outcome}


def test_a_record_that_is_missing_or_named_twice() -> None:
    named_twice = json.dumps({"records": [{"recordId": "1", "result": "Dropped"}] * 2}).encode()
    _, refused = read_answer(named_twice, [record(1), record(2)])
    assert refused == {
        "1": Refusal("the answer must name a record once, got 2 times"),
        "2": Refusal("the answer has no recordId 2", named=False),
    }
    with pytest.raises(AnswerError):
        read_answer(b"null", [record(1)])


def test_order_is_kept_whatever_is_dropped_fails_or_comes_in_another_order() -> None:
    def handler(records: list[dict[str, Any]]) -> Any:
        words = {b"drop": "Dropped", b"fail": "ProcessingFailed"}
        said = [
            entry(r, words.get(data[:4], "Ok"), data.upper())
            for r, data in ((r, base64.b64decode(r["data"])) for r in records)
        ]
        return {"records": said[::-1]}

    records = [record(n, data) for n, data in enumerate((b"a", b"drop", b"b", b"fail", b"c"))]
    function = Function(handler)
    outcomes = process(function, records, batch_records=2)
    assert [o.data for o in outcomes] == [b"A", None, b"B", None, b"C"]
    assert [o.error.name if o.error else "" for o in outcomes] == ["", "", "", "ProcessingFailed", ""]
    assert function.calls == [[b"a", b"drop"], [b"b", b"fail"], [b"c"]]


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_no_record_fails_because_of_another_one(handler: Callable[..., Any]) -> None:
    """The sink's misbehaving handlers. Their Ok has no data, which this contract needs, so it is added."""

    def with_data(records: list[dict[str, Any]]) -> Any:
        answer = handler(records)
        for said in answer["records"] if isinstance(answer, dict) and answer.get("records") else ():
            if isinstance(said, dict) and said.get("result") == "Ok":
                said["data"] = "eA=="
        return answer

    # In this contract a dropped record is not a failure.
    if handler is HANDLERS["another word"]:
        return
    records = [record(n, name=f"{n}-bad" if n % 20 == 7 else str(n)) for n in range(100)]
    outcomes = process(Function(with_data), records, max_retries=1)
    for each, outcome in zip(records, outcomes, strict=True):
        assert (outcome.error is not None) == ("bad" in each.record_id)
        assert (outcome.data == b"x") == ("bad" not in each.record_id)


def test_a_record_that_no_call_can_carry_is_an_error_without_a_call() -> None:
    function = Function(lambda records: {"records": [entry(r) for r in records]})
    outcomes = process(function, [record(1), record(2, b"x" * 5_000_000), record(3)])
    assert [o.data for o in outcomes] == [b"new", None, b"new"]
    assert outcomes[1].error is not None
    assert outcomes[1].error.name == "RecordTooLarge"
    assert function.calls == [[b"{}", b"{}"]]


def test_a_batch_leaves_room_for_an_answer_that_is_longer() -> None:
    function = Function(lambda records: {"records": [entry(r) for r in records]})
    process(function, [record(n, b"x" * 1_000_000) for n in range(5)])
    assert [len(call) for call in function.calls] == [2, 2, 1]


def test_calls_that_lambda_does_not_take_wait_and_lose_nothing() -> None:
    answers: list[Exception | None] = [CallRefused("throttled")] * 20 + [None]

    class Throttled(Function):
        def invoke(self, payload: bytes) -> bytes:
            if error := answers.pop(0):
                raise error
            return super().invoke(payload)

    function = Throttled(lambda records: {"records": [entry(r) for r in records]})
    assert process(function, [record(1), record(2)], max_retries=0) == [Outcome(b"new")] * 2


@pytest.mark.parametrize("error", [CallRefused("throttled"), CallFailed(Failure("Timeout", "throttled"))])
def test_a_function_that_takes_nothing_fails_the_job_before_flink_gives_up_on_its_checkpoint(
    error: Exception,
) -> None:
    class Down(Function):
        def invoke(self, payload: bytes) -> bytes:
            raise error

    with pytest.raises(
        ConnectorError, match=r"Lambda function f accepted none of 2 records for 5\d\d s; .*: throttled"
    ):
        process(Down(lambda records: None), [record(1), record(2)], max_retries=None)


def test_a_missing_function_is_reported_at_once() -> None:
    class Missing(Function):
        def invoke(self, payload: bytes) -> bytes:
            raise ConnectorError("there is no function f")

    with pytest.raises(ConnectorError, match="there is no function f"):
        process(Missing(lambda records: None), [record(1)])


def test_the_stream_is_reported_as_one_of_the_applications_account() -> None:
    options = PreprocessOptions(
        "f", Aws("eu-west-1"), stream="s", application_arn="arn:aws-cn:kinesisanalytics:x:123:application/a"
    )
    assert options.stream_arn == "arn:aws-cn:kinesis:eu-west-1:123:stream/s"
    assert PreprocessOptions("f", Aws("eu-west-1")).stream_arn == ""
    with pytest.raises(ValueError, match=r"^source\.batch_records must be between 1 and 10000, got 0$"):
        PreprocessOptions("f", Aws("eu-west-1"), batch_records=0)


def test_the_examples_in_the_docstrings() -> None:
    result = doctest.testmod(preprocess_batch)
    assert result.attempted > 0
    assert result.failed == 0
