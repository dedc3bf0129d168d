"""The account's streams: lists them, creates one, and sends records of the generator's templates to it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from base.errors import InvalidValue
from console.senders import LEAST_RATE, MOST_RATE, Run
from console.sending import SenderError
from generator import runner, scenario, sinks

#: Name of KDA's demo stream, and the template and rate of its records.
DEMO_STREAM, DEMO_TEMPLATE, DEMO_RATE = "kinesis-analytics-demo-stream", "stock-ticker", 10.0
_MOST_STREAMS = 200
_WAIT = {"Delay": 1, "MaxAttempts": 120}


class Streams:
    """An account's streams.

    Parameters
    ----------
    client : callable
        Makes a boto3 client from a service's name.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._runs: dict[tuple[str, str], Run] = {}
        self._lock = threading.Lock()

    def listed(self) -> list[dict[str, Any]]:
        """List the Kinesis streams and Firehose delivery streams."""
        kinesis = self._client("kinesis")
        found: list[dict[str, Any]] = []
        pages = kinesis.get_paginator("list_streams").paginate(PaginationConfig={"MaxItems": _MOST_STREAMS})
        for name in (n for page in pages for n in page["StreamNames"]):
            try:
                about = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
            except ClientError:  # it was deleted
                continue
            created = about.get("StreamCreationTimestamp")
            found.append(
                {
                    "name": name,
                    "kind": "kinesis",
                    "shards": about.get("OpenShardCount"),
                    "created": created.isoformat() if created else None,
                    "status": about["StreamStatus"],
                    "senders": self.senders(name),
                }
            )
        try:
            delivered = self._client("firehose").list_delivery_streams(Limit=100)["DeliveryStreamNames"]
        except (ClientError, BotoCoreError):  # perhaps not permitted: show only the Kinesis streams
            delivered = []
        return found + [{"name": name, "kind": "firehose", "senders": []} for name in delivered]

    def create(self, name: str) -> bool:
        """Create a stream with one shard, if it does not exist; return whether it is new.

        Raises
        ------
        botocore.exceptions.ClientError
            It can't be created.
        """
        kinesis = self._client("kinesis")
        try:
            kinesis.create_stream(StreamName=name, ShardCount=1)
            is_new = True
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
            is_new = False
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=_WAIT)
        return is_new

    def send(self, stream: str, template: str, rate: float) -> None:
        """Send records of a template to a stream until stopped; if it is being sent already, change its rate.

        Raises
        ------
        SenderError
            There is no such template, or the rate is out of bounds.
        """
        # Allow only names of the generator's templates, no files.
        if template not in templates():
            raise SenderError(f"template must be one of {', '.join(templates())}, got {template[:40]!r}")
        if not LEAST_RATE <= rate <= MOST_RATE:
            raise SenderError(
                f"rate must be between {LEAST_RATE:g} and {MOST_RATE:g} per second, got {rate:g}"
            )
        with self._lock:
            if before := self._runs.get((stream, template)):
                before.stop.set()
            run = self._runs[stream, template] = Run(rate)
            run.thread = threading.Thread(
                target=self._send, args=(stream, template, run), name=f"sender {stream}", daemon=True
            )
            run.thread.start()

    def stop(self, stream: str, template: str | None = None) -> None:
        """Stop sending a template, or all."""
        for (of, what), run in list(self._runs.items()):
            if of == stream and template in (None, what):
                run.stop.set()

    def senders(self, stream: str) -> list[dict[str, Any]]:
        """The senders to a stream, running or stopped."""
        return [
            {
                "template": template,
                "rate": run.rate,
                "running": run.running and not run.stop.is_set(),
                "sent": run.sent,
                "failed": run.failed,
                "trouble": run.trouble[:300],
            }
            for (of, template), run in list(self._runs.items())
            if of == stream
        ]

    def close(self) -> None:
        """Stop all senders."""
        for run in list(self._runs.values()):
            run.stop.set()

    def _send(self, stream: str, template: str, run: Run) -> None:
        try:
            runner.run(
                scenario.single(template, run.rate or 1.0),
                sinks.kinesis(self._client("kinesis"), stream),
                stop=run.stop,
                on_progress=lambda counts: run.count(counts.sent, counts.failed),
            )
        except Exception as error:  # shown on the page
            run.trouble = str(error) or type(error).__name__


