"""`kda run`, `kda sql`, `kda list`: the jobs on this machine's mini-cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli import target
from cli.groups import Properties, PropertiesFile, job_groups
from connectors.check import ConnectorError
from infra import flink
from jobs.catalog import JOBS, Job, job
from jobs.settings import SettingsError, settings

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)

Name = Annotated[str, typer.Argument(metavar="JOB", help=f"One of {', '.join(j.short for j in JOBS)}.")]


def list_jobs() -> None:
    """Show the jobs.

    Example: kda list
    """
    table = Table("job", "what it does")
    for j in JOBS:
        table.add_row(j.short, j.title)
    _out.print(table)


def sql(
    name: Name,
    properties: Properties = None,
    properties_file: PropertiesFile = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Print every statement of a job as it would run.

    Example: kda sql trades -p anomalies.threshold=1.5
    """
    try:
        # No service is asked anything, so any endpoint will do to print.
        pipeline = _pipeline(job(name), _groups(job(name), properties_file, properties, endpoint, aws), {})
    except (SettingsError, ConnectorError, flink.FlinkError, ValueError) as e:
        raise _refused(e) from e
    typer.echo(";\n\n".join(pipeline.statements) + ";")


def run(
    name: Name,
    properties: Properties = None,
    properties_file: PropertiesFile = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last savepoint or checkpoint.")
    ] = False,
    rest_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of Flink's web page; 0: any free one.")
    ] = 0,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Run a job until Ctrl-C, which takes a savepoint first.

    Example: kda run trades --resume -p source.position=TRIM_HORIZON
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_at_once)
    try:
        chosen = job(name)
        where = None if aws else target.choose(endpoint, aws)
        groups = _groups(chosen, properties_file, properties, where, aws)
        # Two would deliver everything twice, and `kda status` would know the last one only.
        if (other := flink.running(chosen.name)) is not None:
            raise flink.FlinkError(f"{chosen.short} runs already, as process {other.pid}: see `kda status`")
        state = flink.last_state(chosen.name) if resume else None
        if resume and state is None:
            _out.print(f"No savepoint or checkpoint of {chosen.name} yet: it starts afresh.")
        if _out.is_terminal:
            _out.print(f"{chosen.short}: starting …")  # which takes some ten seconds
        port = rest_port or _free_port()
        cluster = flink.cluster(
            chosen.name, rest_port=port, resume_from=state, micro_batch=_micro_batch(chosen, groups)
        )
        pipeline = _pipeline(chosen, groups, cluster)
        pipeline.check()
    except (SettingsError, ConnectorError, flink.FlinkError, ValueError) as e:
        raise _refused(e) from e
    stop = _Stop()
    try:
        client = pipeline.execute().get_job_client()
    except Exception as e:  # whatever Flink throws has its reason at the end of a long chain
        raise _refused(flink.FlinkError(_not_started(chosen, flink.cause(str(e))))) from e
    _announce(chosen, port, client, state)
    with flink.registered(chosen.name, port, str(client.get_job_id())):
        raise typer.Exit(_watch(chosen, client, port, stop))


def _not_started(chosen: Job, reason: str) -> str:
    if "Cannot map checkpoint/savepoint state" in reason:
        reason = (
            "the saved state is of a job with other relations (was the tap on then?): give it the same properties, "
            "or start afresh without --resume"
        )
    return f"{chosen.short} can't start: {reason}"


def _pipeline(chosen: Job, groups: dict[str, dict[str, str]], cluster: dict[str, str]) -> Any:
    endpoint = groups.get("aws", {}).get("endpoint")
    flink.prepare(endpoint)
    from jobs.environment import table_environment

    table_env = table_environment(cluster or flink.cluster(chosen.name))
    flink.load_s3(endpoint)
    return chosen.pipeline(table_env, groups)


def _micro_batch(chosen: Job, groups: dict[str, dict[str, str]]) -> timedelta:
    forest = getattr(settings(chosen.settings_model, groups), "random_cut_forest", None)
    return forest.micro_batch if forest else timedelta(0)


def _groups(
    chosen: Job, file: Path | None, properties: list[str] | None, endpoint: str | None, aws: bool
) -> dict[str, dict[str, str]]:
    where = [] if aws or not endpoint else [f"aws.endpoint={endpoint}"]
    groups = job_groups(chosen, file, properties, where)
    # Before the JVM starts and is told the endpoint.
    settings(chosen.settings_model, groups)
    return groups


def _watch(chosen: Job, client: Any, port: int, stop: _Stop) -> int:
    """Follow the job to its end; return the exit code."""
    shown = ""
    while True:
        status = _status(client)
        if status in ("FAILED", "RESTARTING") and status != shown:
            reason = flink.root_cause(f"http://127.0.0.1:{port}", str(client.get_job_id()))
            _err.print(Text(f"{chosen.short}: {status.lower()}: {reason}", style="red"))
        elif status != shown:
            _out.print(f"{chosen.short}: {status.lower()}")
        shown = status
        if status in ("FAILED", "FINISHED", "CANCELED"):
            return 0 if status == "FINISHED" else 1
        if stop.asked:
            return _stop_with_savepoint(chosen, client)
        time.sleep(0.3)


def _status(client: Any) -> str:
    try:
        return str(client.get_job_status().result().name)
    except Exception:
        # The cluster ends with its job, sometimes before it could be asked again; the result outlives both.
        with contextlib.suppress(Exception):
            client.get_job_execution_result().result()
            return "FINISHED"
        return "FAILED"


def _stop_with_savepoint(chosen: Job, client: Any) -> int:
    _out.print(f"{chosen.short}: stopping with a savepoint …")
    folder = flink.savepoint_folder(chosen.name)
    try:
        path = client.stop_with_savepoint(False, folder).result()
    except Exception as e:
        reason = flink.cause(str(e))
        if "Not all required tasks are currently running" in reason:
            # Since it started or failed last it did nothing; what it had before is kept.
            reason = "its tasks did not all run yet. --resume goes on from the state before"
        _err.print(Text(f"{chosen.short}: no savepoint could be taken: {reason}", style="red"))
        client.cancel().result()
        return 1
    _out.print(f"{chosen.short}: stopped; savepoint {path}. Go on from there with --resume.")
    return 0


def _announce(chosen: Job, port: int, client: Any, state: str | None) -> None:
    started = f"resumed from {state}" if state else "started"
    _out.print(
        f"{chosen.short}: {started}; Flink's page: http://127.0.0.1:{port}. Ctrl-C stops it with a savepoint."
    )


def _end_at_once(number: int, frame: Any) -> None:
    """Before the job runs there is nothing to save; Flink's JVM ends with the pipe to this process."""
    os.write(2, b"kda: ended before the job started\n")
    os._exit(130)


class _Stop:
    """Whether Ctrl-C or SIGTERM came."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True


def _refused(error: Exception) -> typer.Exit:
    for line in str(error).splitlines():
        _err.print(Text(f"kda: {line}", style="red"))
    return typer.Exit(2)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
