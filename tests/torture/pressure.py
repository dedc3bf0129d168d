"""`python -m tests.torture.pressure`: jobs whose destinations are slow, refuse or fail, while records come.

A job runs on a cluster of real processes. Its destination accepts rows, fails for a while with a backlog, and accepts
rows again. Measured: checkpoints meanwhile, memory, lost and repeated rows, and the time to recover.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from base.aws import LOCAL_REGION
from infra import local
from tests.readers import resident
from tests.torture.cluster import Cluster
from tests.torture.failing import FAILURES, Destination, writer
from tests.torture.proxy import Proxy, running_proxy
from tests.waiting import until


def _click(number: int) -> dict[str, Any]:
    moment = int(time.time() * 1000)
    return {
        "user_id": f"user{number}",
        "event_timestamp": moment,
        "event_name": "page",
        "device_type": "phone",
    }


def _trade(number: int) -> dict[str, Any]:
    return {
        "tickerSymbol": "AMZN",
        "tradeType": "BUY",
        "price": 100.0 + number % 7,
        "quantity": number % 50,
        "id": number,
    }


_SESSIONS = {"sessions": {"gap": "1", "session_id": "date_and_time"}, "event_time": {"disorder": "10"}}
_FOREST = {"columns": "price, quantity", "number_of_trees": "1", "sub_sample_size": "10"}
#: By name: the job, its streams, its property groups, a record of a number.
JOBS: Mapping[str, tuple[str, str, dict[str, dict[str, str]], Any]] = {
    "lambda": ("sessions", "lab-stream", {**_SESSIONS, "sink": {"type": "lambda"}}, _click),
    # Lab 2's real function; its table fails.
    "writer": ("sessions", "lab-stream", {**_SESSIONS, "sink": {"type": "lambda"}}, _click),
    "dynamodb": ("sessions", "lab-stream", {**_SESSIONS, "sink": {"type": "dynamodb"}}, _click),
    "firehose": (
        "trades",
        "Demo-samples",
        # Every trade is delivered, but for the first few, which have no score.
        {"random_cut_forest": _FOREST, "anomalies": {"threshold": "0"}, "sink": {"type": "firehose"}},
        _trade,
    ),
}


@dataclass
class Report:
    """One trial.

    Attributes
    ----------
    sent, missing, repeated : int
        Records, and rows of the destination that never came or came again.
    durations : list of float
        Seconds of each checkpoint that completed or failed while the destination failed.
    longest : float
        Longest time without a completed checkpoint while the destination failed, in seconds.
    failed : int
        Failed checkpoints in the whole trial.
    restarts : int
    recovery : float
        Seconds from the end of the failure until all rows had come.
    java, python : list of float
        Resident MB of the TaskManager and of its Python workers, over the trial.
    """

    destination: str
    failure_kind: str
    sent: int = 0
    missing: int = 0
    repeated: int = 0
    durations: list[float] = field(default_factory=list)
    longest: float = 0.0
    failed: int = 0
    restarts: int = 0
    recovery: float = 0.0
    java: list[float] = field(default_factory=list)
    python: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [
            f"{self.destination} {self.failure_kind}: {self.sent:,} rows, {self.missing} missing, {self.repeated} "
            f"repeated, {self.restarts} restarts, all there {self.recovery:.0f} s after",
            f"  checkpoints meanwhile: {len(self.durations)}, each {_spread(self.durations)} s, at most "
            f"{self.longest:.1f} s without one, failed {self.failed}",
            f"  memory, MB: TaskManager {self.java[0]:.0f} → {max(self.java):.0f} at most, "
            f"Python {self.python[0]:.0f} → {max(self.python):.0f} at most",
        ]


def _spread(values: list[float]) -> str:
    return f"{min(values):.1f}–{max(values):.1f}" if values else "–"


@dataclass
class Trial:
    """A job, its stream, and the destination that fails."""

    name: str
    folder: Path
    cluster: Cluster
    proxy: Proxy
    destination: Destination
    kinesis: Any
    job: str = ""
    sent: int = 0

    def submit(self) -> None:
        name, stream, groups, _ = JOBS[self.name]
        all_groups = {
            "job": {"name": name},
            "aws": {"endpoint": self.proxy.endpoint, "region": LOCAL_REGION},
            "source": {"stream": stream, "position": "TRIM_HORIZON", "idle_timeout": "11"},
            "errors": {"stream": "errors"},
        } | groups
        path = self.folder / "application_properties.json"
        path.write_text(json.dumps([{"PropertyGroupId": g, "PropertyMap": m} for g, m in all_groups.items()]))
        self.job = self.cluster.submit(path)
        self.cluster.wait_until_running(self.job)

    def send(self, records: int) -> None:
        _, stream, _, record = JOBS[self.name]
        end = self.sent + records
        while self.sent < end:
            batch = [json.dumps(record(n)).encode() for n in range(self.sent, min(end, self.sent + 500))]
            self.kinesis.put_records(
                StreamName=stream, Records=[{"Data": d, "PartitionKey": "p"} for d in batch]
            )
            self.sent += len(batch)

    def came(self) -> int:
        return len(self.destination.taken)

    def measure(self, report: Report) -> None:
        report.java.append(sum(resident(self.cluster.java(w)) for w in self.cluster.workers))
        report.python.append(sum(map(resident, self.cluster.python_workers())))


@contextlib.contextmanager
def trial(name: str, folder: Path, options: Mapping[str, str]) -> Iterator[Trial]:
    """A job on a cluster of its own, with these Flink options."""
    with contextlib.ExitStack() as stack:
        aws = stack.enter_context(local.running_local_aws(folder / "aws"))
        proxy = stack.enter_context(running_proxy(str(aws.endpoint)))
        destination = Destination()
        proxy.rule = destination
        if name == "writer":
            stack.enter_context(writer(proxy, destination))
        kinesis = aws.client("kinesis")
        for stream in (JOBS[name][1], "errors"):
            kinesis.create_stream(StreamName=stream, ShardCount=1)
            kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
        cluster = stack.enter_context(
            Cluster(folder / "cluster", {"web.checkpoints.history": "1000", **options}).running(1)
        )
        yield Trial(name, folder, cluster, proxy, destination, kinesis)


def run(
    name: str,
    failure_kind: str,
    folder: Path,
    seconds: float,
    backlog: int,
    rate: int,
    options: Mapping[str, str],
) -> Report:
    """Run a trial: the destination fails by ``failure_kind`` for some seconds, with a backlog and steady records."""
    report = Report(name, failure_kind)
    with trial(name, folder, options) as t:
        t.submit()
        t.send(100)
        while t.came() < 80:
            t.send(5)  # sessions start when later clicks say so
            time.sleep(1)
        t.destination.failure_kind = failure_kind
        failing_since = time.time() * 1000
        t.measure(report)
        t.send(backlog)
        begin_load = time.monotonic()
        while time.monotonic() < begin_load + seconds:
            t.send(rate)
            t.measure(report)
            time.sleep(1)
        failing_until = time.time() * 1000
        t.destination.failure_kind = ""
        t.send(1)
        begin_recovery = time.monotonic()
        least = t.sent - (10 if name == "firehose" else 1)
        with contextlib.suppress(AssertionError):
            until(lambda: t.came() >= least, "the rest", 300)
        report.recovery = time.monotonic() - begin_recovery
        t.measure(report)
        history = t.cluster.get(f"/jobs/{t.job}/checkpoints")
        # Of the checkpoints that began: Flink also counts those that were due before every task ran.
        report.failed = sum(c["status"] == "FAILED" for c in history["history"])
        report.restarts = t.cluster.restarts(t.job)
        during = [
            c for c in history["history"] if failing_until > c["trigger_timestamp"] > failing_since - 1000
        ]
        report.durations = sorted(c["end_to_end_duration"] / 1000 for c in during)
        ends = sorted(c["latest_ack_timestamp"] for c in during if c["status"] == "COMPLETED")
        moments = [failing_since, *(e for e in ends if e < failing_until), failing_until]
        report.longest = max(b - a for a, b in itertools.pairwise(moments)) / 1000
        # A session's start is delivered once the watermark has passed it; the last record's stays in state.
        report.sent = t.sent
        report.missing = max(0, least - t.came())
        report.repeated = sum(t.destination.taken.values()) - t.came()
    return report


def main() -> int:
    """Run the given trials; return 1 if a row was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.pressure", description=__doc__)
    parser.add_argument("--destination", choices=(*JOBS, "all"), default="all")
    parser.add_argument("--failure-kind", choices=(*FAILURES, "all"), default="all")
    parser.add_argument("--seconds", type=float, default=40.0, help="that the destination ails")
    parser.add_argument(
        "--backlog", type=int, default=30_000, help="records that come at once when it begins to"
    )
    parser.add_argument("--rate", type=int, default=200, help="records a second after that")
    parser.add_argument("--option", action="append", default=[], help="of Flink: key=value")
    given = parser.parse_args()
    lost = 0
    for name in JOBS if given.destination == "all" else (given.destination,):
        failure_kinds = [a for a in FAILURES if name == "lambda" or a != "failing"]
        for failure_kind in failure_kinds if given.failure_kind == "all" else (given.failure_kind,):
            with tempfile.TemporaryDirectory(prefix="kda-pressure-", ignore_cleanup_errors=True) as folder:
                options = dict(o.split("=", 1) for o in given.option)
                report = run(
                    name, failure_kind, Path(folder), given.seconds, given.backlog, given.rate, options
                )
            print("\n".join(report.lines()), flush=True)
            lost += report.missing
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
