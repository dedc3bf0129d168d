"""Polls destinations: a stream's records, a bucket's objects, a table's items, and what a function did with its rows.

A function's messages and items are found by its environment variables: the topics and tables that it uses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from base.errors import InvalidValue
from console.arrivals import MOST_ARRIVALS, MOST_CHARACTERS, Arrivals, Poller
from console.resources import Target
from infra.stream_reader import StreamError, StreamReader

_LOOK_BACK = timedelta(minutes=15)
MOST_ITEMS = 1000
_MOST_SEEN = 10_000
#: How much later than a newer event an event can come into a log.
_LATE_MS = 60_000
_MOST_PAGES = 5
#: Folders by hour, as Firehose and Flink write them.
_HOURS = ("%Y/%m/%d/%H/", "yyyy=%Y/MM=%m/dd=%d/HH=%H/")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(\.\d+)?Z?")
Service = Callable[[str], Any]


def pollers_of(target: Target, service: Service) -> Sequence[Poller]:
    """The pollers of a destination.

    Parameters
    ----------
    target : Target
    service : callable
        Makes a boto3 client from a service's name.
    """
    match target.type:
        case "kinesis":
            return [Records(target.resource, service)]
        case "firehose":
            return [Objects(target.label, lambda: _delivered(target.resource, service("firehose")), service)]
        case "s3":
            return [Objects(target.resource, lambda: _bucket_and_prefix(target.resource), service)]
        case "dynamodb":
            return [Items(target.resource, service, target.key)]
    return _function(target, service)


def tables_of(target: Target, service: Service) -> list[str]:
    """The tables that a destination's rows are written to."""
    if target.type == "dynamodb":
        return [target.resource]
    return _resources_of(target, service)[1] if target.type == "lambda" else []


def _function(target: Target, service: Service) -> Sequence[Poller]:
    topics, tables = _resources_of(target, service)
    made: list[Poller] = [Messages(topic, service) for topic in topics]
    made += [Items(table, service) for table in tables]
    return made or [LogLines(target.label, service)]


def _resources_of(target: Target, service: Service) -> tuple[list[str], list[str]]:
    """Topics and tables that a function is configured to use."""
    found = service("lambda").get_function_configuration(FunctionName=target.resource)
    variables: Mapping[str, str] = found.get("Environment", {}).get("Variables", {})
    topics = [value for value in variables.values() if re.match(r"arn:[\w-]+:sns:", value)]
    return topics, [
        value for name, value in variables.items() if name.upper().endswith(("TABLE", "TABLE_NAME"))
    ]


class Records:
    """A stream's newest records."""

    def __init__(self, stream: str, service: Service) -> None:
        self.arrivals = Arrivals("records", f"Records in {stream}")
        self._reader = StreamReader(service("kinesis"), stream, datetime.now(UTC) - _LOOK_BACK)

    def poll(self) -> str | None:
        try:
            found = self._reader.read()
        except StreamError as error:
            return str(error)[:300]
        for number, record in enumerate(found, self.arrivals.total):
            text = record.data[:MOST_CHARACTERS].decode("utf-8", errors="backslashreplace").rstrip("\n")
            self.arrivals.keep(str(number), record.arrival.isoformat(), f"key {record.key}", text)
        self.arrivals.total += len(found)
        return None


class Messages:
    """Messages of a topic, read from a queue that is subscribed to it; they stay in the queue for other readers."""

    def __init__(self, topic: str, service: Service) -> None:
        self.arrivals = Arrivals("messages", "Messages sent")
        self._topic = topic
        self._service = service
        self._seen: set[str] = set()

    def poll(self) -> str | None:
        sns, sqs = self._service("sns"), self._service("sqs")
        subscribed = sns.list_subscriptions_by_topic(TopicArn=self._topic)["Subscriptions"]
        queues = [s["Endpoint"] for s in subscribed if s["Protocol"] == "sqs"]
        if not queues:
            others = sorted({s["Protocol"] for s in subscribed}) or ["nobody"]
            return (
                f"messages go to {' and '.join(others)} only: subscribe a queue to the topic to see them here"
            )
        url = sqs.get_queue_url(QueueName=queues[0].rpartition(":")[2])["QueueUrl"]
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=20,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        for message in answer.get("Messages", []):
            if message["MessageId"] in self._seen:
                continue
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen.add(message["MessageId"])
            sent = int(message.get("Attributes", {}).get("SentTimestamp", 0))
            moment = datetime.fromtimestamp(sent / 1000, UTC).isoformat() if sent else ""
            subject, text = _notification(message["Body"])
            self.arrivals.keep(message["MessageId"], moment, subject, text)
            self.arrivals.total += 1
        return None


class Items:
    """A table's items, the newest by the first column that holds times."""

    def __init__(self, table: str, service: Service, key: str | None = None) -> None:
        self.arrivals = Arrivals("items", f"Items in {table}")
        self._table = table
        self._service = service
        self._key = key

    def poll(self) -> str | None:
        dynamodb = self._service("dynamodb")
        self._key = self._key or key_of(dynamodb, self._table)
        items = items_of(dynamodb, self._table, MOST_ITEMS)
        for item in sorted(items, key=lambda i: (newest_by(i), i.get(str(self._key), "")))[-MOST_ARRIVALS:]:
            id_ = item.get(str(self._key), "?")
            rest = {name: value for name, value in item.items() if name != self._key}
            self.arrivals.keep(id_, newest_by(item), id_, ", ".join(f"{k} {v}" for k, v in rest.items()))
        self.arrivals.total = len(items)
        return None


