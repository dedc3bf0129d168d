"""One call of a Lambda function, and what each way of going wrong means for the rows it carried."""

from __future__ import annotations

import threading
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
from connectors.lambda_sink.contract import AnswerError, Delivery, Refusal, event, refusals
from connectors.lambda_sink.delivery_queue import Failure


class CallFailed(Exception):
    """The call failed as a whole, and may succeed with fewer rows."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class CallRefused(Exception):
    """Lambda did not take the call: throttled, out of order, out of reach. The rows are not to blame."""


#: Seconds that Lambda lets a function run at most.
LONGEST_RUN_SECONDS = 900
#: Waited on top of a function's own time-out: for a cold start, which does not count there, and the way there and back.
MARGIN_SECONDS = 15


class LambdaFunction:
    """A function to call. A call has as long as the function itself may run, and a little more.

    Parameters
    ----------
    name, region : str
        Name or ARN, and where.
    endpoint : str or None
        Another address for Lambda.
    connections : int
        Calls at once.

    Notes
    -----
    The function's time-out is read before the first call, and again after a call without an answer: it may have been
    raised meanwhile. Where it can't be read it counts as the longest that Lambda knows, 900 s.
    """

    def __init__(self, name: str, region: str, endpoint: str | None, connections: int = 1) -> None:
        self.name, self.region, self.endpoint = name, region, endpoint
        self._connections = connections
        self._client: Any = None
        self._lock = threading.Lock()  # boto3 makes one client at a time

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the function is there and may be looked at."""
        self._configuration()

    def invoke(self, payload: bytes) -> bytes:
        """Call the function and give its answer.

        Raises
        ------
        CallFailed, CallRefused, ConnectorError
            See there.
        """
        with self._lock:
            client = self._client = self._client or self.client()
        try:
            answer = client.invoke(FunctionName=self.name, InvocationType="RequestResponse", Payload=payload)
            body: bytes = answer["Payload"].read()
        except ReadTimeoutError:
            self._client = None
            waited = client.meta.config.read_timeout
            raise CallFailed(Failure("Timeout", f"no answer within {waited:g} s")) from None
        except (ConnectionError, HTTPClientError, IncompleteReadError) as e:
            raise CallRefused(str(e)) from None
        except BotoCoreError as e:  # no credentials, a function name that can't be one
            raise self._unusable(e) from None
        except ClientError as e:
            status = e.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status == 413:
                raise CallFailed(
                    Failure("RecordTooLarge", "Lambda refused the call as too large", final=True)
                ) from None
            # Not there, not allowed, not possible: waiting won't help. The rest passes: throttling, 5xx, an
            # update going on.
            if status in (400, 403, 404) and "Throttl" not in e.response.get("Error", {}).get("Code", ""):
                raise self._unusable(e) from None
            raise CallRefused(str(e)) from None
        if "FunctionError" in answer:
            text = body[:1000].decode("utf-8", "replace")
            raise CallFailed(Failure("Timeout" if "Task timed out" in text else "FunctionError", text))
        return body

    def client(self) -> Any:
        """A client that tries once: the caller does the rest. Credentials come from the default chain."""
        try:
            longest = int(self._configuration()["Timeout"])
        except ConnectorError:  # what is wrong, the call will tell
            longest = LONGEST_RUN_SECONDS
        config = Config(
            connect_timeout=10.0,
            read_timeout=min(longest, LONGEST_RUN_SECONDS) + MARGIN_SECONDS,
            retries={"total_max_attempts": 1},
            max_pool_connections=self._connections,
            tcp_keepalive=True,
        )
        return boto3.client("lambda", region_name=self.region, endpoint_url=self.endpoint, config=config)

    def _configuration(self) -> dict[str, Any]:
        return require(
            "lambda",
            self.region,
            self.endpoint,
            f"Lambda function {self.name}",
            "get_function_configuration",
            FunctionName=self.name,
        )

    def _unusable(self, error: Exception) -> ConnectorError:
        where = f"Lambda function {self.name} in {self.region}"
        where += f" at {self.endpoint}" if self.endpoint else ""
        return ConnectorError(f"{where} can't be used: {error}")


def deliver(function: LambdaFunction, application_arn: str, batch: Sequence[Delivery]) -> dict[str, Refusal]:
    """Hand a batch to the function; give the records it did not take, with the reason.

    Raises
    ------
    CallFailed, CallRefused, ConnectorError
        See there.
    """
    try:
        return refusals(function.invoke(event(application_arn, batch)), batch)
    except AnswerError as e:
        raise CallFailed(Failure("DeliveryFailed", str(e))) from None
