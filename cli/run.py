"""`kda run`, `kda sql`, `kda list`: applications on a Flink mini-cluster of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from base.errors import InvalidValue, KdaError
from cli import source_file, target
from cli.groups import Name, Properties, PropertiesFile, application, property_groups
from infra import flink, local, saved_state, stacks, template
from infra.loopback import free_port
from infra.paths import APPLICATIONS
from pipeline.application import Application
from pipeline.catalog import all_applications
from pipeline.flink_version import stop_with_savepoint
from pipeline.requirements import check, requirements
from pipeline.settings import Settings, settings

if TYPE_CHECKING:
    from pipeline.pipeline import Pipeline

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def list_jobs() -> None:
    """List the applications: the labs, and those made or imported on this machine.

    Example: kda list
    """
    table = Table("application", "what it does")
    for a in all_applications(APPLICATIONS):
        table.add_row(a.name, a.title)
    _out.print(table)


def sql(
    name: Name,
    properties: Properties = None,
    properties_file: PropertiesFile = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Print every statement of an application as it would run, including source, decoder and forests.

    Example: kda sql trades -p anomalies.threshold=1.5
    """
    try:
        # No service is called, so the endpoint is only printed.
        chosen = application(name)
        chosen_settings = settings(chosen, _groups(properties_file, properties, endpoint, aws))
        pipeline = _pipeline(chosen, chosen_settings, {})
    except KdaError as e:
        raise _refused(e) from e
    typer.echo(";\n\n".join(pipeline.statements) + ";")


def run(
    name: Name,
    properties: Properties = None,
    properties_file: PropertiesFile = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume from the newest savepoint or checkpoint.")
    ] = False,
    tap: Annotated[
        bool,
        typer.Option(
            "--tap", help="Copy rows to the application's tap stream, for `kda watch` and the page."
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="With --resume: drop saved state that no longer fits, without asking."),
    ] = False,
    stream: source_file.Stream = None,
    schema: source_file.SchemaFile = None,
    rest_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of Flink's dashboard; 0: any free one.")
    ] = 0,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Run an application until Ctrl-C, which stops it with a savepoint.

    A KDA SQL file or description is imported first.

    Example: kda run trades --resume -p source.position=TRIM_HORIZON
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_at_once)
    try:
        if Path(name).suffix.lower() in source_file.SUFFIXES:
            # To import it takes half a second, as the parser is large.
            from cli.import_kda import imported

            name = str(imported(Path(name), stream, schema, endpoint, aws))
        elif stream or schema:
            raise InvalidValue(
                "--stream and --schema are for a KDA SQL file; for an application, use -p source.stream=…"
            )
        chosen = application(name)
        own = [f"tap.stream={chosen.tap_stream}"] if tap else []
        needed = requirements(chosen, settings(chosen, _groups(properties_file, properties, None, aws, own)))
        where = target.choose_address(endpoint, aws) if endpoint or needed.statements else None
        chosen_settings = settings(chosen, _groups(properties_file, properties, where, aws, own))
        # Two jobs would deliver everything twice, and `kda status` would show only the last one.
        flink.claim(chosen.name)
        _make_local_resources(chosen, chosen_settings, where)
        check(chosen, chosen_settings)
        state = saved_state.last_state(chosen.name) if resume else None
        if resume and state is None:
            _out.print(f"No savepoint or checkpoint of {chosen.name} yet: it starts without state.")
        if _out.is_terminal:
            _out.print(f"{chosen.name}: starting …")  # takes some ten seconds
        port = rest_port or free_port()
        cluster = flink.cluster(chosen.name, rest_port=port, resume_from=state)
        pipeline = _pipeline(chosen, chosen_settings, cluster)
        _agree(chosen, pipeline, state, yes)
    except KdaError as e:
        raise _refused(e) from e
    stop = _Stop()
    try:
        client = pipeline.execute().get_job_client()
    except KdaError as e:
        raise _refused(e) from e
    except Exception as e:  # Flink's exceptions have their reason at the end of a long chain
        raise _refused(flink.FlinkError(_not_started(chosen, flink.cause(str(e))))) from e
    _announce(chosen, port, client, state)
    with flink.registered(chosen.name, port, str(client.get_job_id()), application=chosen.folder):
        raise typer.Exit(_watch(chosen, client, port, stop))


