"""`python -m bench.job.chain`: labs 1 and 2 with all that comes before them, on one machine.

The generator (`kda generate`) sends to a Kinesis emulator, Flink's Kinesis source reads, the lab's job follows with
decoder and SQL; its sinks count. First the stream is filled, then the job reads the backlog as fast as it can, then the
generator sends beside it. What was sent must come through, or the exit code is 1.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from bench.job import harness, labs
from connectors.kinesis import KinesisSource
from infra import clients, flink, supervisor
from infra.paths import ROOT
from jobs.ctr_anomaly import job as ctr
from jobs.sessionization import job as sessions

STREAM = "chain"
#: A backlog is measured from the part of it after which compilers have warmed up, to the part up to which rows come at
#: once: the newest wait until time has passed them.
WARM, READ = 0.3, 0.8
#: Rows that a sink may have counted and not told yet, until the next one comes.
UNTOLD = 5_000
#: Seconds that a step may take.
LONGEST = 120
ROLES = ("JVM", "Python worker", "emulator", "generator")
#: ministack without what it repeats at each call: to look through all records and all iterators for expired ones
#: (none is, here), and for each record through all shards.
_EMULATOR = """
import gc, runpy
from ministack.services import kinesis
gc.disable()
kinesis._expire_records = kinesis._expire_iterators = lambda *_: None
def route(key, stream):
    ids = list(stream["shards"])
    return ids[min(key // (2**128 // len(ids)), len(ids) - 1)]
kinesis._route_to_shard = route
runpy.run_module("ministack", run_name="__main__")
"""
_CLICK = """{"user_id": "user{{random.number(99999)}}", "event_timestamp": "{{date.simTime("x")}}",
 "event_name": "search", "event_type": "click", "device_type": "desktop"}"""


@dataclass(frozen=True)
class Lab:
    """What is sent to a lab, and what is counted.

    Attributes
    ----------
    templates : tuple of str
        Names or texts of templates; each is a like part of what is sent.
    shards : int
        Each takes 1,000 records/s.
    backlog, live : int
        Records to fill the stream with, and to send beside the job.
    pace, rate : int
        Records of a second of their own time in the backlog, and of a second beside the job.
    through : str
        Query with a row for each record that came through; of the columns that the result is made of, so that Flink
        computes both at once.
    result : str
        What the lab delivers.
    """

    name: str
    job: Any
    given: dict[str, dict[str, str]]
    templates: tuple[str, ...]
    shards: int
    backlog: int
    live: int
    pace: int
    rate: int
    through: str
    result: str


LABS = (
    Lab(
        "1: clicks and impressions",
        ctr,
        {"window": {"size": "1"}},
        ("click", "impression"),
        shards=20,
        backlog=600_000,
        live=300_000,
        pace=20_000,
        rate=20_000,
        through="SELECT browseraction, site, forest_key, rowtime FROM on_time_actions",
        result="scores",
    ),
    Lab(
        "2: clicks of 100,000 users",
        sessions,
        {},
        (_CLICK,),
        shards=50,
        backlog=500_000,
        live=500_000,
        pace=10_000,
        rate=50_000,
        through="SELECT user_id, device_type, event_timestamp, session_ms, last_session_ms FROM session_events",
        result="destination_sql_stream",
    ),
)


@dataclass(frozen=True)
class Sample:
    """A moment in seconds, the rows counted and the CPU seconds spent until then."""

    moment: float
    rows: dict[str, int]
    cpu: dict[str, float]


@dataclass(frozen=True)
class Step:
    """So many records between two samples; ``left`` were not taken yet when the generator ended."""

    name: str
    records: int
    first: Sample
    last: Sample
    left: int | None = None


@dataclass(frozen=True)
class Probe:
    """The sink that counts, of `bench/job/java`."""

    folder: Path

    def options(self) -> dict[str, str]:
        """What its table needs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return {"connector": "probe", "path": str(self.folder), "skip": "0"}

    def check(self) -> None: ...


class Chain:
    """One lab's stream, emulator, generator and job.

    Parameters
    ----------
    lab : Lab
        Which.
    folder : Path
        For logs, state and counts; it is empty.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self._counts = folder / "counts"
        self._roles: dict[int, str] = {}
        self._spent: dict[int, float] = {}
        self._finished: Any = None
        self._port = harness._free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"

    @contextlib.contextmanager
    def emulator(self) -> Iterator[None]:
        """Run it, with the stream."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PY"))} | {
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(self._folder),
            "TMPDIR": str(self._folder),
        }
        with (self._folder / "emulator.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _EMULATOR],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=supervisor.die_with_parent,
            )
        self._roles[process.pid] = "emulator"
        try:
            client = clients.client("kinesis", self.endpoint)
            self.wait("an answer", lambda _: _answers(client))
            client.create_stream(StreamName=STREAM, ShardCount=self.lab.shards)
            yield
        finally:
            process.kill()
            process.wait()

    def generate(self, count: int, rate: int, *options: str) -> subprocess.Popen[str]:
        """Start the generator."""
        senders = []
        for number, text in enumerate(self.lab.templates):
            path = self._folder / f"{number}.template"
            path.write_text(text)
            template = str(path) if "{" in text else text
            senders.append({"template": template, "rate": rate / len(self.lab.templates)})
        scenario = self._folder / "scenario.yaml"
        scenario.write_text(json.dumps({"count": count, "senders": senders}))
        command = [sys.executable, "-m", "cli.main", "generate", "--scenario", str(scenario), "--seed", "1"]
        command += ["--to", f"stream:{STREAM}", "--endpoint", self.endpoint, *options]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=supervisor.die_with_parent
        )
        self._roles[process.pid] = "generator"
        return process

    def start(self) -> None:
        """Start the job, from the stream's beginning."""
        from pyflink.table import TableDescriptor

        from jobs.environment import table_environment

        overrides = {"restart-strategy.type": "none", "heartbeat.timeout": "600 s"}
        table_env = table_environment(flink.cluster("chain", folder=self._folder, overrides=overrides))
        source = KinesisSource(STREAM, clients.LOCAL_REGION, self.endpoint, "TRIM_HORIZON")
        pipeline = labs.compose(table_env, self.lab.job, source, self.lab.given)
        pipeline.insert_errors(Probe(self._counts / "errors"))
        statements = table_env.create_statement_set()
        statements.add_insert("error_stream", table_env.from_path("all_errors"))
        for name, query in {
            "taken": "SELECT * FROM source_sql_stream",
            "through": self.lab.through,
            "result": f"SELECT * FROM {self.lab.result}",
        }.items():
            sink = TableDescriptor.for_connector("probe")
            for key, value in Probe(self._counts / name).options().items():
                sink.option(key, value)
            statements.add_insert(sink.build(), table_env.sql_query(query))
        self._client = statements.execute().get_job_client()
        self._finished = self._client.get_job_execution_result()

    def drain(self) -> dict[str, int]:
        """End the job when nothing comes any more, as if time was over; return what came out in all."""
        rows: dict[str, int] = {}
        while rows != (rows := self.sample().rows):
            time.sleep(2)
        self._client.stop_with_savepoint(True, flink.savepoint_folder("chain", self._folder)).result()
        self._finished.result()
        return self._rows()

    def sample(self) -> Sample:
        """Look now."""
        if self._finished is not None and self._finished.done():
            self._finished.result()
            raise RuntimeError("the job ended by itself")
        self._spent |= harness._cpu()
        cpu = dict.fromkeys(ROLES, 0.0)
        for pid, seconds in self._spent.items():
            if pid not in self._roles:
                self._roles[pid] = _role(pid)
            cpu[self._roles[pid]] += seconds
        return Sample(time.monotonic(), self._rows(), cpu)

    def _rows(self) -> dict[str, int]:
        return {p.name: harness._counts(p)[0] for p in self._counts.glob("*")}

    def wait(self, what: str, enough: Callable[[Sample], bool]) -> Sample:
        """Wait until there is enough; return how it was then."""
        end = time.monotonic() + LONGEST
        while not enough(sample := self.sample()):
            if sample.moment > end:
                raise RuntimeError(f"{self.lab.name}: {what} not within {LONGEST} s: {sample.rows}")
            time.sleep(0.05)
        return sample

    def measure(self) -> tuple[list[Step], dict[str, int]]:
        """Fill the stream, read the backlog, send beside the job; return the steps and what came out in all."""
        lab, steps = self.lab, []
        with self.emulator():
            first = self.sample()
            process = self.generate(lab.backlog, lab.pace, "--speed", "inf")
            last = self.wait("the stream filled", lambda _: process.poll() is not None)
            sent = _sent(process)
            steps.append(Step("generator to stream", sent, first, last))

            self.start()
            first = self.wait("a warm job", lambda s: s.rows["through"] >= WARM * sent)
            last = self.wait("the backlog's end", lambda s: s.rows["through"] >= READ * sent)
            steps.append(Step("stream to job", last.rows["through"] - first.rows["through"], first, last))
            self.wait("all of the backlog", lambda s: s.rows["taken"] >= sent - UNTOLD)

            before = self.sample()
            process = self.generate(lab.live, lab.rate)
            first = self.wait("the first live record", lambda s: s.rows["taken"] > sent)
            ended = self.wait("the generator's end", lambda _: process.poll() is not None)
            live = _sent(process)
            sent += live
            last = self.wait("all records taken", lambda s: s.rows["taken"] >= sent - UNTOLD)
            first = Sample(first.moment, before.rows, before.cpu)
            steps.append(Step("all at once", live, first, last, sent - ended.rows["taken"]))

            return steps, {"sent": sent} | self.drain()


