"""One call of a Lambda function, and what each way of going wrong means for the rows it carried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)

from connectors.check import ConnectorError, require
from connectors.lambda_contract import Delivery, event, refusals
from connectors.lambda_lane import Failure
from connectors.lambda_options import LambdaSinkOptions


class CallFailed(Exception):
    """The call failed as a whole, and may succeed with fewer rows."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class CallRefused(Exception):
    """Lambda did not take the call: throttled, out of order, out of reach. The rows are not to blame."""


def lambda_client(options: LambdaSinkOptions) -> Any:
    """A client that tries once: the lane does the rest. Credentials come from the default chain."""
    config = Config(
        connect_timeout=min(10.0, options.timeout_seconds),
        read_timeout=options.timeout_seconds,
        retries={"total_max_attempts": 1},
        max_pool_connections=options.concurrency,
        tcp_keepalive=True,
    )
    return boto3.client("lambda", region_name=options.region, endpoint_url=options.endpoint, config=config)


def check_function(options: LambdaSinkOptions) -> None:
    """Ask before the job starts whether the function is there and answers in time.

    Raises
    ------
    ConnectorError
        When it is missing, may not be looked at, or may run longer than the sink waits.
    """
    found = require(
        "lambda",
        options.region,
        options.endpoint,
        f"Lambda function {options.function}",
        "get_function_configuration",
        FunctionName=options.function,
    )
    if found["Timeout"] >= options.timeout_seconds:
        raise ConnectorError(
            f"lambda_sink.timeout_seconds must be more than the {found['Timeout']} s that function "
            f"{options.function} may run, got {options.timeout_seconds:g}"
        )


def call(client: Any, options: LambdaSinkOptions, batch: Sequence[Delivery]) -> dict[str, str]:
    """Invoke the function with a batch; give the records it did not take, with the reason.

    Raises
    ------
    CallFailed, CallRefused, ConnectorError
        See there.
    """
    try:
        answer = client.invoke(
            FunctionName=options.function,
            InvocationType="RequestResponse",
            Payload=event(options.application_arn, batch),
        )
        payload = answer["Payload"].read()
    except ReadTimeoutError:
        raise CallFailed(Failure("Timeout", f"no answer within {options.timeout_seconds:g} s")) from None
    except (ConnectionError, HTTPClientError, IncompleteReadError) as e:
        raise CallRefused(str(e)) from None
    except BotoCoreError as e:  # no credentials, a function name that can't be one
        raise _unusable(options, e) from None
    except ClientError as e:
        status = e.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == 413:
            raise CallFailed(
                Failure("RecordTooLarge", "Lambda refused the call as too large", final=True)
            ) from None
        # Not there, not allowed, not possible: waiting won't help. The rest passes: throttling, 5xx, an
        # update going on.
        if status in (400, 403, 404) and "Throttl" not in e.response.get("Error", {}).get("Code", ""):
            raise _unusable(options, e) from None
        raise CallRefused(str(e)) from None
    if "FunctionError" in answer:
        text = payload[:1000].decode("utf-8", "replace")
        name = "Timeout" if re.search(r"Task timed out", text) else "FunctionError"
        raise CallFailed(Failure(name, text))
    return refusals(payload, batch)


def _unusable(options: LambdaSinkOptions, error: Exception) -> ConnectorError:
    where = f"Lambda function {options.function} in {options.region}"
    where += f" at {options.endpoint}" if options.endpoint else ""
    return ConnectorError(f"{where} can't be used: {error}")