def templates() -> list[str]:
    """The generator's own templates."""
    return scenario.names("templates")


def examples() -> list[dict[str, str]]:
    """Each template with an example record."""
    made = []
    for name in templates():
        (records,) = runner.preview(scenario.single(name, 1.0), 1).values()
        made.append({"name": name, "example": records[0][:500], "text": scenario.template_text(name)})
    return made


def targets(client: Callable[[str], Any]) -> dict[str, Any]:
    """Possible destinations in the account, by type; `problems` has the errors of services, by type."""
    asks: dict[str, Callable[[], list[str]]] = {
        "kinesis": lambda: client("kinesis").list_streams(Limit=1000)["StreamNames"],
        "firehose": lambda: client("firehose").list_delivery_streams(Limit=100)["DeliveryStreamNames"],
        "lambda": lambda: [
            f["FunctionName"]
            for page in client("lambda").get_paginator("list_functions").paginate()
            for f in page["Functions"]
        ],
        "dynamodb": lambda: client("dynamodb").list_tables()["TableNames"],
        "s3": lambda: [b["Name"] for b in client("s3").list_buckets()["Buckets"]],
    }
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for type_, ask in asks.items():
        try:
            found[type_] = sorted(ask())
        except (ClientError, BotoCoreError, OSError) as error:
            found[type_], problems[type_] = [], str(error)[:300]
    return found | {"problems": problems}


def tried(client: Callable[[str], Any], type_: str, name: str, key: str | None = None) -> dict[str, Any]:
    """Whether a destination exists and can be used: ``ok`` and ``message``. No record is sent."""
    try:
        return {"ok": True, "message": _asked(client, type_, name, key)}
    except ClientError as error:
        said = error.response["Error"]
        return {"ok": False, "message": f"{said.get('Message') or error} ({said['Code']})"[:500]}
    except (BotoCoreError, OSError, ValueError) as error:
        return {"ok": False, "message": str(error)[:500]}


def _asked(client: Callable[[str], Any], type_: str, name: str, key: str | None) -> str:
    if type_ == "kinesis":
        about = client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return _ready(about["StreamStatus"], f"{about.get('OpenShardCount')} shards")
    if type_ == "firehose":
        about = client("firehose").describe_delivery_stream(DeliveryStreamName=name)
        about = about["DeliveryStreamDescription"]
        return _ready(about["DeliveryStreamStatus"], f"type {about['DeliveryStreamType']}")
    if type_ == "lambda":
        about = client("lambda").get_function_configuration(FunctionName=name)
        return _ready(
            about.get("State", "Active"), f"runtime {about.get('Runtime')}, timeout {about.get('Timeout')} s"
        )
    if type_ == "dynamodb":
        about = client("dynamodb").describe_table(TableName=name)["Table"]
        keys = [k["AttributeName"] for k in about["KeySchema"]]
        if key and keys != [key]:
            raise InvalidValue(f"the table's key is {' and '.join(keys)}, but the destination's key is {key}")
        return _ready(about["TableStatus"], f"key {' and '.join(keys)}")
    if type_ == "s3":
        match = re.fullmatch(r"s3a?://([a-z0-9][a-z0-9.-]{1,62})/.*", name)
        if not match:
            raise InvalidValue(f"required s3://bucket/prefix/, got {name[:60]!r}")
        client("s3").head_bucket(Bucket=match[1])
        return f"bucket {match[1]} exists"
    raise InvalidValue(f"type must be kinesis, firehose, lambda, dynamodb or s3, got {type_[:40]!r}")


def _ready(status: str, more: str) -> str:
    if status.upper() not in ("ACTIVE", "UPDATING"):
        raise InvalidValue(f"it must be active, got {status.lower()}")
    return f"it exists and is active, {more}"
