"""`python -m bench.job.chain`: labs 1 and 2 from generator to sink, on one machine.

The generator (`kda generate`) sends to a Kinesis emulator, Flink's Kinesis source reads the stream, and the lab's job
decodes the records and runs its SQL; its sinks count rows. After a warm-up the job is paused while the stream is
filled; then it reads the backlog as fast as it can; then it runs while the generator sends. All records that were sent
must come through, or the exit code is 1.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from base.aws import Aws
from bench.job import harness, labs, stream
from bench.job.labs import Lab
from connectors.kinesis import KinesisSource
from infra import flink, saved_state
from pipeline.catalog import JOBS
from pipeline.flink_version import stop_with_savepoint

ROLES = ("JVM", "Python worker", "emulator", "generator")
#: Records sent before anything is measured, while compilers warm up.
WARM_UP = 200_000
#: A backlog is measured until this share of it has come through: the newest records wait until the watermark passes.
READ = 0.9
#: Seconds by which event times of a backlog are behind the clock; more than the backlog lasts.
EARLIER = 200
#: Rows that a sink may have counted but not reported yet.
UNREPORTED = 20_000
#: Seconds that a step may take; seconds without a new row after which all rows are taken to have come.
LONGEST, SILENCE = 150, 2


#: The labs that can be measured: those with a `CHAIN` in their `bench.py`.
LABS: tuple[Lab, ...] = tuple(
    module.CHAIN
    for path in sorted(JOBS.glob("*/bench.py"))
    if hasattr(module := import_module(f"jobs.{path.parent.name}.bench"), "CHAIN")
)


@dataclass(frozen=True)
class Sample:
    """A time in seconds, with the rows counted and the CPU seconds spent by role until then."""

    moment: float
    rows: dict[str, int]
    cpu: dict[str, float]


@dataclass(frozen=True)
class Step:
    """The records between two samples; ``left`` of them were not yet read when the generator ended."""

    name: str
    records: int
    first: Sample
    last: Sample
    left: int | None = None


@dataclass(frozen=True)
class Probe:
    """The counting sink of `bench/job/java`."""

    folder: Path

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return {"connector": "probe", "path": str(self.folder), "skip": "0"}


class Chain:
    """A lab's stream and job. Logs, state and counts are in the folder."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.stream = stream.Stream(lab.shards, folder)
        self._folder = folder
        self._spent: dict[int, float] = {}
        self._jvm = 0
        self._stopped = False

    def measure(self) -> tuple[list[Step], dict[str, int]]:
        """Run all steps; return them, and the total counts of records sent and rows of each sink."""
        lab = self.lab
        with self.stream.running():
            self._start()
            # Event times before the backlog's, or the backlog would be late.
            all_sent = self._send(WARM_UP, lab.pace, 2 * EARLIER)
            self._wait("all to warm up", lambda s: s.rows["taken"] >= all_sent - UNREPORTED)

            with self._paused():
                first = self.sample()
                sent = self._send(lab.backlog, lab.pace, EARLIER)
                steps = [Step("generator to stream", sent, first, self.sample())]
            first = self.sample()
            begun = first.rows["through"]
            all_sent += sent
            end = begun + READ * sent
            last = self._wait("the backlog's end", lambda s: s.rows["through"] >= end)
            steps.append(Step("stream to job", last.rows["through"] - begun, first, last))
            self._wait("all of the backlog", lambda s: s.rows["taken"] >= all_sent - UNREPORTED)

            before = self.sample()
            generator = self.stream.generate(lab.templates, lab.live, lab.rate)
            first = self._wait("the first live record", lambda s: s.rows["taken"] > all_sent)
            ended = self._wait("the generator's end", lambda _: generator.poll() is not None)
            sent = stream.sent(generator)
            all_sent += sent
            last = self._wait("all records taken", lambda s: s.rows["taken"] >= all_sent - UNREPORTED)
            left = max(all_sent - UNREPORTED - ended.rows["taken"], 0)
            steps.append(Step("all at once", sent, Sample(first.moment, before.rows, before.cpu), last, left))
            return steps, {"sent": all_sent} | self._drain()

    def sample(self) -> Sample:
        """Take a sample now."""
        # A paused JVM does not answer.
        if not self._stopped and self._finished.done():
            self._finished.result()
            raise RuntimeError(f"{self.lab.name}: the job ended by itself")
        self._spent |= harness.cpu_seconds()
        cpu = dict.fromkeys(ROLES, 0.0)
        for pid, seconds in self._spent.items():
            role = "JVM" if pid == self._jvm else self.stream.roles.get(pid, "Python worker")
            cpu[role] += seconds
        return Sample(time.monotonic(), self._rows(), cpu)

    def _start(self) -> None:
        from pyflink.java_gateway import get_gateway
        from pyflink.table import TableDescriptor

        from pipeline.environment import table_environment

        overrides = {"restart-strategy.type": "none", "heartbeat.timeout": "600 s"}
        table_env = table_environment(flink.cluster("chain", folder=self._folder, overrides=overrides))
        source = KinesisSource(stream.NAME, Aws.local(self.stream.endpoint), "TRIM_HORIZON")
        pipeline = labs.compose(table_env, self.lab.application, source, self.lab.given)
        pipeline.unite_errors()
        statements = table_env.create_statement_set()
        for name, query in {
            "taken": "SELECT * FROM source_sql_stream",
            "errors": "SELECT * FROM all_errors",
            "through": self.lab.through,
            "result": f"SELECT * FROM {self.lab.result}",
        }.items():
            sink = TableDescriptor.for_connector("probe")
            for key, value in Probe(self._folder / "counts" / name).options().items():
                sink.option(key, value)
            statements.add_insert(sink.build(), table_env.sql_query(query))
        self._client = statements.execute().get_job_client()
        self._finished = self._client.get_job_execution_result()
        self._jvm = get_gateway().jvm.java.lang.ProcessHandle.current().pid()

    def _drain(self) -> dict[str, int]:
        """Drain and stop the job when no more rows come; return the total rows of each sink."""
        before, now = None, self._rows()
        while before != now:
            time.sleep(SILENCE)
            before, now = now, self._rows()
        stop_with_savepoint(self._client, saved_state.savepoint_folder("chain", self._folder), drain=True)
        self._finished.result()
        return self._rows()

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        self._stopped = True
        os.kill(self._jvm, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._jvm, signal.SIGCONT)
            self._stopped = False

    def _send(self, count: int, rate: int, earlier: int) -> int:
        generator = self.stream.generate(self.lab.templates, count, rate, earlier)
        self._wait("the generator's end", lambda _: generator.poll() is not None)
        return stream.sent(generator)

    def _rows(self) -> dict[str, int]:
        return {path.name: harness.counted(path)[0] for path in (self._folder / "counts").iterdir()}

    def _wait(self, what: str, enough: Callable[[Sample], bool]) -> Sample:
        end = time.monotonic() + LONGEST
        while not enough(sample := self.sample()):
            if sample.moment > end:
                raise RuntimeError(f"{self.lab.name}: {what} did not come in {LONGEST} s: {sample.rows}")
            time.sleep(0.05)
        return sample


