"""The demo of lab 2: sends the simulator's 3,000 clicks much faster, and checks the sessions in DynamoDB."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from base.aws import Aws
from cli import report
from cli.demo_job import DemoError, DemoJob, running_job
from cli.shown import plain
from generator import runner, scenario, sinks
from infra import stacks
from infra.stream_reader import StreamReader
from jobs.sessions.reference import Click, session_id, sessions
from pipeline.catalog import find

#: How much faster than the lab's hour and three quarters.
SPEED = 150.0
GAP_MS = 10_000
#: Simulated time begins this long ago, so that it ends before the present: later clicks would be refused.
_BEGAN_BEFORE = timedelta(hours=2)
_END_SECONDS = 90.0
#: Bad records with their error_name, sent with the clicks to show that they are reported and don't stop the job.
BAD_RECORDS = {
    b"no json": "INVALID_JSON",
    b'{"event_timestamp": 1, "device_type": "desktop"}': "COERCION",
    b'{"user_id": "user1", "event_timestamp": "noon", "device_type": "desktop"}': "COERCION",
    b'{"user_id": "user1", "event_timestamp": 253402300799999, "device_type": "desktop"}': "IMPOSSIBLE_EVENT",
    b'{"user_id": "user1", "event_timestamp": "1", "device_type": "desktop"}': "LATE_EVENT",
}

Items = dict[str, dict[str, str]]


@dataclass
class Course:
    """The results of a run of the lab.

    Attributes
    ----------
    made : dict
        Items by session_id that the table should have, from the simulator's ledger.
    items : dict
        Items by session_id that the table has.
    errors : list
        Rows of the error stream.
    counts : Counts
        The generator's counts.
    """

    made: Items = field(default_factory=dict)
    items: Items = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    counts: runner.Counts = field(default_factory=runner.Counts)

    @property
    def expectations(self) -> dict[str, bool]:
        """Each expectation of the lab, and whether it was met."""
        names = sorted(str(error["error_name"]) for error in self.errors)
        return {
            "every click was sent": self.counts.failed == 0 and self.counts.sent > 0,
            "the table has the sessions that were made, and no other": self.items == self.made,
            "each bad record is in the error stream, and nothing else": names == sorted(BAD_RECORDS.values()),
        }


def sessions_made(clicks: Iterable[str]) -> Items:
    """The items of the sessions in recorded clicks, found without Flink.

    Examples
    --------
    >>> click = '{"user_id": "user1", "event_timestamp": "%d", "device_type": "desktop"}'
    >>> list(sessions_made([click % 0, click % 10_000, click % 20_001]))
    ['user1_desktop_00:00:00', 'user1_desktop_00:00:20']
    """
    documents = map(json.loads, clicks)
    made = (Click(d["user_id"], int(d["event_timestamp"]), d["device_type"]) for d in documents)
    items = {}
    for first, *_ in sessions(made, GAP_MS):
        id_ = session_id(first, "%H:%M:%S")
        items[id_] = {"session_id": id_, "session_time": id_.rpartition("_")[2], "user_id": first.user}
    return items


def show(aws: Aws, folder: Path, out: Console) -> bool:
    """Run lab 2 on a local AWS; return whether its expectations were met.

    Parameters
    ----------
    aws : Aws
        A local one.
    folder : Path
        Folder for the job's state and logs.
    out : Console
        Console to show the demo on.
    """
    since = datetime.now(UTC)
    taps = {"tap.stream": stacks.deploy(aws, find("sessions"))["TapStreamName"]}
    with Live(console=out, refresh_per_second=4, transient=False) as live:
        live.update(Text("The job is starting …"))
        course = run(aws, folder, lambda course: live.update(_picture(course)), properties=taps)
    out.print()
    _summary(out, course)
    reported = report.Report(
        "sessions",
        report.tapped(aws, "sessions", since),
        figures={
            "clicks": f"{course.counts.sent:,} sent, {course.counts.failed:,} failed",
            "sessions in the table": f"{len(course.items):,} of {len(course.made):,}",
        },
        expectations=course.expectations,
        injected=[*course.made],
        found=[*course.items],
        began=since,
    )
    report.write(folder / "report.html", reported)
    return all(course.expectations.values())


def run(
    aws: Aws,
    folder: Path,
    on_progress: Callable[[Course], None] = lambda course: None,
    *,
    count: int | None = None,
    properties: dict[str, str] | None = None,
) -> Course:
    """Run the simulator against the job; return the results. The table is emptied first.

    Parameters
    ----------
    aws : Aws
        A local one.
    folder : Path
        Folder for the job's state and logs.
    on_progress : callable
        Called with the course about twice a second.
    count : int or None
        Number of clicks; the scenario's own by default.
    properties : dict or None
        Further properties of the job.

    Raises
    ------
    DemoError
        The job or the generator fails. Missing or additional sessions are no error: the course shows them.
    """
    outputs = stacks.deploy(aws, find("sessions"))
    kinesis, dynamodb = aws.client("kinesis"), aws.client("dynamodb")
    folder.mkdir(parents=True, exist_ok=True)
    _empty(dynamodb, outputs["TableName"])
    since = datetime.now(UTC)
    course, ledger = Course(), folder / "clicks.jsonl"
    errors = StreamReader(kinesis, outputs["ErrorStreamName"], since)
    given = {"source.position": since.isoformat(), "source.idle_timeout": "10.5"} | (properties or {})
    with running_job("sessions", aws, folder, given) as job:
        job.wait_until_running()
        simulator = _Simulator(aws, outputs["ClickStreamName"], course.counts, count, ledger)
        simulator.start()
        try:
            _watch(course, job, simulator, errors, dynamodb, outputs["TableName"], on_progress)
        finally:
            simulator.stop.set()
            simulator.join()
    return course


def _watch(
    course: Course,
    job: DemoJob,
    simulator: _Simulator,
    errors: StreamReader,
    dynamodb: Any,
    table: str,
    on_progress: Callable[[Course], None],
) -> None:
    deadline = None
    while deadline is None or (not all(course.expectations.values()) and time.monotonic() < deadline):
        if not simulator.is_alive() and deadline is None:
            if simulator.error:
                raise DemoError(f"lab 2: the generator failed: {simulator.error}")
            deadline = time.monotonic() + _END_SECONDS
        job.state()  # raises when it has ended
        course.made = simulator.made()
        course.items = _items(dynamodb, table)
        course.errors += [json.loads(record.data) for record in errors.read()]
        on_progress(course)
        time.sleep(0.5)


class _Simulator(threading.Thread):
    """Sends the clicks and the bad records in a thread."""

    def __init__(self, aws: Aws, stream: str, counts: runner.Counts, count: int | None, ledger: Path) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.error: str | None = None
        self._kinesis = aws.client("kinesis")
        self._stream, self._counts, self._count, self._ledger = stream, counts, count, ledger
        ledger.unlink(missing_ok=True)

    def made(self) -> Items:
        """Items of the sessions in the clicks sent so far."""
        # The last line may be half written.
        lines = self._ledger.read_text().split("\n")[:-1] if self._ledger.exists() else []
        return sessions_made(lines)

    def run(self) -> None:
        try:
            runner.run(
                scenario.load("clickstream").changed(count=self._count),
                sinks.kinesis(self._kinesis, self._stream),
                speed=SPEED,
                start=datetime.now(UTC) - _BEGAN_BEFORE,
                ledger=self._ledger,
                stop=self.stop,
                on_progress=lambda counts: self._counts.__dict__.update(counts.__dict__),
            )
            bad = [{"Data": data, "PartitionKey": "clickstream"} for data in BAD_RECORDS]
            self._kinesis.put_records(StreamName=self._stream, Records=bad)
        except Exception as e:  # reported by the thread that joins this one
            self.error = str(e)


def _items(dynamodb: Any, table: str) -> Items:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    rows = [{k: next(iter(v.values())) for k, v in item.items()} for page in pages for item in page["Items"]]
    return {row["session_id"]: row for row in rows}


def _empty(dynamodb: Any, table: str) -> None:
    for session in _items(dynamodb, table):
        dynamodb.delete_item(TableName=table, Key={"session_id": {"S": session}})


def _picture(course: Course) -> Group:
    flow = Table("", "", box=None)
    flow.add_row("clicks sent", f"{course.counts.sent:,}")
    flow.add_row("sessions in them", f"{len(course.made):,}")
    flow.add_row("items in the table", f"{len(course.items):,}")
    flow.add_row("in the error stream", f"{len(course.errors):,}")
    newest = Table(
        "session_id", "session_time", "user_id", title="newest items", title_justify="left", box=None
    )
    for item in sorted(course.items.values(), key=lambda item: item["session_time"])[-8:]:
        newest.add_row(item["session_id"], item.get("session_time", ""), item.get("user_id", ""))
    return Group(flow, Text(), newest)


def _summary(out: Console, course: Course) -> None:
    table = Table(
        "lab 2: sessions", "", title=f"time × {SPEED:g}; read back from DynamoDB", title_justify="left"
    )
    table.add_row("clicks", f"{course.counts.sent:,} sent, {course.counts.failed:,} failed")
    table.add_row("sessions", f"{len(course.items):,} of {len(course.made):,}")
    for name, ids in (
        ("missing", course.made.keys() - course.items.keys()),
        ("too many", course.items.keys() - course.made.keys()),
    ):
        if ids:
            table.add_row(name, Text(", ".join(sorted(ids)[:5]), style="red"))
    for expectation, held in course.expectations.items():
        table.add_row(expectation, Text("yes" if held else "NO", style="green" if held else "red"))
    for error in course.errors[: len(BAD_RECORDS)]:
        table.add_row("", plain(f"{error['error_name']}: {error['message']}", 100))
    out.print(table)
