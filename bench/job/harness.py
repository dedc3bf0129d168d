"""Runs a job to its end, and measures records per second and CPU time of the whole process tree."""

from __future__ import annotations

import contextlib
import json
import os
import site
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from infra import flink, saved_state
from infra.loopback import free_port
from infra.paths import ROOT
from pipeline.flink_version import stop_with_savepoint

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

JAVA = Path(__file__).parent / "java"
JAR = JAVA / "target" / "java-job.jar"
#: Seconds after which a run is aborted.
LONGEST = 300
#: Rows that are enough to be measured, whatever was skipped.
_ENOUGH = 1_000_000

#: Creates the relation that is measured.
Form = Callable[["StreamTableEnvironment"], "Table"]


@dataclass(frozen=True)
class Measured:
    """The figures of one run; rate and CPU time are those after the skipped rows.

    Attributes
    ----------
    rows : int
        Rows that came out, in all.
    rate : float
        Rows per second.
    cpu : float
        CPU seconds per million rows, of JVM and Python workers together.
    latencies : list of int
        Number of rows by latency in milliseconds, if the rows have ``sent_ms``.
    checkpoint : float
        Seconds that the last checkpoint took; 0 if the run was too short for one.
    state : int
        Bytes of its state.
    """

    rows: int
    rate: float
    cpu: float
    latencies: list[int]
    checkpoint: float
    state: int

    def latency(self, quantile: float) -> int:
        """The latency in milliseconds that this share of the rows does not exceed."""
        wanted, seen = quantile * sum(self.latencies), 0
        for milliseconds, count in enumerate(self.latencies):
            seen += count
            if seen >= wanted:
                return milliseconds
        return len(self.latencies)


@dataclass(frozen=True)
class Restored:
    """A stop and restart: the savepoint's bytes, seconds to write it, seconds from the restart to the first row."""

    state: int
    saved: float
    back: float


def prepare(folder: Path) -> None:
    """Build the Java side if needed, then start the JVM with it."""
    library = Path(site.getsitepackages()[0]) / "pyflink" / "lib"
    sources = max(p.stat().st_mtime for p in [JAVA / "pom.xml", *(JAVA / "src").rglob("*.java")])
    if not JAR.exists() or JAR.stat().st_mtime < sources:
        # Maven's output goes to stderr: stdout is for results.
        build = ["mvn", "-q", "-B", "package", f"-Dflink.lib={library}"]
        subprocess.run(build, cwd=JAVA, check=True, stdout=sys.stderr)
    os.environ |= {
        # The only way to get a class onto the gateway's class path without shipping it with each job.
        "HADOOP_CLASSPATH": str(JAR),
        # In thread mode the JVM finds the packages and this repository by this variable only.
        "PYTHONPATH": os.pathsep.join([str(ROOT), site.getsitepackages()[0]]),
        # As deployed: Python runs in processes of its own, not in this one.
        "_python_worker_execution_mode": "process",
    }
    # Whatever a job reads or writes is on this machine.
    flink.prepare("http://127.0.0.1:1", folder)


def measure(form: Form, folder: Path, skip: int, longest: float = LONGEST, /, **options: str) -> Measured:
    """Run one job.

    Parameters
    ----------
    form : callable
        The relation, over a bounded source.
    folder : Path
        For state and counts.
    skip : int
        Rows before the measurement starts: meanwhile workers start and compilers warm up.
    longest : float
        Seconds after which the run is aborted.
    **options : str
        Flink's options with ``__`` for ``.`` and ``_`` for ``-``.
    """
    port = free_port()
    # A job that is aborted may still write there, and its error is the one to report.
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as counts:
        result = _start(form, folder, Path(counts), port, skip, options)
        return _follow(result, Path(counts), skip, port, longest)


def restore(form: Form, folder: Path, rows: int, **options: str) -> Restored:
    """Stop a job with a savepoint after ``rows`` rows and restart it from there; its source must not end before."""
    with tempfile.TemporaryDirectory(dir=folder) as first, tempfile.TemporaryDirectory(dir=folder) as second:
        port = free_port()
        client = _start(form, folder, Path(first), port, 0, options).get_job_client()
        _wait_for(client, Path(first), rows)
        began = time.monotonic()
        savepoint = stop_with_savepoint(client, saved_state.savepoint_folder("bench", folder))
        saved = time.monotonic() - began
        size = sum(p.stat().st_size for p in Path(savepoint.removeprefix("file:")).iterdir())

        port = free_port()
        options = options | {"execution__state_recovery__path": savepoint}
        began = time.monotonic()
        client = _start(form, folder, Path(second), port, 0, options).get_job_client()
        _wait_for(client, Path(second), 1)
        back = time.monotonic() - began
        client.cancel().result()
    return Restored(size, saved, back)


