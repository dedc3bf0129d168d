"""The AWS resources that an application's properties name: streams, delivery streams, buckets, tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from base.errors import InvalidValue
from pipeline.application import Application
from pipeline.settings import Settings

STREAM = "AWS::Kinesis::Stream"
DELIVERY = "AWS::KinesisFirehose::DeliveryStream"
BUCKET = "AWS::S3::Bucket"
TABLE = "AWS::DynamoDB::Table"

_FOLDERS = "!{timestamp:yyyy/MM/dd/HH}/"
_LOGS = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group"
_ARNS = {
    STREAM: "arn:${AWS::Partition}:kinesis:${AWS::Region}:${AWS::AccountId}:stream/",
    DELIVERY: "arn:${AWS::Partition}:firehose:${AWS::Region}:${AWS::AccountId}:deliverystream/",
    BUCKET: "arn:${AWS::Partition}:s3:::",
    TABLE: "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/",
}
_PRIVATE = {
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
}


@dataclass(frozen=True)
class Part:
    """A named resource, with the resources that only it needs.

    Attributes
    ----------
    logical, type, name : str
        Its logical name in the template, its type, and its own name.
    resources, outputs : dict
        CloudFormation's resources and outputs, by logical name.
    """

    logical: str
    type: str
    name: str
    resources: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN, for ``Fn::Sub``."""
        return _ARNS[self.type] + self.name


def parts(application: Application, settings: Settings) -> list[Part]:
    """The resources of an application's stack; a resource that several properties name is made once."""
    found: dict[tuple[str, str], Part] = {}
    logical: set[str] = set()
    for part in _parts(application, settings):
        if (part.type, part.name) in found:
            continue
        if logical & set(part.resources):
            raise InvalidValue(
                f"{part.name}: another resource of {application.name} has the logical name {part.logical} too: "
                "rename the property group of one"
            )
        logical |= set(part.resources)
        found[part.type, part.name] = part
    return list(found.values())


def _parts(application: Application, settings: Settings) -> Iterator[Part]:
    for relation, source in application.sources.items():
        group = application.group_of(source)
        chosen = getattr(settings, group)
        # A stream that is named is made even if the source reads S3: the objects may be a copy of it.
        if chosen.stream:
            shards = {"ShardCount": {"Ref": "ShardCount"}, "RetentionPeriodHours": {"Ref": "RetentionHours"}}
            yield _stream(f"{_camel(group)}Stream", chosen.stream, f"Stream of {relation}.", shards)
        if chosen.type == "firehose":
            yield from _landing(_camel(group), f"{application.name}-{group}", chosen.path, relation)
    unread = "Stream of the records that the job could not use."
    # stack.yaml may refer to it, so it is made even if errors go to `errors.path`.
    yield _stream("ErrorStream", settings.errors.stream, unread)
    if settings.errors.path and (bucket := _bucket_of(settings.errors.path)):
        yield _bucket("ErrorBucket", bucket, "Bucket of the records that the job could not use.")
    tapped = "Stream of the rows of the job's relations, when its taps are on."
    yield _stream("TapStream", settings.tap.stream or application.tap_stream, tapped)
    for destination in application.destinations:
        chosen, camel = getattr(settings, destination.name), _camel(destination.name)
        rows = f"the rows of {destination.of}."
        if chosen.type == "kinesis":
            yield _stream(f"{camel}Stream", chosen.stream, f"Stream of {rows}")
        elif chosen.type == "firehose":
            yield _delivery(camel, chosen.delivery_stream, rows)
        elif chosen.type == "dynamodb":
            yield _table(f"{camel}Table", chosen.table, chosen.key, f"Table of {rows}")
        elif chosen.type == "s3" and (bucket := _bucket_of(chosen.path)):
            yield _bucket(f"{camel}Bucket", bucket, f"Bucket of {rows}")


def _camel(group: str) -> str:
    """A group's name in camel case, as logical names may only have letters and digits."""
    return "".join(word[:1].upper() + word[1:] for word in group.split("_"))


def _stream(logical: str, name: str, what: str, more: dict[str, Any] | None = None) -> Part:
    properties = {"Name": name, **(more or {"ShardCount": 1})}
    return _part(logical, STREAM, name, what, {logical: {"Type": STREAM, "Properties": properties}})


def _table(logical: str, name: str, key: str, what: str) -> Part:
    properties = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
    }
    return _part(logical, TABLE, name, what, {logical: {"Type": TABLE, "Properties": properties}})


