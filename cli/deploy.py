"""`kda deploy`: a job as an application of Managed Service for Apache Flink."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from jobs.catalog import JOBS, Job, job
from jobs.settings import JobSettings, SettingsError, settings
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from cli import target
from cli.groups import Properties, PropertiesFile, job_groups
from cli.shown import reason
from infra import managed_flink, package, stacks
from infra.application_log import failure
from infra.clients import client


class _Commands(TyperGroup):
    """A lab alone is put up: `kda deploy trades` for `kda deploy up trades`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in {j.short for j in JOBS}:
            args = ["up", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    no_args_is_help=True,
    cls=_Commands,
    help="A lab on Managed Service for Apache Flink. LAB alone is up LAB.",
)
_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)

_USERS_BUSINESS = (
    managed_flink.ApplicationError,
    package.PackageError,
    stacks.StackError,
    SettingsError,
)
#: How far back `kda deploy status` looks for a failure.
_RECENT = timedelta(minutes=15)

Lab = Annotated[str, typer.Argument(metavar="LAB", help=f"One of {', '.join(j.short for j in JOBS)}.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-P",
        metavar="NAME=VALUE",
        help="A parameter of the application's or the lab's template; NAME alone asks for it unseen; repeatable.",
    ),
]


@contextlib.contextmanager
def _errors_in_red() -> Iterator[None]:
    """Turn the errors that are the user's business into lines and exit code 1."""
    try:
        yield
    except (*_USERS_BUSINESS, BotoCoreError, ClientError) as error:
        first, *rest = reason(error).splitlines()
        _err.print(Text("\n".join([f"kda deploy: {first}", *rest]), style="red"))
        raise typer.Exit(1) from error


