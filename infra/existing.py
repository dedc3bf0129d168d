"""Which of an application's resources are there already, and which would go."""

from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.clients import client
from infra.resources import BUCKET, DELIVERY, STREAM, TABLE, parts
from pipeline.application import Application
from pipeline.settings import Settings

#: Of resources that hold data, the property that is their name.
_NAMES = {STREAM: "Name", DELIVERY: "DeliveryStreamName", BUCKET: "BucketName", TABLE: "TableName"}


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


def lost(made: Mapping[str, tuple[str, str]], template: Mapping[str, Any]) -> list[str]:
    """What holds data, and would be deleted with it if a stack were brought to a template.

    Parameters
    ----------
    made : mapping
        Type and name of what the stack has made, by logical name.
    template : mapping
        The template to come.
    """
    found = []
    for logical, (type_, name) in made.items():
        if type_ not in _NAMES:
            continue
        properties = template["Resources"].get(logical, {}).get("Properties", {})
        kept = logical in template["Resources"] and properties.get(_NAMES[type_], name) == name
        if not kept:
            found.append(f"{words(type_)} {name}")
    return sorted(found)


def words(type_: str) -> str:
    """A resource's type for people.

    Examples
    --------
    >>> words("AWS::Kinesis::Stream")
    'Kinesis Stream'
    """
    return type_.removeprefix("AWS::").replace("::", " ")


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
