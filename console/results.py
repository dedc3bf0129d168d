"""What arrived at a lab's destination: messages, items or objects, the newest first."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from console.labs import Lab
from console.watched import Watched

MOST_RESULTS = 50
_LOOK_SECONDS = 2.0
_MOST_CHARACTERS = 2000
_MOST_ITEMS = 1000
_MOST_SEEN = 10_000
#: The topic's queue, which local stacks have beside e-mail and SMS.
_MESSAGE_QUEUE = "CSEClickStreamEvent-messages"
_TABLE = "CloudAcademyLabs"
_DELIVERY_STREAM = "anomalous_stock_trades_firehose_stream"
Client = Callable[[str], Any]


class Results:
    """Looks at a lab's destination for as long as somebody looks at the page.

    Parameters
    ----------
    lab : Lab
    client : callable
        Makes a boto3 client from a service's name; called in the thread.

    Attributes
    ----------
    found : dict
        By id, the newest last: ``{"time", "title", "text"}``.
    total : int
        How many there are in all, as far as was counted.
    problem : str
        Why nothing can be shown.
    """

    def __init__(self, lab: Lab, client: Client) -> None:
        self.found: OrderedDict[str, dict[str, str]] = OrderedDict()
        self.total = 0
        self.problem = ""
        self.lock = threading.Lock()
        self._lab = lab
        self._client = client
        self._clients: dict[str, Any] = {}
        self._seen: set[str] = set()
        self._bucket = ""
        watched = Watched(f"results {lab.name}", self._look)
        self.touch, self.close = watched.touch, watched.close

    def as_json(self) -> dict[str, Any]:
        """What the page shows."""
        with self.lock:
            newest = list(reversed(self.found.values()))
        return {"kind": self._lab.results, "newest": newest, "total": self.total, "problem": self.problem}

    def _look(self) -> float:
        look = {"messages": self._messages, "items": self._items, "objects": self._objects}[self._lab.results]
        try:
            self.problem = look() or ""
        except (ClientError, BotoCoreError) as error:
            self.problem = str(error)[:300]
        except Exception as error:  # no mistake of ours may end the view in silence
            self.problem = f"{type(error).__name__}: {error}"[:300]
        return _LOOK_SECONDS

    def _service(self, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = self._client(name)
        return self._clients[name]

    def _keep(self, id_: str, moment: str, title: str, text: str) -> None:
        with self.lock:
            self.found[id_] = {"time": moment, "title": title[:200], "text": text[:_MOST_CHARACTERS]}
            while len(self.found) > MOST_RESULTS:
                self.found.popitem(last=False)

    def _messages(self) -> str | None:
        """Messages stay in the queue for whoever else reads it; each is shown once. Returns why there are none."""
        sqs = self._service("sqs")
        try:
            url = sqs.get_queue_url(QueueName=_MESSAGE_QUEUE)["QueueUrl"]
        except ClientError as error:
            if "NonExistentQueue" in error.response["Error"]["Code"]:
                return "the stack was deployed without a message queue: messages go to e-mail and SMS only"
            raise
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
            self._keep(message["MessageId"], moment, subject, text)
            self.total += 1
        return None

    def _items(self) -> None:
        items: list[dict[str, str]] = []
        for page in self._service("dynamodb").get_paginator("scan").paginate(TableName=_TABLE):
            items += [{k: str(next(iter(v.values()))) for k, v in item.items()} for item in page["Items"]]
            if len(items) >= _MOST_ITEMS:
                break
        items.sort(key=lambda item: (item.get("session_time", ""), item.get("session_id", "")))
        for item in items[-MOST_RESULTS:]:
            self._keep(
                item.get("session_id", "?"), item.get("session_time", ""), item.get("session_id", "?"), ""
            )
        self.total = len(items)

    def _objects(self) -> None:
        s3 = self._service("s3")
        if not self._bucket:
            found = self._service("firehose").describe_delivery_stream(DeliveryStreamName=_DELIVERY_STREAM)
            destination = found["DeliveryStreamDescription"]["Destinations"][0]
            described = (
                destination.get("ExtendedS3DestinationDescription") or destination["S3DestinationDescription"]
            )
            self._bucket = described["BucketARN"].rpartition(":")[2]
        now = datetime.now(UTC)
        listed: dict[str, Any] = {}
        for hour in (now - timedelta(hours=1), now):
            prefix = f"{hour:%Y/%m/%d/%H}/"
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                listed |= {item["Key"]: item for item in page.get("Contents", [])}
        new = [item for key, item in listed.items() if key not in self._seen]
        self._seen = set(listed)
        self.total += len(new)
        for item in sorted(new, key=lambda i: (i["LastModified"], i["Key"]))[-MOST_RESULTS:]:
            text = ""
            if item["Size"]:
                part = s3.get_object(
                    Bucket=self._bucket, Key=item["Key"], Range=f"bytes=0-{_MOST_CHARACTERS}"
                )
                text = part["Body"].read().decode("utf-8", errors="replace")
            self._keep(item["Key"], item["LastModified"].isoformat(), item["Key"], text)


def _notification(body: str) -> tuple[str, str]:
    """Subject and text of what SNS puts in a queue."""
    try:
        told = json.loads(body)
        return str(told.get("Subject") or "(no subject)"), str(told.get("Message", ""))
    except (ValueError, AttributeError):
        return "(no notification)", body