def _start(form: Form, folder: Path, counts: Path, port: int, skip: int, options: Mapping[str, str]) -> Any:
    from pipeline.environment import table_environment

    overrides = {k.replace("__", ".").replace("_", "-"): v for k, v in options.items()}
    # A busy machine may stop the whole JVM for a minute.
    overrides = {"restart-strategy.type": "none", "heartbeat.timeout": "600 s"} | overrides
    table_env = table_environment(flink.cluster("bench", folder=folder, rest_port=port, overrides=overrides))
    table = form(table_env)
    declared = ", ".join(
        f"`{c.getName()}` {c.getDataType().getLogicalType().copy(True).asSerializableString()}"
        for c in table._j_table.getResolvedSchema().getColumns()
    )
    # In a sink, a rowtime attribute is an ordinary timestamp.
    declared = declared.replace(" *ROWTIME*", "")
    table_env.execute_sql(
        f"CREATE TEMPORARY TABLE measured ({declared})"
        f" WITH ('connector' = 'probe', 'path' = '{counts}', 'skip' = '{skip}')"
    )
    return table.execute_insert("measured")


def _wait_for(client: Any, counts: Path, rows: int) -> None:
    finished, end = client.get_job_execution_result(), time.monotonic() + LONGEST
    while counted(counts)[0] < rows:
        if finished.done():
            finished.result()
            raise RuntimeError("the source ended before the job was stopped")
        _check_time(client, end)
        time.sleep(0.01)


def _check_time(client: Any, end: float) -> None:
    if time.monotonic() > end:
        client.cancel().result()
        raise RuntimeError("a run took too long")


def _follow(result: Any, counts: Path, skip: int, port: int, longest: float) -> Measured:
    first, spent, checkpoint = None, dict[int, float](), (0.0, 0)
    client = result.get_job_client()
    finished = client.get_job_execution_result()
    address = f"http://127.0.0.1:{port}/jobs/{client.get_job_id()}/checkpoints"
    end, asked = time.monotonic() + longest, 0.0
    while not finished.done():
        _check_time(client, end)
        rows, moment, _ = counted(counts)
        # Workers end before the job does, so keep each process's CPU time.
        spent |= cpu_seconds()
        if rows >= skip:
            sample = (rows, moment, sum(spent.values()))
            first = first or sample
            last = sample
            # Not each time: the answer costs the JVM a millisecond.
            if time.monotonic() > asked + 0.5:
                checkpoint, asked = _last_checkpoint(address) or checkpoint, time.monotonic()
        time.sleep(0.05)
    finished.result()
    rows, moment, latencies = counted(counts)
    if first is None or last[0] - first[0] < min(skip / 2, _ENOUGH):
        raise RuntimeError(f"the run was too short to be measured: {rows} rows, {skip} skipped")
    seconds = (moment - first[1]) / 1000
    return Measured(
        rows,
        rate=(rows - first[0]) / seconds,
        cpu=1e6 * (last[2] - first[2]) / (last[0] - first[0]),
        latencies=latencies,
        checkpoint=checkpoint[0],
        state=checkpoint[1],
    )


def _last_checkpoint(address: str) -> tuple[float, int] | None:
    """Duration in seconds and bytes of the last complete checkpoint; None if there is none, or no answer."""
    with contextlib.suppress(OSError, ValueError):
        with urllib.request.urlopen(address, timeout=2) as answer:
            found = json.load(answer)["latest"]["completed"]
        return (found["end_to_end_duration"] / 1000, found["state_size"]) if found else None
    return None


def counted(folder: Path) -> tuple[int, int, list[int]]:
    """Rows, time of the newest in epoch milliseconds, and rows by latency; over all subtasks."""
    total, newest, latencies = 0, 0, [0] * 10_000
    for path in folder.glob("*.count"):
        head, _, rest = path.read_text().partition("\n")
        rows, moment = map(int, head.split())
        total, newest = total + rows, max(newest, moment)
        for milliseconds, count in enumerate(rest.split()):
            latencies[milliseconds] += int(count)
    return total, newest, latencies


def cpu_seconds() -> dict[int, float]:
    """CPU seconds of each descendant of this process, by process id."""
    spent = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            spent[process.pid] = times.user + times.system
    return spent
