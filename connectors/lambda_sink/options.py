"""Options of the Lambda sink."""

from __future__ import annotations

from dataclasses import dataclass, field

from base.aws import Aws
from base.errors import InvalidValue
from connectors.option import FORMATS, check_options, option
from connectors.requirements import Requirements, function_requirements

LOCAL_APPLICATION_ARN = "arn:aws:kinesisanalytics:us-east-1:000000000000:application/local"


@dataclass(frozen=True)
class LambdaSinkOptions:
    """Which function gets the rows, and how they are sent; :func:`connectors.option.options_of` lists the options.

    Parameters
    ----------
    function : str
        Name or ARN.
    aws : Aws
        Where it is.
    key_column : str or None
        Rows with the same value in this column are delivered in order, one call after the other. None: rows go into
        whichever call is next.
    concurrency : int
        Calls in flight at once in the whole job, 1-128. With 1 all rows are delivered in order.
    batch_seconds : float
        A row waits at most this long for a full batch, 0-60 s.
    batch_records : int
        Rows in one call at most, 1-10,000. Calls also stay under Lambda's 6 MB.
    max_retries : int or None
        Failures after the first that a row may have before it goes to the error rows, 0 or more. None: it is
        sent until it is accepted, as KDA did.
    max_buffered : int
        Unacknowledged rows that one subtask holds before it slows its input, 1-1,000,000.
    format : str
        ``json`` or ``csv``.
    application_arn : str
        What the function gets as ``applicationArn``: the deployed application's.
    name : str or None
        The destination's name, which is its property group, and names its operator and state. None: the group is
        ``sink``, and the function's name is used for operator and state; so two sinks to one function need names.

    Raises
    ------
    ValueError
        For a value out of range.
    """

    function: str = field(metadata=option("with type lambda: the function's name or ARN"))
    aws: Aws
    key_column: str | None = field(
        default=None,
        metadata=option("with type lambda: column whose rows of one value stay in order; none: in any order"),
    )
    concurrency: int = field(
        default=8,
        metadata=option(
            "with type lambda: calls at once in the whole job; 1 keeps all rows in order",
            minimum=1,
            maximum=128,
        ),
    )
    batch_seconds: float = field(
        default=1.0,
        metadata=option("with type lambda: seconds that a row waits for others", minimum=0, maximum=60),
    )
    batch_records: int = field(
        default=500, metadata=option("with type lambda: rows in a call", minimum=1, maximum=10_000)
    )
    max_retries: int | None = field(
        default=None,
        metadata=option(
            "with type lambda: retries before a row goes to the error stream; none: no limit",
            minimum=0,
        ),
    )
    max_buffered: int = field(
        default=10_000,
        metadata=option(
            "with type lambda: unacknowledged rows of a subtask before it slows its input",
            minimum=1,
            maximum=1_000_000,
        ),
    )
    format: str = field(default="json", metadata=option("how a row is written", choices=FORMATS))
    application_arn: str = LOCAL_APPLICATION_ARN
    name: str | None = None

    def __post_init__(self) -> None:
        check_options(self, self.group)
        if not self.application_arn:
            raise InvalidValue(f"aws.application_arn must be set, got {self.application_arn!r}")

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the function's configuration can be read."""
        # Not at the top: settings are read without boto3, which is slow to import.
        from connectors.lambda_sink.calls import LambdaFunction

        LambdaFunction(self.function, self.aws).check()

    def requires(self) -> Requirements:
        """The permissions and resources that the sink needs."""
        return function_requirements(self.function)

    @property
    def group(self) -> str:
        """The property group that these options come from."""
        return self.name or "sink"

    @property
    def operator_name(self) -> str:
        """Identifies the operator and its state among those of other sinks."""
        return self.name or self.function