def table(lab: Lab, steps: list[Step]) -> Table:
    """Rates and CPU time of each step."""
    title = f"Lab {lab.name}, {lab.shards} shards: CPU s per million records"
    shown = Table("step", "records/s", *ROLES, "all", "cores busy", "left to take", title=title)
    for step in steps:
        cpu = [1e6 * (step.last.cpu[role] - step.first.cpu[role]) / step.records for role in ROLES]
        rate = step.records / (step.last.moment - step.first.moment)
        left = "" if step.left is None else f"{step.left:,}"
        figures = [f"{c:.1f}" for c in (*cpu, sum(cpu), rate * sum(cpu) / 1e6)]
        shown.add_row(step.name, f"{rate:,.0f}", *figures, left)
    return shown


def main() -> None:
    """Measure both labs; exit code 1 if a record was lost or came twice."""
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as folder:
        harness.prepare(Path(folder))
        for number, lab in enumerate(LABS):
            path = Path(folder) / str(number)
            path.mkdir()
            steps, rows = Chain(lab, path).measure()
            console.print(table(lab, steps))
            console.print(", ".join(f"{name} {count:,}" for name, count in rows.items()), end="\n\n")
            if rows["through"] != rows["sent"]:
                raise SystemExit(f"lab {lab.name}: records were lost or came twice: {rows}")


if __name__ == "__main__":
    main()
