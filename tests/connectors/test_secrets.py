"""Credentials stay in their process: they are not in messages, nor in reprs or pickles of what is sent to workers."""

import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest
from typer.testing import CliRunner

from base.aws import Aws
from cli.main import app
from connectors.check import require
from connectors.dynamodb import DynamoDbSink
from connectors.firehose import FirehoseLanding, FirehoseSink
from connectors.kinesis import KinesisSink, KinesisSource
from connectors.lambda_sink.calls import LambdaFunction, deliver
from connectors.lambda_sink.contract import Delivery
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.lambda_sink.sink import LambdaSink
from connectors.s3 import S3Sink
from infra import stacks
from pipeline.application import Application
from pipeline.catalog import all_applications
from pipeline.settings import SettingsError, override, settings
from tests.canaries import CREDENTIALS

PROPERTY = "canary-property-4"
NOBODY = "http://127.0.0.1:9"
AWS = Aws.local(NOBODY)
LAMBDA = LambdaSinkOptions("nobody", AWS)
FUNCTION = LambdaFunction("nobody", AWS)
DELIVERY = Delivery(1, "a", b"{}")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def reported(function: Callable[[], Any]) -> str:
    """The messages of an exception and of its causes, suppressed ones too."""
    try:
        function()
    except Exception as error:
        return messages_of(error)
    raise AssertionError("it must fail: nobody listens there")


def messages_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize(
    "fails",
    [
        lambda: require(AWS, "kinesis", "a stream", "list_streams"),
        LAMBDA.check,
        lambda: deliver(FUNCTION, LAMBDA.application_arn, [DELIVERY]),
        DynamoDbSink("t", "k", AWS).check,
        FirehoseSink("d", AWS).check,
        FirehoseLanding("s3://b/p/", AWS).check,
        KinesisSource("s", AWS).check,
        KinesisSink("s", AWS).check,
        S3Sink("s3://b/p/", AWS).check,
        lambda: stacks.outputs(AWS, "trades"),
    ],
)
def test_a_service_that_cant_be_reached_is_reported_without_credentials(
    fails: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    # The log levels that users get. (At DEBUG botocore logs what it signs; nothing in this project sets that.)
    caplog.set_level(logging.INFO)
    text = reported(fails) + caplog.text
    assert [canary for canary in CREDENTIALS.values() if canary in text] == []
    assert "127.0.0.1:9" in text


def test_what_is_sent_to_workers_and_into_savepoints_has_no_credentials() -> None:
    client = FUNCTION.client()
    operator = LambdaSink(("a",), LAMBDA)
    pickled = cloudpickle.dumps(operator) + pickle.dumps((LAMBDA, DELIVERY))
    shown = repr((LAMBDA, DELIVERY, FUNCTION, client, operator)).encode()
    assert [canary for canary in CREDENTIALS.values() if canary.encode() in pickled + shown] == []


@pytest.mark.parametrize("application", all_applications(), ids=lambda a: a.name)
def test_a_property_that_no_job_has_is_named_without_its_value(application: Application) -> None:
    with pytest.raises(SettingsError, match=r"sink\.password is not a property of this application") as error:
        settings(application, override({}, [f"sink.password={PROPERTY}"]))
    assert PROPERTY not in messages_of(error.value)


ENDPOINT = f"http://user:{PROPERTY}@127.0.0.1:9"


@pytest.mark.parametrize("application", all_applications(), ids=lambda a: a.name)
def test_an_endpoint_with_a_password_is_refused_without_repeating_it(application: Application) -> None:
    with pytest.raises(SettingsError) as error:
        settings(application, override({}, [f"aws.endpoint={ENDPOINT}"]))
    assert str(error.value).startswith("aws.endpoint must be an address without user and password")
    assert PROPERTY not in messages_of(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "trades", "--endpoint", ENDPOINT],
        ["run", "trades", "--endpoint", NOBODY, "-p", f"aws.endpoint={ENDPOINT}"],
        ["run", "trades", "--aws", "-p", f"aws.endpoint={ENDPOINT}"],
        ["sql", "trades", "--endpoint", ENDPOINT],
        ["status", "--endpoint", ENDPOINT],
        ["watch", "trades", "--endpoint", ENDPOINT],
        ["report", "trades", "--endpoint", ENDPOINT],
        ["discover", "s", "--endpoint", ENDPOINT],
        ["items", "--endpoint", ENDPOINT],
        ["record", "s", "f", "--endpoint", ENDPOINT],
        ["deploy", "status", "trades", "--endpoint", ENDPOINT],
        ["deploy", "template", "trades", "-p", f"aws.endpoint={ENDPOINT}"],
        ["console", "--endpoint", ENDPOINT],
        # A misspelt property is unknown, but its value could still be shown.
        ["run", "trades", "--endpoint", NOBODY, "-p", f"aws-endpoint={ENDPOINT}"],
        ["console", "--endpoint", NOBODY, "-p", f"aws.endpoint={ENDPOINT}"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(ENDPOINT, "ENDPOINT"),
)
def test_no_command_repeats_the_password_of_an_endpoint(arguments: list[str]) -> None:
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, arguments)
    assert result.exit_code in (1, 2)
    assert PROPERTY not in result.output
    assert "without user and password" in result.output or "required " in result.output
