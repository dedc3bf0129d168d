"""The demo of lab 3: trades through Lambda and Kinesis; compares the anomalies in S3 with the injected ones."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.config import Config
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from base.aws import Aws
from cli import report
from cli.demo_job import DemoError, DemoJob, running_job
from cli.shown import plain
from infra import stacks
from infra.stream_reader import StreamReader
from pipeline.catalog import find

ROUNDS = 30
#: The forest's default sample size: until the sample is full, every score is 0.
WARM_UP = 256
#: Bad records, sent with the trades to show that they are reported and don't stop the job.
BAD_RECORDS = (
    b"no json",
    b'{"price": "much"}',
    b'{"tickerSymbol": "A", "price": NaN}',
    b'{"id": 1}',
    b"\xff\xfe",
)
MINIMUM_RECALL = 0.95
#: Seconds after the last trade, after which missing results are not waited for.
DRAIN_SECONDS = 90.0


@dataclass
class Course:
    """The results of a run of the lab.

    Attributes
    ----------
    answer : dict or None
        What the producer's Lambda function answered: how many trades it sent, and which were injected as anomalies.
    objects : dict
        The rows of the anomaly bucket's objects, by key.
    errors : list
        Rows of the error stream.
    """

    answer: dict[str, Any] | None = None
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The anomalous trades."""
        return [row for rows in self.objects.values() for row in rows]

    @property
    def found(self) -> set[int]:
        """Ids of the anomalous trades."""
        return {row["id"] for row in self.rows}

    @property
    def injected(self) -> set[int]:
        """Ids of the trades that should be found: injected when the forest was warm."""
        return {i for i in (self.answer or {}).get("anomaly_ids", []) if i > WARM_UP}

    @property
    def recall(self) -> float:
        """The share of the injected trades that was found."""
        return len(self.found & self.injected) / len(self.injected) if self.injected else 0.0

    @property
    def precision(self) -> float:
        """The share of the found trades that was injected."""
        return len(self.found & self.injected) / len(self.found) if self.found else 0.0

    @property
    def complete(self) -> bool:
        """Whether every injected trade was found and every bad record reported."""
        return (
            self.answer is not None and self.injected <= self.found and len(self.errors) >= len(BAD_RECORDS)
        )

    @property
    def expectations(self) -> dict[str, bool]:
        """Each expectation of the lab, and whether it was met."""
        reported = len(self.errors) == len(BAD_RECORDS)
        return {
            f"recall of at least {MINIMUM_RECALL}": self.recall >= MINIMUM_RECALL,
            "every bad record is in the error stream, and nothing else": reported,
        }


def show(aws: Aws, folder: Path, out: Console) -> bool:
    """Run lab 3 on a local AWS; return whether the anomalies were found.

    Parameters
    ----------
    aws : Aws
        A local one without stacks of this lab.
    folder : Path
        Folder for the job's state and logs.
    out : Console
        Console to show the demo on.
    """
    parameters = {"Rounds": str(ROUNDS), "RoundIntervalSeconds": "1", "Seed": "3"}
    outputs, since = stacks.deploy(aws, find("trades"), parameters), datetime.now(UTC)
    properties = {
        "source.position": "TRIM_HORIZON",
        "tap.stream": outputs["TapStreamName"],
        # High enough for every row: the report draws each trade's score.
        "tap.rate": "1000",
    }
    with (
        running_job("trades", aws, folder, properties) as job,
        Live(console=out, refresh_per_second=4, transient=False) as live,
    ):
        live.update(Text("The job is starting …"))
        job.wait_until_running()
        course = follow(aws, outputs, lambda course: live.update(_picture(job, course)))
    out.print()
    reported = _reported(course, report.tapped(aws, "trades", since), outputs["AnomalyBucketName"], since)
    _summary(out, reported, course)
    report.write(folder / "report.html", reported)
    return all(reported.expectations.values())


