"""boto3 clients for the local and the real AWS: the endpoint is the only difference."""

from typing import Any

import boto3
from botocore.config import Config

LOCAL_REGION = "us-east-1"
#: Key and secret for the local AWS, which checks no signatures.
LOCAL_CREDENTIALS = ("test", "test")


def client(service: str, endpoint: str | None, config: Config | None = None) -> Any:
    """Return a client of `service`.

    Parameters
    ----------
    service : str
        AWS's name of the service, such as ``"kinesis"``.
    endpoint : str or None
        URL of the local AWS; None for the real one, with the default chain of credentials and region.
    config : botocore.config.Config, optional
        Time-outs and retries.
    """
    if endpoint is None:
        return boto3.client(service, config=config)
    key, secret = LOCAL_CREDENTIALS
    # Ignore the environment's proxies: the local AWS is on this machine.
    local = Config(s3={"addressing_style": "path"}, proxies={})
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=LOCAL_REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=local.merge(config) if config else local,
    )
