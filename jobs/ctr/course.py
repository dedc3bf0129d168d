"""Runs lab 1's scenario against its job, ten times faster, and collects windows, anomalies and messages."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from base.aws import Aws
from cli.demo_job import DemoError, DemoJob, running_job
from generator import runner, scenario, sinks
from infra import stacks
from infra.stream_reader import StreamReader
from pipeline.catalog import find

SPEED = 10.0
#: The lab's 10 s, at that speed.
WINDOW = timedelta(seconds=1)
#: Windows of the scenario ctr-burst: those with the three additional senders, and the last one that closes.
BURST = range(18, 21)
LAST = 25
_END_SECONDS = 60.0
_WINDOW_LINE = re.compile(r"Window: (\S+ \S+) to (\S+ \S+)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Score:
    """A scored window; rates in percent."""

    start: datetime
    ctr: float
    score: float
    expected_ctr: float
    threshold: float


@dataclass(frozen=True)
class Notification:
    """A message of the topic, which sends it to e-mail, SMS and the queue that it is read from."""

    window_start: datetime
    sent: datetime
    subject: str
    message: str


@dataclass
class Course:
    """The results of a run of the lab.

    Attributes
    ----------
    scores : dict
        Scores by start of the window.
    anomalies : set of datetime
        Windows in DESTINATION_SQL_STREAM: the detector's alerts.
    notifications : list
    counts : Counts
        The generator's counts.
    """

    scores: dict[datetime, Score] = field(default_factory=dict)
    anomalies: set[datetime] = field(default_factory=set)
    notifications: list[Notification] = field(default_factory=list)
    counts: runner.Counts = field(default_factory=runner.Counts)

    @property
    def begin(self) -> datetime | None:
        """Start of the first window."""
        return min(self.scores, default=None)

    def number(self, start: datetime) -> int:
        """The number of the window that starts then, from 0."""
        begin = self.begin
        return 0 if begin is None else round((start - begin) / WINDOW)

    def notified(self, windows: range) -> list[Notification]:
        """The notifications of some windows."""
        return [n for n in self.notifications if self.number(n.window_start) in windows]

    @property
    def by_score(self) -> list[int]:
        """Numbers of the windows above the threshold, KDA's rule."""
        return sorted(self.number(s.start) for s in self.scores.values() if s.score > s.threshold)

    @property
    def complete(self) -> bool:
        """Whether every window is scored and every anomaly reported."""
        reported = {n.window_start for n in self.notifications}
        return any(self.number(start) >= LAST for start in self.scores) and self.anomalies <= reported

    @property
    def expectations(self) -> dict[str, bool]:
        """Each expectation of the lab, and whether it was met."""
        burst = self.begin and self.begin + BURST.start * WINDOW
        early = [n for n in self.notifications if burst is None or n.sent < burst]
        return {
            "no message before the burst": not early and not self.notified(range(BURST.start)),
            "one message for the burst, by its second window": len(self.notified(BURST)) == 1
            and bool(self.notified(BURST[:2])),
            "none for any window after it": not self.notified(range(BURST.stop, 10**9)),
        }


def run(aws: Aws, folder: Path, on_progress: Callable[[Course, DemoJob], None]) -> Course:
    """Run the scenario against the job; return the results.

    Raises
    ------
    DemoError
        The job ends, or windows or messages are still missing a minute after the last record.
    """
    outputs = stacks.deploy(aws, find("ctr"))
    kinesis, sqs = aws.client("kinesis"), aws.client("sqs")
    since = datetime.now(UTC)
    properties = {
        "window.size": f"{WINDOW.total_seconds():g}",
        "source.position": since.isoformat(),
        "tap.stream": outputs["TapStreamName"],
    }
    course = Course()
    tap = StreamReader(kinesis, outputs["TapStreamName"], since)
    with running_job("ctr", aws, folder, properties) as job:
        job.wait_until_running()
        senders = _Senders(aws, outputs["ClickStreamName"], course.counts)
        senders.start()
        try:
            deadline = None
            while not (deadline and course.complete):
                _read_tap(tap, course)
                _read_queue(sqs, outputs["MessageQueueUrl"], since, course)
                job.state()  # raises when it has ended
                on_progress(course, job)
                if not senders.is_alive() and deadline is None:
                    deadline = time.monotonic() + _END_SECONDS
                if deadline and time.monotonic() > deadline:
                    raise DemoError(
                        f"lab 1: required {LAST + 1} windows and a message for each anomaly, got "
                        f"{len(course.scores)} windows, {len(course.notifications)} messages for "
                        f"{len(course.anomalies)} anomalies: see {job.log}"
                    )
                time.sleep(0.2)
        finally:
            senders.stop.set()
            senders.join()
    if senders.error:
        raise DemoError(f"lab 1: the generator failed: {senders.error}")
    return course


class _Senders(threading.Thread):
    """Sends the scenario in a thread."""

    def __init__(self, aws: Aws, stream: str, counts: runner.Counts) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.error: str | None = None
        self._sink = sinks.kinesis(aws.client("kinesis"), stream)
        self._counts = counts

    def run(self) -> None:
        try:
            runner.run(
                scenario.load("ctr-burst"),
                self._sink,
                speed=SPEED,
                stop=self.stop,
                on_progress=lambda counts: self._counts.__dict__.update(counts.__dict__),
            )
        except Exception as e:  # reported by the thread that joins this one
            self.error = str(e)


def _read_tap(tap: StreamReader, course: Course) -> None:
    """Add the rows that the job has written to its tap since the last call."""
    for record in tap.read():
        tapped = json.loads(record.data)
        row = json.loads(tapped["data"])
        if tapped["relation"] == "scores":
            start = _time(row["window_start"])
            course.scores[start] = Score(
                start, row["ctr"], row["anomaly_score"], row["expected_ctr"], row["threshold"]
            )
        elif tapped["relation"] == "destination_sql_stream":
            course.anomalies.add(_time(row["WINDOW_START"]))


def _read_queue(sqs: Any, url: str, since: datetime, course: Course) -> None:
    """Add the new messages of the queue, a subscriber of the topic like e-mail and SMS."""
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        body = json.loads(message["Body"])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        window, sent = _WINDOW_LINE.search(body["Message"]), _time(body["Timestamp"])
        if window and sent >= since - timedelta(seconds=1):
            start = _time(window[1])
            course.notifications.append(Notification(start, sent, body["Subject"], body["Message"]))


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