def follow(
    aws: Aws,
    outputs: Mapping[str, str],
    on_progress: Callable[[Course], None],
    drain_seconds: float = DRAIN_SECONDS,
) -> Course:
    """Send trades and bad records to a running job; return the results.

    Parameters
    ----------
    aws : Aws
        A local one.
    outputs : mapping of str
        Of the lab's stack.
    on_progress : callable
        Called twice a second with the results so far; what it raises ends this.
    drain_seconds : float
        How long results are waited for after the last trade.

    Raises
    ------
    DemoError
        The producer failed.
    """
    course, deadline = Course(), None
    errors = StreamReader(aws.client("kinesis"), outputs["ErrorStreamName"], datetime.now(UTC))
    producer = _Producer(aws, outputs["ProducerName"])
    producer.start()
    bad = [{"Data": data, "PartitionKey": "bad"} for data in BAD_RECORDS]
    aws.client("kinesis").put_records(StreamName=outputs["TradeStreamName"], Records=bad)
    while not (course.complete or (deadline and time.monotonic() > deadline)):
        if producer.error:
            raise DemoError(f"the producer's Lambda function failed: {producer.error}")
        course.answer = producer.answer
        if course.answer is not None and deadline is None:
            deadline = time.monotonic() + drain_seconds
        course.errors += [json.loads(record.data) for record in errors.read()]
        _read_bucket(aws, outputs["AnomalyBucketName"], course)
        on_progress(course)
        time.sleep(0.5)
    return course


class _Producer(threading.Thread):
    """Invokes the producer's Lambda function and keeps its answer."""

    def __init__(self, aws: Aws, function: str) -> None:
        super().__init__(daemon=True)
        self._lambda = aws.client("lambda", Config(read_timeout=300, retries={"total_max_attempts": 1}))
        self._function = function
        self.answer: dict[str, Any] | None = None
        self.error: str | None = None

    def run(self) -> None:
        try:
            response = self._lambda.invoke(FunctionName=self._function)
            answer = json.loads(response["Payload"].read())
            if "FunctionError" in response:
                self.error = str(answer.get("errorMessage"))
            else:
                self.answer = answer
        except Exception as e:  # shown by the thread that joins this one
            self.error = str(e)


def _read_bucket(aws: Aws, bucket: str, course: Course) -> None:
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            if item["Key"] not in course.objects:
                body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                course.objects[item["Key"]] = list(json_documents(body.decode()))


def json_documents(text: str) -> Any:
    """The JSON documents of a text, with or without newlines between them."""
    scan, start = json.JSONDecoder().raw_decode, 0
    while text[start:].strip():
        start += len(text[start:]) - len(text[start:].lstrip())
        document, start = scan(text, start)
        yield document


def _picture(job: DemoJob, course: Course) -> Group:
    state = job.state()
    flow = Table("", "records", box=None)
    flow.add_row("trades sent by Lambda", f"{course.answer['sent']:,}" if course.answer else "sending …")
    flow.add_row("scored by the forest", f"{state.read('RANDOM_CUT_FOREST'):,}" if state else "")
    flow.add_row("anomalies in S3", f"{len(course.rows):,}")
    flow.add_row("in the error stream", f"{len(course.errors):,}")
    newest = Table("newest anomalies", "price", "quantity", "score", box=None)
    for row in sorted(course.rows, key=lambda r: str(r["arrival_time"]))[-5:]:
        newest.add_row(
            f"{row['ticker_symbol']} {row['trade_type']} #{row['id']}",
            f"{row['price']:,.2f}",
            f"{row['quantity']:,}",
            f"{row['anomaly_score']:.2f}",
        )
    return Group(flow, Text(), newest)


def _reported(course: Course, relations: dict[str, Any], bucket: str, since: datetime) -> report.Report:
    """The report: found anomalies compared with injected ones."""
    ordinary = [
        float(row["anomaly_score"])
        for row in relations.get("temp_stream", ())
        if row["id"] not in course.injected and float(row["anomaly_score"]) > 0
    ]
    return report.Report(
        "trades",
        relations,
        figures={
            "bucket": bucket,
            "objects": f"{len(course.objects):,}, the last {max(course.objects, default='none')[:13]}",
            "anomalous trades": f"{len(course.found):,}",
            "recall": f"{course.recall:.3f} of {len(course.injected):,} injected after the first {WARM_UP} trades",
            "precision": f"{course.precision:.3f}",
            "score of an ordinary trade": f"{statistics.median(ordinary):.2f} (median)"
            if ordinary
            else "unknown",
            "error stream": f"{len(course.errors)} of {len(BAD_RECORDS)} bad records, each with its reason",
        },
        expectations=course.expectations,
        injected=sorted(course.injected),
        found=sorted(course.found),
        began=since,
    )


def _summary(out: Console, reported: report.Report, course: Course) -> None:
    table = Table("lab 3: trade anomalies", "", title="read back from S3", title_justify="left")
    for name, figure in reported.figures.items():
        table.add_row(name, figure)
    for error in course.errors:
        table.add_row("", plain(f"{error['error_name']}: {error['message']}", 100))
    for expectation, held in reported.expectations.items():
        table.add_row(expectation, Text("yes" if held else "NO", style="green" if held else "red"))
    out.print(table)
