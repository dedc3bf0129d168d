"""Which of an application's resources exist already, and which an update would delete."""

from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import ClientError

from base.aws import Aws
from infra.resources import BUCKET, DELIVERY, STREAM, TABLE, parts
from pipeline.application import Application
from pipeline.settings import Settings

#: The property with the name, for each type of resource that holds data.
_NAMES = {STREAM: "Name", DELIVERY: "DeliveryStreamName", BUCKET: "BucketName", TABLE: "TableName"}


def existing(
    aws: Aws, application: Application, settings: Settings, own: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Type and name of the resources that an application needs and that exist, but not in its stack.

    Parameters
    ----------
    aws : Aws
        Where to look.
    application, settings
        As for :func:`parts`.
    own : collection of (type, name)
        The stack's resources.

    Raises
    ------
    botocore.exceptions.ClientError
        A service refused the call.
    """
    named = {(part.type, part.name) for part in parts(application, settings)} - set(own)
    return {(type_, name) for type_, name in named if _is_there(aws, type_, name)}


def lost(made: Mapping[str, tuple[str, str]], template: Mapping[str, Any]) -> list[str]:
    """Resources that hold data and would be deleted if a stack were updated to a template.

    Parameters
    ----------
    made : mapping
        Type and name of the stack's resources, by logical name.
    template : mapping
        The new template.
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
    """A resource's type as readable text.

    Examples
    --------
    >>> words("AWS::Kinesis::Stream")
    'Kinesis Stream'
    """
    return type_.removeprefix("AWS::").replace("::", " ")


def _is_there(aws: Aws, type_: str, name: str) -> bool:
    service, operation, key = {
        STREAM: ("kinesis", "describe_stream_summary", "StreamName"),
        DELIVERY: ("firehose", "describe_delivery_stream", "DeliveryStreamName"),
        BUCKET: ("s3", "head_bucket", "Bucket"),
        TABLE: ("dynamodb", "describe_table", "TableName"),
    }[type_]
    try:
        getattr(aws.client(service), operation)(**{key: name})
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("ResourceNotFoundException", "404", "NoSuchBucket"):
            return False
        # Another account's bucket has the name, so it can't be created.
        if type_ == BUCKET and code in ("403", "301"):
            return True
        raise
    return True
