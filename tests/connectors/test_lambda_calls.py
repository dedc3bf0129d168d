"""What each way of going wrong means, at the client's seam."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from connectors import lambda_calls
from connectors.check import ConnectorError
from connectors.lambda_calls import (
    CallFailed,
    CallRefused,
    call,
    check_function,
    lambda_client,
)
from connectors.lambda_contract import Delivery
from connectors.lambda_options import LambdaSinkOptions

OPTIONS = LambdaSinkOptions(
    "f", "eu-west-1", endpoint="http://127.0.0.1:1", timeout_seconds=30, concurrency=3
)
BATCH = [Delivery(1, "0-1", b"{}")]


class FakeClient:
    """Answers with what it was made with; raises it when it is an exception."""

    def __init__(self, payload: bytes | Exception, **answer: Any) -> None:
        self.payload = payload
        self.answer = answer
        self.calls: list[dict[str, Any]] = []

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(arguments)
        if isinstance(self.payload, Exception):
            raise self.payload
        return {**self.answer, "Payload": io.BytesIO(self.payload)}


def refusal(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "Invoke",
    )


def test_a_call_is_synchronous_and_by_contract() -> None:
    client = FakeClient(b'{"records":[{"recordId":"0-1","result":"Ok"}]}')
    assert call(client, OPTIONS, BATCH) == {}
    (arguments,) = client.calls
    event = json.loads(arguments.pop("Payload"))
    assert arguments == {"FunctionName": "f", "InvocationType": "RequestResponse"}
    assert event["records"][0]["recordId"] == "0-1"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"errorMessage":"boom","errorType":"ValueError"}', "FunctionError"),
        ('{"errorMessage":"2024-01-31T00:00:00Z 1-2-3 Task timed out after 3.00 seconds"}', "Timeout"),
        ("\ufffd" * 5000, "FunctionError"),
    ],
)
def test_an_error_in_the_function_fails_the_call(text: str, name: str) -> None:
    with pytest.raises(CallFailed) as error:
        call(FakeClient(text.encode(), FunctionError="Unhandled"), OPTIONS, BATCH)
    assert error.value.failure.name == name
    assert error.value.failure.message[:100] == text[:100]
    assert not error.value.failure.final


def test_no_answer_in_time_fails_the_call() -> None:
    with pytest.raises(CallFailed, match="no answer within 30 s") as error:
        call(FakeClient(ReadTimeoutError(endpoint_url="x")), OPTIONS, BATCH)
    assert error.value.failure.name == "Timeout"


def test_a_call_that_is_too_large_fails_for_good() -> None:
    with pytest.raises(CallFailed) as error:
        call(FakeClient(refusal("RequestTooLargeException", 413)), OPTIONS, BATCH)
    assert error.value.failure.final


@pytest.mark.parametrize(
    "error",
    [
        refusal("TooManyRequestsException", 429),
        refusal("ThrottlingException", 400),
        refusal("ServiceException", 500),
        refusal("EC2ThrottledException", 502),
        refusal("ResourceConflictException", 409),
        EndpointConnectionError(endpoint_url="x"),
        ConnectionClosedError(endpoint_url="x"),
    ],
)
def test_a_call_that_lambda_does_not_take_is_refused(error: Exception) -> None:
    with pytest.raises(CallRefused):
        call(FakeClient(error), OPTIONS, BATCH)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            refusal("ResourceNotFoundException", 404),
            "Lambda function f in eu-west-1 at http://127.0.0.1:1 can't be used: .*ResourceNotFoundException",
        ),
        (refusal("AccessDeniedException", 403), "can't be used: .*AccessDeniedException"),
        (NoCredentialsError(), "can't be used: Unable to locate credentials"),
    ],
)
def test_what_waiting_can_not_help_is_one_clear_line(error: Exception, message: str) -> None:
    with pytest.raises(ConnectorError, match=message) as raised:
        call(FakeClient(error), OPTIONS, BATCH)
    assert "\n" not in str(raised.value)


def test_a_function_may_not_run_longer_than_the_sink_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_calls, "require", lambda *_, **__: {"Timeout": 29})
    check_function(OPTIONS)
    monkeypatch.setattr(lambda_calls, "require", lambda *_, **__: {"Timeout": 30})
    with pytest.raises(ConnectorError, match="must be more than the 30 s that function f may run, got 30"):
        check_function(OPTIONS)


def test_the_client_tries_once_and_waits_as_told() -> None:
    config = lambda_client(OPTIONS).meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.read_timeout, config.connect_timeout, config.max_pool_connections) == (30, 10, 3)


def test_nobody_there_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(ConnectorError, match=r"Lambda function f: .* can't be reached"):
        check_function(OPTIONS)
