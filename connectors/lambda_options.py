"""Options of the Lambda sink."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.rights import Right, invoke

LOCAL_APPLICATION_ARN = "arn:aws:kinesisanalytics:us-east-1:000000000000:application/kda-on-flink"


@dataclass(frozen=True)
class LambdaSinkOptions:
    """Which function takes the rows, and how they are handed over.

    Parameters
    ----------
    function : str
        Name or ARN.
    region : str
        AWS region.
    endpoint : str or None
        Another address for Lambda; the only difference between a local AWS and the real one.
    key_column : str or None
        Rows with the same value here are delivered one call after the other, in order. None: rows go to
        whichever call is next.
    concurrency : int
        Calls in flight at once over the whole job, 1-128. With 1 all rows are delivered in order.
    batch_seconds : float
        A row waits at most this long for company, 0-60 s.
    batch_records : int
        Rows in one call at most, 1-10,000. Calls also stay under Lambda's 6 MB.
    max_retries : int or None
        Failures after the first that a row may have before it goes to the error rows, 0 or more. None: it is
        sent until it is taken, as KDA did.
    timeout_seconds : float
        How long one call may take, 1-900 s. Longer than the function's own timeout.
    max_buffered : int
        Rows that one subtask holds without acknowledgement before it holds back its input, 1-1,000,000.
    application_arn : str
        What the function sees as ``applicationArn``.

    Raises
    ------
    ValueError
        For a value out of range.
    """

    function: str
    region: str
    endpoint: str | None = None
    key_column: str | None = None
    concurrency: int = 8
    batch_seconds: float = 1.0
    batch_records: int = 500
    max_retries: int | None = None
    timeout_seconds: float = 65.0
    max_buffered: int = 10_000
    application_arn: str = LOCAL_APPLICATION_ARN

    def __post_init__(self) -> None:
        for name in ("function", "region", "application_arn"):
            if not getattr(self, name):
                raise ValueError(f"lambda_sink.{name} must be set, got {getattr(self, name)!r}")
        for name, low, high in (
            ("concurrency", 1, 128),
            ("batch_seconds", 0, 60),
            ("batch_records", 1, 10_000),
            ("timeout_seconds", 1, 900),
            ("max_buffered", 1, 1_000_000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"lambda_sink.{name} must be between {low} and {high}, got {value}")
        if self.max_retries is not None and self.max_retries < 0:
            raise ValueError(f"lambda_sink.max_retries must be 0 or more, or not set, got {self.max_retries}")

    def requires(self) -> tuple[Right, ...]:
        """What a job's role must allow."""
        return (invoke(self.function, self.region),)
