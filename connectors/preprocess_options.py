"""The options of the function that pre-processes records; a module without Flink, as commands read it too."""

from __future__ import annotations

from dataclasses import dataclass, field

from base.aws import Aws
from connectors.lambda_sink.calls import LambdaFunction
from connectors.lambda_sink.options import LOCAL_APPLICATION_ARN
from connectors.option import check_options, option
from connectors.requirements import Requirements, function_requirements


@dataclass(frozen=True)
class PreprocessOptions:
    """Which function pre-processes the records, and how it is called.

    Parameters
    ----------
    function : str
        Name or ARN.
    aws : Aws
        Where it is.
    stream : str or None
        The Kinesis stream that the records come from: the function gets its ARN as ``streamArn``. None: the records
        come from files, and ``streamArn`` is empty.
    batch_records : int
        Most records in one call, 1-10,000.
    batch_seconds : float
        Shortest time between two calls, 0-60 s; records gather meanwhile.
    max_retries : int or None
        Failures of its own, after the first, that a record may have before it is an error. None: it is sent until it
        is accepted, and all records behind it wait.
    application_arn : str
        What the function gets as ``applicationArn``: the deployed application's.
    name : str
        The source's property group.

    Raises
    ------
    ValueError
        For a value out of range.
    """

    function: str = field(metadata=option("a function that records pass first: its name or ARN"))
    aws: Aws
    stream: str | None = None
    batch_records: int = field(
        default=500,
        metadata=option("records in one call of that function at most", minimum=1, maximum=10_000),
    )
    batch_seconds: float = field(
        default=0.2,
        metadata=option(
            "seconds between two calls of it at least; records gather meanwhile", minimum=0, maximum=60
        ),
    )
    max_retries: int | None = field(
        default=3,
        metadata=option("failures after the first until a record goes to the error stream", minimum=0),
    )
    application_arn: str = LOCAL_APPLICATION_ARN
    name: str = "source"

    def __post_init__(self) -> None:
        check_options(self, self.name)

    @property
    def stream_arn(self) -> str:
        """The stream's ARN in the application's account; empty without a stream."""
        if self.stream is None:
            return ""
        _, partition, _, _, account, *_ = self.application_arn.split(":")
        return f"arn:{partition}:kinesis:{self.aws.region}:{account}:stream/{self.stream}"

    def lambda_function(self) -> LambdaFunction:
        """A client of the function."""
        return LambdaFunction(self.function, self.aws)

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the function's configuration can be read."""
        self.lambda_function().check()

    def requires(self) -> Requirements:
        """The permissions and resources that calling the function needs."""
        return function_requirements(self.function)
