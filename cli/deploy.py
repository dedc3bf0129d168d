"""`kda deploy`: an application on Managed Service for Apache Flink, with its resources."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from base.aws import Aws, reason
from base.errors import KdaError
from cli import target
from cli.groups import Name, Properties, PropertiesFile, application, is_application, property_groups
from infra import managed_flink, package, stacks
from infra.application_log import failure
from infra.application_template import application_template, job_parameters
from pipeline.application import Application
from pipeline.requirements import requirements
from pipeline.settings import Settings, settings


class _Commands(TyperGroup):
    """Makes `kda deploy ./fleet` short for `kda deploy up ./fleet`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and is_application(args[0]):
            args = ["up", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    no_args_is_help=True,
    cls=_Commands,
    help="An application on Managed Service for Apache Flink. kda deploy APPLICATION is short for up APPLICATION.",
)
_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)

#: How far back `kda deploy status` looks for a failure.
_RECENT = timedelta(minutes=15)

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-P",
        metavar="NAME=VALUE",
        help="A parameter of the job's or the resources' template; NAME alone prompts for it; repeatable.",
    ),
]


@contextlib.contextmanager
def _errors_in_red() -> Iterator[None]:
    """Print expected errors in red, and exit with code 1."""
    try:
        yield
    except (KdaError, BotoCoreError, ClientError) as error:
        first, *rest = reason(error).splitlines()
        _err.print(Text("\n".join([f"kda deploy: {first}", *rest]), style="red"))
        raise typer.Exit(1) from error


@app.command()
def up(
    name: Name,
    properties: Properties = None,
    properties_file: PropertiesFile = None,
    parameters: Parameters = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Don't ask before deleting resources that are no longer needed.")
    ] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Deploy an application's resources and its job, without starting it.

    Run it again to bring everything up to date.

    Example: kda deploy up ctr --aws -P Username=me -P Password -P Email=me@example.com -P SMS=+15555550100
    """
    where = target.choose(endpoint, aws)
    with _errors_in_red():
        chosen = application(name)
        groups, found = _settled(chosen, properties_file, properties, where)
        template = _template(chosen, groups, found)
        ours, resources = _divided(parameters)
        try:
            outputs = stacks.deploy(where, chosen, resources, found, tell=_out.print)
        except stacks.LossError as loss:
            if not yes:
                typer.confirm(f"{loss}. Go on?", abort=True)
            outputs = stacks.deploy(where, chosen, resources, found, lose=True)
        for key, value in sorted(outputs.items()):
            _out.print(f"{key}: {value}")
        if _deploy(chosen, where, template, found, ours).status != "RUNNING":
            _out.print(f"Start it with `kda deploy start {name}`.")


@app.command()
def update(
    name: Name,
    properties: Properties = None,
    properties_file: PropertiesFile = None,
    parameters: Parameters = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Update a deployed application's package, properties and parameters.

    A running one restarts from a snapshot. If it does not start, the update is rolled back and the reason shown.

    Example: kda deploy update trades --aws -p anomalies.threshold=1.5 -P Parallelism=2
    """
    where = target.choose(endpoint, aws)
    with _errors_in_red():
        chosen = application(name)
        groups, found = _settled(chosen, properties_file, properties, where)
        ours, others = _divided(parameters)
        if others:
            raise managed_flink.ServiceError(
                f"{', '.join(others)}: not a parameter of the job; kda deploy up changes the resources"
            )
        deployed = managed_flink.application_name(chosen.name)
        if managed_flink.status(where, deployed) is None:
            raise managed_flink.ServiceError(f"{deployed} is not deployed: kda deploy up {name}")
        _deploy(chosen, where, _template(chosen, groups, found), found, ours)