def _bucket(logical: str, name: str, what: str) -> Part:
    properties = {"BucketName": name, **_PRIVATE}
    return _part(logical, BUCKET, name, what, {logical: {"Type": BUCKET, "Properties": properties}})


def _landing(camel: str, delivery: str, path: str, relation: str) -> Iterator[Part]:
    """The bucket that a source reads, and a delivery stream that writes to it, for Firehose producers."""
    name = _bucket_of(path)
    if not name:
        return
    prefix = urlsplit(path).path.strip("/")
    bucket = _bucket(f"{camel}Bucket", name, f"Bucket that {relation} is read from.")
    # Errors may be under the source's path, which ignores names that begin with _.
    bucket.resources.update(
        _to_s3(camel, delivery, bucket.logical, f"{prefix}/" if prefix else "", errors="_errors/")
    )
    described = f"Firehose delivery stream that {relation} is read from."
    bucket.outputs[f"{camel}DeliveryName"] = _output(f"{camel}Delivery", described)
    yield bucket


def _delivery(camel: str, name: str, rows: str) -> Part:
    """A delivery stream with a bucket. CloudFormation names the bucket, as its name must be globally unique."""
    bucket = f"{camel}Bucket"
    resources = {bucket: {"Type": BUCKET, "Properties": dict(_PRIVATE)}, **_to_s3(camel, name, bucket)}
    part = _part(f"{camel}Delivery", DELIVERY, name, f"Firehose delivery stream of {rows}", resources)
    part.outputs[f"{bucket}Name"] = _output(bucket, f"Bucket of {rows[:-1]}, under yyyy/MM/dd/HH/.")
    return part


def _to_s3(camel: str, name: str, bucket: str, prefix: str = "", errors: str = "errors/") -> dict[str, Any]:
    """Resources of a delivery stream to a bucket, with its role and log."""
    delivery, role, log = f"{camel}Delivery", f"{camel}DeliveryRole", f"{camel}DeliveryLog"
    arn = {"Fn::GetAtt": [bucket, "Arn"]}
    return {
        log: {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": f"/aws/kinesisfirehose/{name}", "RetentionInDays": 7},
        },
        f"{log}Stream": {
            "Type": "AWS::Logs::LogStream",
            "Properties": {"LogGroupName": {"Ref": log}, "LogStreamName": "S3Delivery"},
        },
        role: {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "firehose.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
                        }
                    ],
                },
                "Policies": [
                    {
                        "PolicyName": "deliver",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [
                                _allow(
                                    arn,
                                    "s3:GetBucketLocation",
                                    "s3:ListBucket",
                                    "s3:ListBucketMultipartUploads",
                                ),
                                _allow(
                                    {"Fn::Sub": f"${{{bucket}.Arn}}/*"},
                                    "s3:AbortMultipartUpload",
                                    "s3:GetObject",
                                    "s3:PutObject",
                                ),
                                _allow(
                                    {"Fn::Sub": f"{_LOGS}:${{{log}}}:log-stream:${{{log}Stream}}"},
                                    "logs:PutLogEvents",
                                ),
                            ],
                        },
                    }
                ],
            },
        },
        delivery: {
            "Type": DELIVERY,
            "Properties": {
                "DeliveryStreamName": name,
                "DeliveryStreamType": "DirectPut",
                "ExtendedS3DestinationConfiguration": {
                    "BucketARN": arn,
                    "RoleARN": {"Fn::GetAtt": [role, "Arn"]},
                    "Prefix": f"{prefix}{_FOLDERS}",
                    "ErrorOutputPrefix": f"{errors}!{{firehose:error-output-type}}/{_FOLDERS}",
                    "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 1},
                    "CompressionFormat": "UNCOMPRESSED",
                    "CloudWatchLoggingOptions": {
                        "Enabled": True,
                        "LogGroupName": {"Ref": log},
                        "LogStreamName": {"Ref": f"{log}Stream"},
                    },
                },
            },
        },
    }


def _allow(resource: Any, *actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def _part(logical: str, type_: str, name: str, what: str, resources: dict[str, Any]) -> Part:
    return Part(logical, type_, name, resources, {f"{logical}Name": _output(logical, what)})


def _output(logical: str, what: str) -> dict[str, Any]:
    return {"Description": what, "Value": {"Ref": logical}}


def _bucket_of(path: str | None) -> str:
    url = urlsplit(path or "")
    return url.netloc if url.scheme.startswith("s3") else ""
