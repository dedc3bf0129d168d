"""KDA's contract: the event and its size, and the answer."""

import base64
import contextlib
import doctest
import json
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.aws import Aws
from connectors import row_csv, row_json
from connectors.lambda_sink import contract as lambda_contract
from connectors.lambda_sink import delivery_queue
from connectors.lambda_sink.contract import (
    PAYLOAD_LIMIT,
    AnswerError,
    Delivery,
    event,
    refusals,
    room_for_records,
)
from connectors.lambda_sink.options import LambdaSinkOptions

ARN = 'arn:aws:kinesisanalytics:us-east-1:000000000000:application/"quoted"'
TWO = [Delivery(1, "0-1", b'{"a":1}'), Delivery(2, "0-2", b'{"a":"\xc3\xa4"}', retries=3)]


def test_the_event_is_kdas() -> None:
    first, second = json.loads(event(ARN, TWO)), json.loads(event(ARN, TWO))
    assert first.pop("invocationId") != second.pop("invocationId")
    assert first == {
        "applicationArn": ARN,
        "records": [
            {
                "recordId": "0-1",
                "lambdaDeliveryRecordMetadata": {"retryHint": 0},
                "data": base64.b64encode(b'{"a":1}').decode(),
            },
            {
                "recordId": "0-2",
                "lambdaDeliveryRecordMetadata": {"retryHint": 3},
                "data": base64.b64encode('{"a":"ä"}'.encode()).decode(),
            },
        ],
    }


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20), st.integers(0, 10**18))
@settings(deadline=None)
def test_the_size_of_an_event_is_never_more_than_its_rows_were_counted(
    rows: list[bytes], retries: int
) -> None:
    batch = [Delivery(n, f"127-{n}", data, retries=retries) for n, data in enumerate(rows)]
    envelope = PAYLOAD_LIMIT - room_for_records(ARN)
    assert len(event(ARN, batch)) <= envelope + sum(d.size for d in batch)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ('{"records":[{"recordId":"0-1","result":"Ok"},{"recordId":"0-2","result":"Ok"}]}', set()),
        (
            '{"records":[{"recordId":"0-1","result":"Ok"},{"recordId":"0-2","result":"DeliveryFailed"}]}',
            {"0-2"},
        ),
        ('{"records":[{"recordId":"0-1","result":"Ok"}]}', {"0-2"}),
        ('{"records":[{"recordId":"0-1","result":"Ok"},{"recordId":"9-9","result":"Ok"}]}', {"0-2"}),
        ('{"records":[{"recordId":"0-1","result":"ok"},{"recordId":"0-2","result":"Ok"}]}', {"0-1"}),
        (
            '{"records":[{"recordId":"0-1","result":"Dropped"},{"recordId":"0-2","result":null}]}',
            {"0-1", "0-2"},
        ),
        # If a record has two entries, the worse one counts, in either order.
        (
            '{"records":[{"recordId":"0-1","result":"Ok"},{"recordId":"0-1","result":"DeliveryFailed"},'
            '{"recordId":"0-2","result":"DeliveryFailed"},{"recordId":"0-2","result":"Ok"}]}',
            {"0-1", "0-2"},
        ),
        ('{"records":[]}', {"0-1", "0-2"}),
        # Entries are read one by one: an invalid entry does not affect the others.
        ('{"records":["0-1",{"recordId":"0-2","result":"Ok"}]}', {"0-1"}),
        ('{"records":[{"recordId":"0-1"},{"recordId":"0-2","result":"Ok"}]}', {"0-1"}),
        ('{"records":[null,{"result":"Ok"},{"recordId":"0-2","result":"Ok"}]}', {"0-1"}),
        ('{"records":[{"recordId":["0-1"],"result":{}},{"recordId":"0-2","result":"Ok"}]}', {"0-1"}),
    ],
)
def test_only_ok_is_accepted(answer: str, refused: set[str]) -> None:
    assert set(refusals(answer.encode(), TWO)) == refused


def test_a_record_without_result_differs_from_one_that_is_not_named() -> None:
    refused = refusals(b'{"records":[{"recordId":"0-1"}]}', TWO)
    assert refused["0-1"] == ("the result must be 'Ok' or 'DeliveryFailed', got None", True)
    assert refused["0-2"] == ("the answer has no recordId 0-2", False)


@pytest.mark.parametrize(
    "answer",
    [
        "null",
        '"Ok"',
        "",
        "<html>",
        "[]",
        '{"records":{}}',
        '{"records":"0-1"}',
        '{"records":null}',
        "[" * 100_000,
    ],
)
def test_an_answer_of_another_form_says_nothing_of_any_record(answer: str) -> None:
    with pytest.raises(AnswerError, match="the answer must be"):
        refusals(answer.encode(), TWO)


@given(st.binary())
def test_any_answer_gives_refusals_or_an_answer_error(answer: bytes) -> None:
    with contextlib.suppress(AnswerError):
        assert set(refusals(answer, TWO)) <= {"0-1", "0-2"}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("function", "", "sink.function must be set, got ''"),
        ("concurrency", 0, "sink.concurrency must be between 1 and 128, got 0"),
        ("batch_seconds", 61.0, "sink.batch_seconds must be between 0 and 60, got 61.0"),
        ("batch_seconds", float("nan"), "sink.batch_seconds must be between 0 and 60, got nan"),
        ("batch_records", 10_001, "sink.batch_records must be between 1 and 10000, got 10001"),
        ("format", "xml", "sink.format must be json or csv, got 'xml'"),
        ("max_buffered", 0, "sink.max_buffered must be between 1 and 1000000, got 0"),
        ("max_retries", -1, "sink.max_retries must be 0 or more, got -1"),
    ],
)
def test_options_out_of_range(option: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.") + "$"):
        LambdaSinkOptions(**{"function": "f", "aws": Aws("us-east-1"), option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "module", [lambda_contract, delivery_queue, row_csv, row_json], ids=lambda module: module.__name__
)
def test_the_examples_in_the_docstrings(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
