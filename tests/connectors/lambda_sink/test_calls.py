"""What each failure of a call means; only the boto3 client is replaced."""

import io
import json
import types
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from base.aws import Aws
from connectors.check import ConnectorError
from connectors.lambda_sink import calls as lambda_calls
from connectors.lambda_sink.calls import CallFailed, CallRefused, LambdaFunction, deliver
from connectors.lambda_sink.contract import Delivery, Refusal
from connectors.lambda_sink.options import LambdaSinkOptions

BATCH = [Delivery(1, "0-1", b"{}")]
OK = b'{"records":[{"recordId":"0-1","result":"Ok"}]}'


class FakeClient:
    """A boto3 client that returns the given answer, or raises it if it is an exception."""

    def __init__(self, payload: bytes | Exception, **answer: Any) -> None:
        self.payload = payload
        self.answer = answer
        self.calls: list[dict[str, Any]] = []
        self.meta = types.SimpleNamespace(config=types.SimpleNamespace(read_timeout=30))

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(arguments)
        if isinstance(self.payload, Exception):
            raise self.payload
        return {**self.answer, "Payload": io.BytesIO(self.payload)}


def call(client: FakeClient) -> dict[str, Refusal]:
    function = LambdaFunction("f", Aws("eu-west-1", "http://127.0.0.1:1"))
    function._client = client
    return deliver(function, "arn:a", BATCH)


def refusal(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "Invoke",
    )


def test_a_call_is_synchronous_and_by_contract() -> None:
    client = FakeClient(OK)
    assert call(client) == {}
    (arguments,) = client.calls
    event = json.loads(arguments.pop("Payload"))
    assert arguments == {"FunctionName": "f", "InvocationType": "RequestResponse"}
    assert event["applicationArn"] == "arn:a"
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
        call(FakeClient(text.encode(), FunctionError="Unhandled"))
    assert error.value.failure.name == name
    assert error.value.failure.message[:100] == text[:100]
    assert not error.value.failure.final


def test_an_answer_of_another_form_fails_the_call() -> None:
    with pytest.raises(CallFailed, match=r"the answer must be .* got 'null'") as error:
        call(FakeClient(b"null"))
    assert (error.value.failure.name, error.value.failure.final) == ("DeliveryFailed", False)


def test_no_answer_in_time_fails_the_call() -> None:
    with pytest.raises(CallFailed, match="no answer within 30 s") as error:
        call(FakeClient(ReadTimeoutError(endpoint_url="x")))
    assert error.value.failure.name == "Timeout"


def test_a_call_that_is_too_large_fails_for_good() -> None:
    with pytest.raises(CallFailed) as error:
        call(FakeClient(refusal("RequestTooLargeException", 413)))
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
        call(FakeClient(error))


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
def test_a_call_that_can_never_succeed_fails_with_one_line(error: Exception, message: str) -> None:
    with pytest.raises(ConnectorError, match=message) as raised:
        call(FakeClient(error))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("timeout", "waits"), [(3, 18), (65, 80), (900, 915)])
def test_a_call_waits_as_long_as_the_function_may_run(
    timeout: int, waits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_calls, "require", lambda *_, **__: {"Timeout": timeout})
    LambdaSinkOptions("f", Aws("eu-west-1")).check()
    config = LambdaFunction("f", Aws("eu-west-1"), connections=3).client().meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.read_timeout, config.connect_timeout, config.max_pool_connections) == (waits, 10, 3)


def test_an_unreadable_time_out_counts_as_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> Any:
        raise ConnectorError("AccessDenied")

    monkeypatch.setattr(lambda_calls, "require", denied)
    assert LambdaFunction("f", Aws("eu-west-1")).client().meta.config.read_timeout == 915


def test_the_time_out_is_read_again_after_a_call_without_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    function = LambdaFunction("f", Aws("eu-west-1"))
    clients = [FakeClient(ReadTimeoutError(endpoint_url="x")), FakeClient(OK)]
    monkeypatch.setattr(function, "client", lambda: clients.pop(0))
    with pytest.raises(CallFailed):
        deliver(function, "arn:a", BATCH)
    assert deliver(function, "arn:a", BATCH) == {}
    assert deliver(function, "arn:a", BATCH) == {}


def test_an_unreachable_service_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(ConnectorError, match=r"Lambda function f: .* can't be reached"):
        LambdaSinkOptions("f", Aws("eu-west-1", "http://127.0.0.1:1")).check()