@app.command()
def start(
    name: Name,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start without state.")] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Start an application from its newest snapshot, and wait until it runs. A running application costs money.

    Example: kda deploy start trades --aws
    """
    where = target.choose(endpoint, aws)
    with _errors_in_red():
        deployed = managed_flink.application_name(application(name).name)
        found = managed_flink.start(where, deployed, from_snapshot=not fresh, progress=_progress)
        _show(where, found)


@app.command()
def stop(
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="At once, without a snapshot.")] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Stop an application with a snapshot, from which it can start again.

    Example: kda deploy stop trades --aws
    """
    where = target.choose(endpoint, aws)
    with _errors_in_red():
        deployed = managed_flink.application_name(application(name).name)
        _show(where, managed_flink.stop(where, deployed, force=force, progress=_progress))


@app.command()
def status(name: Name, endpoint: target.Endpoint = None, aws: target.RealAws = False) -> None:
    """Show an application's state, and failures of the last 15 minutes. Exit code 1: it does not run.

    Example: kda deploy status trades --aws
    """
    where = target.choose(endpoint, aws)
    with _errors_in_red():
        deployed = managed_flink.application_name(application(name).name)
        found = managed_flink.status(where, deployed)
        if found is None:
            raise managed_flink.ServiceError(f"{deployed} is not deployed: kda deploy up {name}")
        _show(where, found)
        why = failure(where, deployed, datetime.now(UTC) - _RECENT)
        if why:
            _err.print(Text("\n".join(["Last failure in its log:", *why]), style="red"))
        if found.status != "RUNNING":
            raise typer.Exit(1)


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Delete an application with its snapshots and log, and its stack's resources.

    Example: kda deploy delete trades --aws
    """
    where = target.choose(endpoint, aws)
    with _errors_in_red():
        chosen = application(name)
        if not yes:
            typer.confirm(f"Delete everything of {chosen.name}, including its data?", abort=True)
        managed_flink.delete(where, managed_flink.application_name(chosen.name), _progress)
        stacks.delete(where, chosen.name)
        _out.print(f"{chosen.name}: deleted")


@app.command()
def template(name: Name, properties: Properties = None, properties_file: PropertiesFile = None) -> None:
    """Print the CloudFormation template of an application's job, with its property groups and its role.

    Example: kda deploy template trades > trades.yaml
    """
    with _errors_in_red():
        chosen = application(name)
        groups, found = _settled(chosen, properties_file, properties, None)
        # Through JSON, to break shared references: CloudFormation does not support YAML aliases.
        tree = json.loads(json.dumps(_template(chosen, groups, found)))
        typer.echo(yaml.safe_dump(tree, sort_keys=False, width=120), nl=False)


def _settled(
    chosen: Application,
    file: Path | None,
    properties: list[str] | None,
    aws: Aws | None,
) -> tuple[dict[str, dict[str, str]], Settings]:
    """The application's property groups and the settings they give, checked before anything is deployed."""
    own = [f"aws.region={aws.region}"] if aws else []
    groups = property_groups(file, [*(properties or []), f"job.name={chosen.name}"], own)
    return groups, settings(chosen, groups)


def _template(
    chosen: Application, groups: Mapping[str, Mapping[str, str]], found: Settings
) -> dict[str, Any]:
    sources = [getattr(found, chosen.group_of(source)) for source in chosen.sources.values()]
    streams = [source.stream for source in sources if source.type == "kinesis"]
    return application_template(groups, requirements(chosen, found).statements, streams)


def _divided(parameters: list[str] | None) -> tuple[dict[str, str], dict[str, str]]:
    """Split parameters into the job's and the resources'; prompt for those without a value."""
    given = {}
    for parameter in parameters or []:
        name, equals, value = parameter.partition("=")
        given[name] = value if equals else typer.prompt(name, hide_input=True)
    ours = job_parameters()
    return (
        {name: value for name, value in given.items() if name in ours},
        {name: value for name, value in given.items() if name not in ours},
    )


def _deploy(
    chosen: Application,
    aws: Aws,
    template: Mapping[str, Any],
    found: Settings,
    parameters: Mapping[str, str],
) -> managed_flink.Status:
    _out.print("Building the package …")
    built = package.build(chosen)
    _out.print(f"Deploying it: {built.size / 1000**2:.0f} MB …")
    name = managed_flink.application_name(chosen.name)
    given = {"ErrorStream": found.errors.stream, **parameters}
    deployed = managed_flink.deploy(aws, name, template, given, built.path.read_bytes(), _progress)
    _show(aws, deployed)
    return deployed


def _show(aws: Aws, found: managed_flink.Status) -> None:
    _out.print(
        f"{found.name}: {found.status.lower()}, version {found.version}, parallelism {found.parallelism}, "
        f"{f'newest snapshot {found.snapshots[-1]}' if found.snapshots else 'no snapshot'}"
    )
    if found.status == "RUNNING" and (url := managed_flink.dashboard(aws, found.name)):
        _out.print(f"Flink's dashboard, valid for an hour: {url}")


def _progress(status: str) -> None:
    _out.print(f"{status.lower().replace('_', ' ')} …")