@app.command()
def up(
    lab: Lab,
    properties: Properties = None,
    properties_file: PropertiesFile = None,
    parameters: Parameters = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Deploy a lab: its streams, functions and buckets, and its job as an application, which is not started yet.

    Repeating it brings everything up to date.

    Example: kda deploy up ctr --aws -P Username=me -P Password -P Email=me@example.com -P SMS=+15555550100
    """
    chosen, where = _job(lab), target.choose(endpoint, aws)
    with _errors_in_red():
        groups, resources = _settled(chosen, properties_file, properties, where)
        ours, labs = _divided(parameters)
        outputs = stacks.deploy(where, [chosen.short], {chosen.short: labs})[chosen.short]
        for name, value in sorted(outputs.items()):
            _out.print(f"{name}: {value}")
        _deploy(chosen, where, groups, resources | ours)


@app.command()
def update(
    lab: Lab,
    properties: Properties = None,
    properties_file: PropertiesFile = None,
    parameters: Parameters = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Give a deployed application today's package, properties and parameters.

    A running one restarts from a snapshot; if it does not come up, the update is taken back and the reason shown.

    Example: kda deploy update trades --aws -p anomalies.threshold=1.5 -P Parallelism=2
    """
    chosen, where = _job(lab), target.choose(endpoint, aws)
    with _errors_in_red():
        groups, resources = _settled(chosen, properties_file, properties, where)
        ours, labs = _divided(parameters)
        if labs:
            raise managed_flink.ApplicationError(
                f"{', '.join(labs)}: no parameter of an application; kda deploy up changes the lab's"
            )
        name = managed_flink.application_name(chosen.name)
        if managed_flink.status(where, name) is None:
            raise managed_flink.ApplicationError(f"{name} is not deployed: kda deploy up {chosen.short}")
        _deploy(chosen, where, groups, resources | ours)


@app.command()
def start(
    lab: Lab,
    fresh: Annotated[bool, typer.Option("--fresh", help="Without the newest snapshot's state.")] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Start an application where its newest snapshot left off, and wait until it runs. From now on it costs.

    Example: kda deploy start trades --aws
    """
    name, where = managed_flink.application_name(_job(lab).name), target.choose(endpoint, aws)
    with _errors_in_red():
        found = managed_flink.start(where, name, from_snapshot=not fresh, progress=_progress)
        _show(where, found)


@app.command()
def stop(
    lab: Lab,
    force: Annotated[bool, typer.Option("--force", help="At once, without a snapshot.")] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Stop an application with a snapshot, from which it can go on.

    Example: kda deploy stop trades --aws
    """
    name, where = managed_flink.application_name(_job(lab).name), target.choose(endpoint, aws)
    with _errors_in_red():
        _show(where, managed_flink.stop(where, name, force=force, progress=_progress))


@app.command()
def status(lab: Lab, endpoint: target.Endpoint = None, aws: target.RealAws = False) -> None:
    """Show how an application is, and what went wrong in the last 15 minutes. Exit code 1: it does not run.

    Example: kda deploy status trades --aws
    """
    name, where = managed_flink.application_name(_job(lab).name), target.choose(endpoint, aws)
    with _errors_in_red():
        found = managed_flink.status(where, name)
        if found is None:
            raise managed_flink.ApplicationError(f"{name} is not deployed: kda deploy up {_job(lab).short}")
        _show(where, found)
        why = failure(where, name, datetime.now(UTC) - _RECENT)
        if why:
            _err.print(Text("\n".join(["The last failure in its log:", *why]), style="red"))
        if found.status != "RUNNING":
            raise typer.Exit(1)


@app.command()
def delete(
    lab: Lab,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Delete a lab's application with its snapshots and log, and the lab's streams, functions and buckets.

    Example: kda deploy delete trades --aws
    """
    chosen, where = _job(lab), target.choose(endpoint, aws)
    if not yes:
        typer.confirm(f"Delete everything of {chosen.short}, its data too?", abort=True)
    with _errors_in_red():
        managed_flink.delete(where, managed_flink.application_name(chosen.name), _progress)
        stacks.delete(where, [chosen.short])
        _out.print(f"{chosen.short}: deleted")


@app.command()
def template(lab: Lab, properties: Properties = None, properties_file: PropertiesFile = None) -> None:
    """Print the CloudFormation template of a lab's application, with its property groups.

    Example: kda deploy template trades > trades.yaml
    """
    with _errors_in_red():
        groups, _ = _settled(_job(lab), properties_file, properties, None, region=False)
        typer.echo(managed_flink.template(groups), nl=False)


def _job(lab: str) -> Job:
    try:
        return job(lab)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error


def _settled(
    chosen: Job,
    file: Path | None,
    properties: list[str] | None,
    endpoint: str | None,
    *,
    region: bool = True,
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The application's property groups, checked before anything is deployed, and the resources they name."""
    own = [f"aws.region={client('kinesisanalyticsv2', endpoint).meta.region_name}"] if region else []
    named = [*(properties or []), f"job.name={chosen.name}"]
    found = job_groups(chosen, file, named, own)
    return found, resources(settings(chosen.settings_model, found))


def resources(found: JobSettings) -> dict[str, str]:
    """The resources that a job's settings name, as parameters of the application's template.

    The application's role may use these and no others.
    """
    groups = found.model_dump()
    source, sink, tap = groups["source"], groups["sink"], groups["tap"]
    return {
        "SourceStream": source["stream"] if source["type"] == "kinesis" else "",
        "ErrorStream": groups["errors"]["stream"],
        "TapStream": tap["stream"] or "",
        "DeliveryStream": sink.get("delivery_stream", "") if sink["type"] == "firehose" else "",
        # Of an ARN the name is its end.
        "Function": sink.get("function", "").rpartition("function:")[2] if sink["type"] == "lambda" else "",
        "Table": sink.get("table", "") if sink["type"] == "dynamodb" else "",
        "SourceBucket": _bucket(source["path"]) if source["type"] != "kinesis" else "",
        "SinkBucket": _bucket(sink["path"]) if sink["type"] == "s3" else "",
    }


def _bucket(path: str | None) -> str:
    return path.removeprefix("s3://").partition("/")[0] if path and path.startswith("s3://") else ""


def _divided(parameters: list[str] | None) -> tuple[dict[str, str], dict[str, str]]:
    """The application's parameters and the lab's."""
    given = {}
    for parameter in parameters or []:
        name, equals, value = parameter.partition("=")
        given[name] = value if equals else typer.prompt(name, hide_input=True)
    application = managed_flink.parameters()
    return (
        {name: value for name, value in given.items() if name in application},
        {name: value for name, value in given.items() if name not in application},
    )


def _deploy(
    chosen: Job, endpoint: str | None, groups: Mapping[str, Mapping[str, str]], parameters: Mapping[str, str]
) -> None:
    _out.print("Building the package …")
    built = package.build()
    _out.print(f"Deploying it: {built.size / 1000**2:.0f} MB …")
    name = managed_flink.application_name(chosen.name)
    found = managed_flink.deploy(endpoint, name, groups, parameters, built.path.read_bytes(), _progress)
    _show(endpoint, found)
    if found.status != "RUNNING":
        _out.print(f"Start it with `kda deploy start {chosen.short}`.")


def _show(endpoint: str | None, found: managed_flink.Status) -> None:
    _out.print(
        f"{found.name}: {found.status.lower()}, version {found.version}, parallelism {found.parallelism}, "
        f"{f'newest snapshot {found.snapshots[-1]}' if found.snapshots else 'no snapshot'}"
    )
    if found.status == "RUNNING" and (url := managed_flink.dashboard(endpoint, found.name)):
        _out.print(f"Flink's page, for an hour: {url}")


def _progress(status: str) -> None:
    _out.print(f"{status.lower().replace('_', ' ')} …")