def _make_local_resources(chosen: Application, chosen_settings: Settings, where: str | None) -> None:
    """Make the resources that an application needs and that are missing, only in this machine's local AWS."""
    if where is None or where != local.find(local.DATA):
        return
    there = chosen_settings.aws.where
    needed = stacks.missing(there, chosen, chosen_settings)
    own = (
        chosen.name.replace("_", "-") not in stacks.deployed(there)
        and (chosen.folder / template.OWN).exists()
    )
    if not needed and not own:
        return
    try:
        stacks.deploy(there, chosen, chosen=chosen_settings, tell=_out.print)
    except stacks.LossError as error:  # the job's check reports what is missing
        _out.print(Text(str(error), style="yellow"))


def _agree(chosen: Application, pipeline: Pipeline, state: str | None, yes: bool) -> None:
    """List saved state that no longer fits the application, and continue only if the user agrees to drop it."""
    names = {operator.id: operator.uid or operator.name for operator in pipeline.operators()}
    if state is not None:
        from pipeline.operators import saved_operators

        lost = saved_state.lost_state(chosen.name, saved_operators(state), names)
        for what in lost:
            _out.print(Text(f"  no longer in {chosen.name}: {what[:200]}", style="yellow"))
        if lost and not yes:
            text = f"{chosen.name}: the state of these steps is dropped, that of all others is kept"
            if not _out.is_terminal:
                raise flink.FlinkError(f"{text}: agree with --yes, or start without state, without --resume")
            if not typer.confirm(f"{text}. Go on?"):
                raise typer.Exit(1)
    saved_state.remember_operators(chosen.name, names)


def _not_started(chosen: Application, reason: str) -> str:
    return f"{chosen.name} can't start: {reason}"


def _pipeline(chosen: Application, chosen_settings: Settings, cluster: dict[str, str]) -> Pipeline:
    endpoint = chosen_settings.aws.endpoint
    flink.prepare(endpoint)
    from pipeline.environment import table_environment
    from pipeline.pipeline import Pipeline

    table_env = table_environment(cluster or flink.cluster(chosen.name))
    flink.load_s3(endpoint)
    pipeline = Pipeline(table_env, chosen, chosen_settings)
    pipeline.deliver()
    return pipeline


def _groups(
    file: Path | None,
    properties: list[str] | None,
    endpoint: str | None,
    aws: bool,
    own: Iterable[str] = (),
) -> dict[str, dict[str, str]]:
    where = [] if aws or not endpoint else [f"aws.endpoint={endpoint}"]
    return property_groups(file, properties, [*where, *own])


def _watch(chosen: Application, client: Any, port: int, stop: _Stop) -> int:
    """Follow the job to its end; return the exit code."""
    shown = ""
    while True:
        status = _status(client)
        if status in ("FAILED", "RESTARTING") and status != shown:
            reason = flink.root_cause(f"http://127.0.0.1:{port}", str(client.get_job_id()))
            _err.print(Text(f"{chosen.name}: {status.lower()}: {reason}", style="red"))
        elif status != shown:
            _out.print(f"{chosen.name}: {status.lower()}")
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
        # The cluster ends with its job, maybe before it reports the end; the job's result is still available.
        with contextlib.suppress(Exception):
            client.get_job_execution_result().result()
            return "FINISHED"
        return "FAILED"


def _stop_with_savepoint(chosen: Application, client: Any) -> int:
    _out.print(f"{chosen.name}: stopping with a savepoint …")
    folder = saved_state.savepoint_folder(chosen.name)
    try:
        path = stop_with_savepoint(client, folder)
    except Exception as e:
        reason = flink.cause(str(e))
        if "Not all required tasks are currently running" in reason:
            # It did nothing since its last start or failure, so no state is lost.
            reason = "not all of its tasks ran yet. --resume goes on from the state before"
        _err.print(Text(f"{chosen.name}: no savepoint could be taken: {reason}", style="red"))
        client.cancel().result()
        return 1
    _out.print(f"{chosen.name}: stopped; savepoint {path}. Resume from it with --resume.")
    return 0


def _announce(chosen: Application, port: int, client: Any, state: str | None) -> None:
    started = f"resumed from {state}" if state else "started"
    _out.print(
        f"{chosen.name}: {started}; Flink's page: http://127.0.0.1:{port} ; Ctrl-C stops it with a savepoint."
    )


def _end_at_once(number: int, frame: Any) -> None:
    """End the process and its children at once: before the job runs there is nothing to save.

    Flink's JVM would also end when its pipe to this process breaks, but it would print errors after the prompt.
    """
    os.write(2, b"kda: ended before the job started\n")
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            child.kill()
    os._exit(130)


class _Stop:
    """Records whether Ctrl-C or SIGTERM came."""

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