class Objects:
    """Objects in a bucket: if its folders are by hour, those of this and the last hour, else the newest."""

    def __init__(self, name: str, where: Callable[[], tuple[str, str]], service: Service) -> None:
        self.arrivals = Arrivals("objects", f"Objects of {name}")
        self._where = where
        self._place: tuple[str, str] | None = None
        self._folders: tuple[str, ...] = _HOURS
        self._service = service
        self._seen: set[str] = set()

    def poll(self) -> str | None:
        self._place = self._place or self._where()
        bucket, prefix = self._place
        s3, now = self._service("s3"), datetime.now(UTC)
        listed: dict[str, Any] = {}
        for folder in self._folders:
            for hour in (now - timedelta(hours=1), now):
                listed |= _listed(s3, bucket, f"{prefix}{hour:{folder}}")
            if listed:
                self._folders = (folder,)  # a bucket has only one kind of folder
                break
        listed = listed or _listed(s3, bucket, prefix)
        new = [item for key, item in listed.items() if key not in self._seen]
        self._seen = set(listed)
        self.arrivals.total += len(new)
        for item in sorted(new, key=lambda i: (i["LastModified"], i["Key"]))[-MOST_ARRIVALS:]:
            text = ""
            if item["Size"]:
                part = s3.get_object(Bucket=bucket, Key=item["Key"], Range=f"bytes=0-{MOST_CHARACTERS}")
                text = part["Body"].read().decode("utf-8", errors="replace")
            self.arrivals.keep(item["Key"], item["LastModified"].isoformat(), item["Key"], text)
        return None


class LogLines:
    """A function's log, if it has no topic and no table."""

    def __init__(self, function: str, service: Service) -> None:
        self.arrivals = Arrivals("log", f"Log of {function}")
        self._group = f"/aws/lambda/{function.partition(':')[0]}"
        self._logs = service("logs")
        self._since = int((datetime.now(UTC) - _LOOK_BACK).timestamp() * 1000)
        #: Times in milliseconds of the events from `_since` on.
        self._seen: dict[str, int] = {}

    def poll(self) -> str | None:
        try:
            answer = self._logs.filter_log_events(logGroupName=self._group, startTime=self._since)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None  # the function was not called yet
            raise
        for event in answer["events"]:
            # Local services give events without ids.
            id_ = event.get("eventId") or f"{event['timestamp']} {event['message']}"
            if id_ not in self._seen:
                self._seen[id_] = event["timestamp"]
                moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat()
                self.arrivals.keep(id_, moment, "", event["message"].rstrip("\n"))
                self.arrivals.total += 1
        newest = max(self._seen.values(), default=self._since)
        # A log gets events that are older than others that it has: of another worker, say. Not so far back where there
        # are more than one answer holds.
        late = 0 if "nextToken" in answer else _LATE_MS
        self._since = max(self._since, newest - late)
        self._seen = {id_: moment for id_, moment in self._seen.items() if moment >= self._since}
        return None


def items_of(dynamodb: Any, table: str, most: int) -> list[dict[str, str]]:
    """A table's items as text, at most about `most`."""
    items: list[dict[str, str]] = []
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        items += [{k: _plain(v) for k, v in item.items()} for item in page["Items"]]
        if len(items) >= most:
            break
    return items


def key_of(dynamodb: Any, table: str) -> str:
    """The name of a table's partition key."""
    schema = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
    return str(next(part["AttributeName"] for part in schema if part["KeyType"] == "HASH"))


def newest_by(item: Mapping[str, str]) -> str:
    """The first value of an item that is a time, in order of its columns' names; '' if there is none.

    Examples
    --------
    >>> newest_by({"user": "x", "latest_time": "12:00:07", "session_time": "12:00:00"})
    '12:00:07'
    """
    return next((item[name] for name in sorted(item) if _TIME.fullmatch(item[name])), "")


def _plain(value: Mapping[str, Any]) -> str:
    """``{"S": "x"}`` as ``x``; nested values as JSON."""
    inner = next(iter(value.values()))
    return inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False, default=str)


def _listed(s3: Any, bucket: str, prefix: str) -> dict[str, Any]:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": _MOST_PAGES * 1000}
    )
    return {item["Key"]: item for page in pages for item in page.get("Contents", [])}


def _delivered(stream: str, firehose: Any) -> tuple[str, str]:
    """Bucket and prefix that a delivery stream writes to."""
    found = firehose.describe_delivery_stream(DeliveryStreamName=stream)["DeliveryStreamDescription"]
    destination = found["Destinations"][0]
    described = destination.get("ExtendedS3DestinationDescription") or destination["S3DestinationDescription"]
    # The part before the first expression is the same for every object.
    return described["BucketARN"].rpartition(":")[2], described.get("Prefix", "").partition("!{")[0]


def _bucket_and_prefix(path: str) -> tuple[str, str]:
    scheme, _, rest = path.partition("://")
    if scheme not in ("s3", "s3a"):
        raise InvalidValue(f"{path}: required an s3:// folder")
    bucket, _, prefix = rest.partition("/")
    return bucket, prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def _notification(body: str) -> tuple[str, str]:
    """Subject and text of an SNS message in a queue."""
    try:
        sent = json.loads(body)
        return str(sent.get("Subject") or "(no subject)"), str(sent.get("Message", ""))
    except (ValueError, AttributeError):
        return "(no notification)", body