def _role(pid: int) -> str:
    name = Path(f"/proc/{pid}/comm")
    return "JVM" if name.exists() and name.read_text().strip() == "java" else "Python worker"


def _answers(client: Any) -> bool:
    try:
        client.list_streams()
    except (BotoCoreError, ClientError):
        return False
    return True


def _sent(generator: subprocess.Popen[str]) -> int:
    """How many records an ended generator has sent; it must have sent them all, each once."""
    told = generator.communicate()[0].strip()
    found = re.fullmatch(r"([\d,]+) sent \(.*\), 0 sent again, 0 failed", told)
    if generator.returncode or not found:
        raise RuntimeError(f"the generator was to send each record once, it ended with {told!r}")
    return int(found[1].replace(",", ""))


def main() -> None:
    console = Console(width=120)
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        # Of the emulator, for the source in the JVM.
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = clients.LOCAL_CREDENTIALS
        harness.prepare(Path(folder))
        for number, lab in enumerate(LABS):
            path = Path(folder) / str(number)
            path.mkdir()
            steps, rows = Chain(lab, path).measure()
            console.print(_table(lab, steps))
            missing = rows["sent"] - rows["through"]
            lost += abs(missing)
            console.print(
                f"Sent {rows['sent']:,}, taken {rows['taken']:,}, through {rows['through']:,}, missing {missing:,};"
                f" errors {rows['errors']:,}; results {rows['result']:,}.\n"
            )
    if lost:
        raise SystemExit("records were lost or came twice")


def _table(lab: Lab, steps: list[Step]) -> Table:
    table = Table(
        "step",
        "records/s",
        *ROLES,
        "all",
        "cores busy",
        "left at the generator's end",
        title=f"Lab {lab.name}, {lab.shards} shards; CPU s per million records",
    )
    for step in steps:
        cpu = {role: 1e6 * (step.last.cpu[role] - step.first.cpu[role]) / step.records for role in ROLES}
        rate = step.records / (step.last.moment - step.first.moment)
        table.add_row(
            step.name,
            f"{rate:,.0f}",
            *(f"{c:.1f}" for c in cpu.values()),
            f"{sum(cpu.values()):.1f}",
            f"{rate * sum(cpu.values()) / 1e6:.1f}",
            "" if step.left is None else f"{step.left:,}",
        )
    return table


if __name__ == "__main__":
    main()
