"""Which of an application's resources are there already."""

from collections.abc import Collection

from botocore.exceptions import ClientError

from infra.clients import client
from infra.resources import BUCKET, DELIVERY, STREAM, TABLE, parts
from pipeline.application import Application
from pipeline.settings import Settings


def existing(
    endpoint: str | None, application: Application, settings: Settings, own: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Type and name of the resources that an application's stack would have to make, and that are there without it.

    Parameters
    ----------
    endpoint : str or None
        URL of the local AWS, None for the real one.
    application, settings
        As for :func:`parts`.
    own : collection of (type, name)
        What the stack has made.

    Raises
    ------
    botocore.exceptions.ClientError
        A service may not be asked.
    """
    named = {(part.type, part.name) for part in parts(application, settings)} - set(own)
    return {(type_, name) for type_, name in named if _is_there(endpoint, type_, name)}


def _is_there(endpoint: str | None, type_: str, name: str) -> bool:
    service, operation, key = {
        STREAM: ("kinesis", "describe_stream_summary", "StreamName"),
        DELIVERY: ("firehose", "describe_delivery_stream", "DeliveryStreamName"),
        BUCKET: ("s3", "head_bucket", "Bucket"),
        TABLE: ("dynamodb", "describe_table", "TableName"),
    }[type_]
    try:
        getattr(client(service, endpoint), operation)(**{key: name})
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("ResourceNotFoundException", "404", "NoSuchBucket"):
            return False
        # Somebody else's bucket has the name: none can be made.
        if type_ == BUCKET and code in ("403", "301"):
            return True
        raise
    return True
