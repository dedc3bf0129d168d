"""One lab's job under load while its processes are killed at random moments; then the account."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from base.aws import LOCAL_CREDENTIALS, LOCAL_REGION, Aws
from infra import local
from infra.stream_reader import all_records
from tests.torture.account import Account
from tests.torture.cluster import Cluster
from tests.torture.durable import Durable, running_durable
from tests.torture.function import running_function
from tests.torture.lab import BUCKET, Lab, Outcome, Record
from tests.torture.proxy import Fault, Proxy, running_proxy
from tests.torture.session import Session
from tests.torture.shards import put_on_each, reshard
from tests.waiting import until

#: What can be done to a job. A killed JobManager forgets its jobs, so recovery takes longest.
KINDS = ("python worker", "task manager", "job manager", "service", "connections", "rescaling")
#: What can also be done to a stream of several shards.
OF_SHARDS = ("split", "merge", "slow reads")

_LAST = b"the last record of "


@dataclass
class ChaosRun:
    """A lab's running job, and the services around it that can be killed."""

    lab: Lab
    folder: Path
    cluster: Cluster | Session
    proxy: Proxy
    services: list[Durable]
    seed: int
    account: Account
    job: str = ""
    parallelism: int = 1
    rng: random.Random = field(init=False)
    invoked: list[dict[str, Any]] = field(default_factory=list)
    _acknowledged: set[str] = field(default_factory=set)
    _sending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def client(self, service: str) -> Any:
        """A client that bypasses the proxy, so that the proxy sees the job's calls only."""
        return Aws.local(self.proxy.routes.get(service, self.proxy.upstream)).client(service)

    def make_services(self) -> None:
        """Create the streams, and what the sink writes to."""
        kinesis = self.client("kinesis")
        for stream, shards in ((self.lab.stream, self.lab.shards), (self.lab.errors, 1)):
            kinesis.create_stream(StreamName=stream, ShardCount=shards)
            kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
        # kinesalite can lose a stream's first record if it is read at the same moment: so put one before the job.
        put_on_each(kinesis, self.lab.stream, b"the first record of ")
        if self.lab.sink == "s3":
            self.client("s3").create_bucket(Bucket=BUCKET)
        elif self.lab.sink == "dynamodb":
            self.client("dynamodb").create_table(
                TableName="CloudAcademyLabs",
                KeySchema=[{"AttributeName": "session_id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "session_id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            self.client("dynamodb").get_waiter("table_exists").wait(
                TableName="CloudAcademyLabs", WaiterConfig={"Delay": 1}
            )

    def submit(self, parallelism: int = 1, state: str | None = None) -> None:
        groups = {
            "job": {"name": self.lab.name},
            "aws": {"endpoint": self.proxy.endpoint, "region": LOCAL_REGION},
            "source": {"stream": self.lab.stream, "position": "TRIM_HORIZON", "idle_timeout": "11"},
            "errors": {"stream": self.lab.errors},
            "sink": self.lab.target(self.folder),
        } | self.lab.properties
        properties = self.folder / "application_properties.json"
        properties.write_text(
            json.dumps([{"PropertyGroupId": g, "PropertyMap": m} for g, m in groups.items()])
        )
        self.job = self.cluster.submit(properties, parallelism, state)
        self.cluster.wait_until_running(self.job)

    @contextlib.contextmanager
    def load(self, rate: float) -> Iterator[None]:
        """Send ``rate`` records per second until the block ends."""
        thread = threading.Thread(target=self._send, args=(rate,), daemon=True)
        self._sending.set()
        thread.start()
        try:
            yield
        finally:
            self._sending.clear()
            thread.join()

    def kill(self, kind: str) -> None:
        """Cause a failure of this kind; return when the job runs again and has completed a checkpoint."""
        self.account.kills[kind] += 1
        before = self.cluster.restarts(self.job)
        if kind in ("split", "merge"):
            self._reshard(kind)
        elif kind == "slow reads":
            self._slow_down()
        elif kind == "python worker":
            # Kill all of them: a single one may be between two jobs, so its end would not be noticed.
            workers = self.cluster.python_workers()
            if not workers:
                raise RuntimeError(f"no Python worker runs in a process of its own: see {self.folder}")
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        elif kind == "task manager":
            self._kill_task_manager()
        elif kind in ("job manager", "rescaling"):
            self._kill_job_manager() if kind == "job manager" else self._rescale()
            return
        elif kind == "service":
            self._kill_service()
        else:
            self._cut_connections()
        if kind not in ("service", "connections", *OF_SHARDS):
            self.cluster.wait_for_restart(self.job, before)
        self.cluster.wait_until_running(self.job)

    def _kill_task_manager(self) -> None:
        workers = self.cluster.python_workers()
        # The TaskManager that runs the forest is the one with the Python worker.
        victims = [w for w in self.cluster.workers if self.cluster.owns(w.pid, workers)]
        self.cluster.kill(self.rng.choice(victims))
        self.cluster.start_worker()

    def _kill_job_manager(self) -> None:
        self.cluster.kill(self.cluster.manager)
        state = self.cluster.last_checkpoint()
        self.cluster.start_manager()
        self.cluster.wait_for_slots(2)
        self.submit(self.parallelism, state)

    def _rescale(self) -> None:
        state = self.cluster.stop_job(self.job)
        self.parallelism = 3 - self.parallelism
        self.cluster.wait_for_slots(self.parallelism)
        self.submit(self.parallelism, state)

    def _kill_service(self) -> None:
        """Kill one of the services, which keeps its data, and start it at the same address seconds later."""
        victim = self.rng.choice(self.services)
        victim.kill()
        time.sleep(self.rng.uniform(1, 5))
        victim.start()
        done = self.cluster.completed(self.job)
        self.cluster.wait_for_checkpoint(self.job, done)

    def _cut_connections(self) -> None:
        """Cut every connection for some seconds, as a network failure does."""
        self.proxy.rule = lambda call: Fault(reset=True)
        time.sleep(self.rng.uniform(2, 6))
        self.proxy.rule = lambda call: None
        done = self.cluster.completed(self.job)
        self.cluster.wait_for_checkpoint(self.job, done)

    def _reshard(self, kind: str) -> None:
        """Split a shard or merge two; return when the job reads the new shards."""
        # None where there is but one shard to be merged.
        new = reshard(self.client("kinesis"), self.lab.stream, **{f"{kind}s": 1})

        def read() -> bool:
            calls = [c for c in self.proxy.calls if c.operation == "GetShardIterator"]
            return new <= {c.body["ShardId"] for c in calls}

        until(read, f"{kind}: the new shards to be read", 120)

    def _slow_down(self) -> None:
        """Delay half of the reads by seconds, as for a throttled shard, but not so long that a shard counts as idle."""
        rng = random.Random(self.rng.random())
        self.proxy.rule = lambda call: (
            Fault(delay=rng.uniform(1, 4)) if call.operation == "GetRecords" and rng.random() < 0.5 else None
        )
        time.sleep(self.rng.uniform(6, 12))
        self.proxy.rule = lambda call: None

    def settle(self) -> None:
        """Let the job process all records of the stream, and fill in the account."""
        # Shards are read in order: when a shard's last record is in the error stream, all before it have been read.
        last = put_on_each(self.client("kinesis"), self.lab.stream, _LAST)
        until(lambda: last <= self.errors().keys(), f"the last records of {self.lab.name}: see {self.folder}")
        self.cluster.stop_job(self.job, drain=True)
        records = self.records()
        if self.lab.sink == "lambda":
            rows = self.lab.rows(self.invoked)
            self.account.again = len(self.invoked) - len(rows)
        else:
            rows = self.lab.delivered(self.folder, self.client)
        found = Outcome(rows, self.errors())
        self.account.lost = len(self._acknowledged - {r.number for r in records})
        self.account.compare(len(records), self.lab.expected(records), found)

    def records(self) -> list[Record]:
        """All records of the stream, a shard's in order."""
        return [
            Record(r["Data"], r["SequenceNumber"], round(r["ApproximateArrivalTimestamp"].timestamp() * 1000))
            for r in all_records(self.client("kinesis"), self.lab.stream)
        ]

    def errors(self) -> collections.Counter[str]:
        """The raw records in the rows of the error stream."""
        reported = all_records(self.client("kinesis"), self.lab.errors)
        return collections.Counter(json.loads(r["Data"])["data_row"] for r in reported)

    def _send(self, rate: float) -> None:
        # Not the random generator that chooses what is killed: another thread draws from that one.
        kinesis, number, rng = self.client("kinesis"), 0, random.Random(self.seed)
        while self._sending.is_set():
            batch = [self.lab.data(number + i, rng) for i in range(max(1, round(rate / 10)))]
            number += len(batch)
            self._put(kinesis, batch)
            time.sleep(0.1)

    def _put(self, kinesis: Any, batch: list[bytes]) -> None:
        """Send until acknowledged: the stream may be down, and may have stored a record without acknowledging it."""
        records = [{"Data": data, "PartitionKey": str(number)} for number, data in enumerate(batch)]
        while True:
            try:
                answers = kinesis.put_records(StreamName=self.lab.stream, Records=records)["Records"]
                self._acknowledged |= {answer["SequenceNumber"] for answer in answers}
                return
            except BotoCoreError:
                time.sleep(0.1)


@contextlib.contextmanager
def chaos_run(
    lab: Lab, folder: Path, seed: int, backend: str, session: Session | None = None
) -> Iterator[ChaosRun]:
    """A lab's job with services that can be killed, on a session's cluster, or one whose processes can be killed."""
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(running_durable("kinesis", folder / "kinesis"))]
        proxy = stack.enter_context(running_proxy(services[0].endpoint))
        options = {"state.backend.type": backend}
        if lab.sink == "dynamodb":
            services += [stack.enter_context(running_durable("dynamodb", folder / "dynamodb"))]
            proxy.routes["dynamodb"] = services[-1].endpoint
        elif lab.sink == "s3":
            # This one is not killed: it would forget unfinished uploads.
            proxy.routes["s3"] = str(stack.enter_context(local.running_local_aws(folder / "aws")).endpoint)
            key, secret = LOCAL_CREDENTIALS
            options |= {"s3.endpoint": proxy.endpoint, "s3.access-key": key, "s3.secret-key": secret}
            options["s3.path.style.access"] = "true"
        cluster = session or stack.enter_context(Cluster(folder / "cluster", options).running(2))
        account, parallelism = Account(lab.name, backend), min(2, lab.shards)
        trial = ChaosRun(lab, folder, cluster, proxy, services, seed, account, parallelism=parallelism)
        if lab.sink == "lambda":
            proxy.routes["lambda"] = stack.enter_context(running_function(trial.invoked))
        trial.make_services()
        yield trial


def run(
    lab: Lab,
    folder: Path,
    seed: int,
    kinds: Callable[[random.Random], Iterator[str]],
    rate: float = 100.0,
    backend: str = "rocksdb",
    session: Session | None = None,
) -> Account:
    """Run a lab's job, cause the failures in ``kinds`` one after the other, and return the account."""
    begin = time.monotonic()
    with chaos_run(lab, folder, seed, backend, session) as trial:
        trial.cluster.wait_for_slots(trial.parallelism)
        trial.submit(trial.parallelism)
        with trial.load(rate):
            for kind in kinds(trial.rng):
                # Anywhere between two checkpoints, which are a second apart.
                time.sleep(trial.rng.uniform(0.5, 2.5))
                trial.kill(kind)
        trial.settle()
    trial.account.calls = {f"{c.service.lower()}:{c.operation}" for c in trial.proxy.calls if c.operation}
    trial.account.seconds = time.monotonic() - begin
    return trial.account
