"""The options of the function that records pass before they are decoded; they are read where there is no Flink."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.lambda_sink.calls import LambdaFunction
from connectors.lambda_sink.options import LOCAL_APPLICATION_ARN
from connectors.option import check_options, option
from connectors.requirements import Requirements, function_requirements


@dataclass(frozen=True)
class PreprocessOptions:
    """Which function records pass.

    Parameters
    ----------
    function : str
        Name or ARN.
    region : str
        AWS region.
    endpoint : str or None
        Another address for Lambda; the only difference between a local AWS and the real one.
    stream : str or None
        The Kinesis stream that the records come from: the function sees its ARN as ``streamArn``. None: they come from
        files, and it sees nothing.
    batch_records : int
        Records in one call at most, 1-10,000.
    batch_seconds : float
        Seconds between two calls at least, 0-60; records gather meanwhile.
    max_retries : int or None
        Failures of its own, after the first, that a record may have before it is an error. None: it is sent until it
        is taken, and all behind it waits.
    application_arn : str
        What the function sees as ``applicationArn``: the deployed application's.
    name : str
        Of the source: its property group.

    Raises
    ------
    ValueError
        For a value out of range.
    """

    function: str = field(metadata=option("a function that records pass first: its name or ARN"))
    region: str
    endpoint: str | None = None
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
        """The stream's ARN, of the application's account."""
        if self.stream is None:
            return ""
        _, partition, _, _, account, *_ = self.application_arn.split(":")
        return f"arn:{partition}:kinesis:{self.region}:{account}:stream/{self.stream}"

    def lambda_function(self) -> LambdaFunction:
        """The function, to be called or checked."""
        return LambdaFunction(self.function, self.region, self.endpoint)

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the function is there and may be looked at."""
        self.lambda_function().check()

    def requires(self) -> Requirements:
        """The permissions and resources that it needs."""
        return function_requirements(self.function)
