"""The demo of lab 3: trades through Lambda and Kinesis; compares the anomalies in S3 with the injected ones."""

from __future__ import annotations

import json
import statistics
import threading
import time
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
_DRAIN_SECONDS = 90.0


@dataclass
class _Found:
    """The rows in S3 and in the error stream so far."""

    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for rows in self.objects.values() for row in rows]


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
    outputs = stacks.deploy(aws, find("trades"), parameters)
    found, since = _Found(), datetime.now(UTC)
    errors = StreamReader(aws.client("kinesis"), outputs["ErrorStreamName"], None)
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
        producer = _Producer(aws, outputs["ProducerName"])
        producer.start()
        _send_bad_records(aws, outputs["TradeStreamName"])
        deadline = None
        while True:
            _look(aws, outputs, found, errors)
            live.update(_picture(job, producer, found))
            if producer.answer is not None and deadline is None:
                deadline = time.monotonic() + _DRAIN_SECONDS
            if deadline and (_complete(producer, found) or time.monotonic() > deadline):
                break
            time.sleep(0.5)
    out.print()
    reported = _reported(
        producer, found, report.tapped(aws, "trades", since), outputs["AnomalyBucketName"], since
    )
    _summary(out, reported, found)
    report.write(folder / "report.html", reported)
    return all(reported.expectations.values())


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


def _send_bad_records(aws: Aws, stream: str) -> None:
    records = [{"Data": data, "PartitionKey": "bad"} for data in BAD_RECORDS]
    aws.client("kinesis").put_records(StreamName=stream, Records=records)


def _look(aws: Aws, outputs: dict[str, str], found: _Found, errors: StreamReader) -> None:
    """Read new rows from the bucket and the error stream."""
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=outputs["AnomalyBucketName"]):
        for item in page.get("Contents", []):
            if item["Key"] not in found.objects:
                body = s3.get_object(Bucket=outputs["AnomalyBucketName"], Key=item["Key"])["Body"].read()
                found.objects[item["Key"]] = list(json_documents(body.decode()))
    found.errors += [json.loads(record.data) for record in errors.read()]


def json_documents(text: str) -> Any:
    """The JSON documents of a text, with or without newlines between them."""
    scan, start = json.JSONDecoder().raw_decode, 0
    while text[start:].strip():
        start += len(text[start:]) - len(text[start:].lstrip())
        document, start = scan(text, start)
        yield document


def _complete(producer: _Producer, found: _Found) -> bool:
    expected = _injected(producer)
    return expected <= {row["id"] for row in found.rows} and len(found.errors) >= len(BAD_RECORDS)


def _injected(producer: _Producer) -> set[int]:
    return {i for i in (producer.answer or {}).get("anomaly_ids", []) if i > WARM_UP}


def _picture(job: DemoJob, producer: _Producer, found: _Found) -> Group:
    if producer.error:
        raise DemoError(f"the producer's Lambda function failed: {producer.error}")
    state = job.state()
    flow = Table("", "records", box=None)
    flow.add_row("trades sent by Lambda", f"{producer.answer['sent']:,}" if producer.answer else "sending …")
    flow.add_row("scored by the forest", f"{state.read('RANDOM_CUT_FOREST'):,}" if state else "")
    flow.add_row("anomalies in S3", f"{len(found.rows):,}")
    flow.add_row("in the error stream", f"{len(found.errors):,}")
    newest = Table("newest anomalies", "price", "quantity", "score", box=None)
    for row in sorted(found.rows, key=lambda r: str(r["arrival_time"]))[-5:]:
        newest.add_row(
            f"{row['ticker_symbol']} {row['trade_type']} #{row['id']}",
            f"{row['price']:,.2f}",
            f"{row['quantity']:,}",
            f"{row['anomaly_score']:.2f}",
        )
    return Group(flow, Text(), newest)


def _reported(
    producer: _Producer, found: _Found, relations: dict[str, Any], bucket: str, since: datetime
) -> report.Report:
    """The report: found anomalies compared with injected ones."""
    injected = _injected(producer)
    reported = {row["id"] for row in found.rows}
    hits = reported & injected
    recall = len(hits) / len(injected) if injected else 0.0
    precision = len(hits) / len(reported) if reported else 0.0
    ordinary = [
        float(row["anomaly_score"])
        for row in relations.get("temp_stream", ())
        if row["id"] not in injected and float(row["anomaly_score"]) > 0
    ]
    return report.Report(
        "trades",
        relations,
        figures={
            "bucket": bucket,
            "objects": f"{len(found.objects):,}, the last {max(found.objects, default='none')[:13]}",
            "anomalous trades": f"{len(reported):,}",
            "recall": f"{recall:.3f} of {len(injected):,} injected after the first {WARM_UP} trades",
            "precision": f"{precision:.3f}",
            "score of an ordinary trade": f"{statistics.median(ordinary):.2f} (median)"
            if ordinary
            else "unknown",
            "error stream": f"{len(found.errors)} of {len(BAD_RECORDS)} bad records, each with its reason",
        },
        expectations={
            f"recall of at least {MINIMUM_RECALL}": recall >= MINIMUM_RECALL,
            "every bad record is in the error stream, and nothing else": len(found.errors)
            == len(BAD_RECORDS),
        },
        injected=sorted(injected),
        found=sorted(reported),
        began=since,
    )


def _summary(out: Console, reported: report.Report, found: _Found) -> None:
    table = Table("lab 3: trade anomalies", "", title="read back from S3", title_justify="left")
    for name, figure in reported.figures.items():
        table.add_row(name, figure)
    for error in found.errors:
        table.add_row("", plain(f"{error['error_name']}: {error['message']}", 100))
    for expectation, held in reported.expectations.items():
        table.add_row(expectation, Text("yes" if held else "NO", style="green" if held else "red"))
    out.print(table)
