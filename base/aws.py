"""Which AWS is meant: the real one or a local one. Its region and address pass through the code as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from base.errors import InvalidValue

if TYPE_CHECKING:
    from botocore.config import Config

LOCAL_REGION = "us-east-1"
#: Key and secret for a local AWS, which checks no signatures.
LOCAL_CREDENTIALS = ("test", "test")


@dataclass(frozen=True)
class Aws:
    """Region and address of all services.

    Parameters
    ----------
    region : str
        AWS region, such as ``"eu-west-1"``.
    endpoint : str or None
        URL of a local AWS; None for the real one. It is the only difference between the two.

    Raises
    ------
    ValueError
        For an empty region.

    Examples
    --------
    >>> print(Aws("eu-west-1"))
    eu-west-1
    >>> print(Aws.local("http://127.0.0.1:4566"))
    us-east-1 at http://127.0.0.1:4566
    """

    region: str
    endpoint: str | None = None

    def __post_init__(self) -> None:
        if not self.region:
            raise InvalidValue(f"aws.region must be set, got {self.region!r}")

    @classmethod
    def local(cls, endpoint: str) -> Aws:
        """The local AWS at a URL."""
        return cls(LOCAL_REGION, endpoint)

    @classmethod
    def real(cls) -> Aws:
        """The real AWS, in the region of boto3's default chain.

        Raises
        ------
        ValueError
            It has none.
        """
        import boto3

        region = boto3.Session().region_name
        if not region:
            raise InvalidValue(
                "AWS's region must be set, got none: set AWS_DEFAULT_REGION or run `aws configure`"
            )
        return cls(region)

    def client(self, service: str, config: Config | None = None) -> Any:
        """A boto3 client of a service.

        Parameters
        ----------
        service : str
            AWS's name of it, such as ``"kinesis"``.
        config : botocore.config.Config, optional
            Time-outs and retries.

        Notes
        -----
        The real AWS takes the default chain of credentials. They are never sent to another address: a local AWS gets
        made-up ones.
        """
        # Not at the top: boto3 is slow to import, and settings are read without it.
        import boto3
        from botocore.config import Config

        if self.endpoint is None:
            return boto3.client(service, region_name=self.region, config=config)
        key, secret = LOCAL_CREDENTIALS
        # Ignore the environment's proxies: a local AWS is on this machine.
        local = Config(s3={"addressing_style": "path"}, proxies={})
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=local.merge(config) if config else local,
        )

    def __str__(self) -> str:
        return f"{self.region} at {self.endpoint}" if self.endpoint else self.region


def reason(error: Exception) -> str:
    """An error's message; of AWS, only its message and code.

    Examples
    --------
    >>> from botocore.exceptions import ClientError
    >>> reason(ClientError({"Error": {"Code": "NotFound", "Message": "no table x"}}, "Scan"))
    'no table x (NotFound)'
    >>> reason(OSError("no disk"))
    'no disk'
    """
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError) and error.response["Error"].get("Message"):
        return f"{error.response['Error']['Message']} ({error.response['Error']['Code']})"
    return str(error)
