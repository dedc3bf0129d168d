"""One call of a Lambda function, and what each kind of failure means for the rows in it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)

from base.aws import Aws
from connectors.check import ConnectorError, require
from connectors.lambda_sink.contract import AnswerError, Delivery, Refusal, event, refusals
from connectors.lambda_sink.delivery_queue import Failure


class CallFailed(Exception):
    """The call failed as a whole, and may succeed with fewer rows."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class CallRefused(Exception):
    """Lambda did not accept the call (throttling, 5xx, no connection). The rows are not the cause."""


#: Longest run of a function that Lambda allows.
LONGEST_RUN_SECONDS = 900
#: Added to a function's own time-out: for a cold start, which is not part of it, and for the network.
MARGIN_SECONDS = 15


class LambdaFunction:
    """A function to call. A call may take as long as the function may run, and :data:`MARGIN_SECONDS` more.

    Parameters
    ----------
    name : str
        Name or ARN.
    aws : Aws
        Where it is.
    connections : int
        Concurrent calls, at most.

    Notes
    -----
    The function's time-out is read before the first call, and again after a call without an answer, as it may have
    been raised meanwhile. If it can't be read, the longest that Lambda allows is taken, 900 s.
    """

    def __init__(self, name: str, aws: Aws, connections: int = 1) -> None:
        self.name, self.aws = name, aws
        self._connections = connections
        self._client: Any = None
        self._lock = threading.Lock()  # creating a boto3 client is not thread-safe

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the function's configuration can be read."""
        self._configuration()

    def invoke(self, payload: bytes) -> bytes:
        """Call the function and return its answer.

        Raises
        ------
        CallFailed
            When the call failed as a whole, and may succeed with fewer rows.
        CallRefused
            When Lambda did not accept the call.
        ConnectorError
            When the function can't be used, however long one waits.
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
        except BotoCoreError as e:  # no credentials, an invalid function name
            raise self._unusable(e) from None
        except ClientError as e:
            status = e.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status == 413:
                raise CallFailed(
                    Failure("RecordTooLarge", "Lambda refused the call as too large", final=True)
                ) from None
            # Missing, denied or invalid: waiting won't help. It does for the rest: throttling, 5xx, an update in
            # progress.
            if status in (400, 403, 404) and "Throttl" not in e.response.get("Error", {}).get("Code", ""):
                raise self._unusable(e) from None
            raise CallRefused(str(e)) from None
        if "FunctionError" in answer:
            text = body[:1000].decode("utf-8", "replace")
            raise CallFailed(Failure("Timeout" if "Task timed out" in text else "FunctionError", text))
        return body

    def client(self) -> Any:
        """A client that tries once: the caller does the retries. Credentials come from the default chain."""
        try:
            longest = int(self._configuration()["Timeout"])
        except ConnectorError:  # the call itself will report what is wrong
            longest = LONGEST_RUN_SECONDS
        config = Config(
            connect_timeout=10.0,
            read_timeout=min(longest, LONGEST_RUN_SECONDS) + MARGIN_SECONDS,
            retries={"total_max_attempts": 1},
            max_pool_connections=self._connections,
            tcp_keepalive=True,
        )
        return self.aws.client("lambda", config)

    def _configuration(self) -> dict[str, Any]:
        return require(
            self.aws,
            "lambda",
            f"Lambda function {self.name}",
            "get_function_configuration",
            FunctionName=self.name,
        )

    def _unusable(self, error: Exception) -> ConnectorError:
        return ConnectorError(f"Lambda function {self.name} in {self.aws} can't be used: {error}")


def deliver(function: LambdaFunction, application_arn: str, batch: Sequence[Delivery]) -> dict[str, Refusal]:
    """Send a batch to the function; return the records that it did not accept, with the reason.

    Raises
    ------
    CallFailed, CallRefused, ConnectorError
        See :meth:`LambdaFunction.invoke`.
    """
    try:
        return refusals(function.invoke(event(application_arn, batch)), batch)
    except AnswerError as e:
        raise CallFailed(Failure("DeliveryFailed", str(e))) from None
