"""`kda console`: the operator's page."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console

from base.aws import Aws
from base.errors import KdaError
from cli import target
from cli.groups import application
from cli.shown import plain
from console import deployments
from console.controller import Controller
from console.deployments import Deployments
from console.guard import is_loopback
from console.job_view import Job
from console.jobs import KDA, LocalJob
from console.managed import ManagedJob
from console.previews import Previews
from console.resources import resources
from console.server import page_of
from console.standby import Standby
from console.workbench import Workbench
from infra import managed_flink
from infra.paths import APPLICATIONS, STATE
from pipeline.application import Application, read
from pipeline.catalog import paths
from pipeline.settings import override
from workbench.store import Store

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def console(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[APPLICATION]...",
            help="Names out of `kda list`, or folders with an application.yaml. Default: all of `kda list`.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to bind to; an address other than loopback requires a token.")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8900,
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property", "-p", metavar="APPLICATION.GROUP.KEY=VALUE", help="A property; repeatable."
        ),
    ] = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Serve the operator's page until Ctrl-C: flow, rows, charts, senders, results, errors, the job's state.

    Jobs that were started on the page are stopped with it, each with a savepoint.

    With --aws the jobs are the managed service's applications, made by kda deploy; they keep running.

    Example: kda console --port 8900
    """
    if aws and properties:
        raise typer.BadParameter("not with --aws: set properties with kda deploy update -p …")
    where = target.choose(endpoint, aws)
    chosen = _applications(names or [])
    given = _by_application(properties or [], chosen)
    workbench = _workbench(chosen, where, given)
    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    listening = _bound(host, port)
    shown_host = f"[{host}]" if ":" in host else host
    address = f"http://{shown_host}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else "")
    _out.print(f"The console is at {address} ; Ctrl-C ends it.", highlight=False)
    config = uvicorn.Config(
        page_of(workbench, host, token),
        log_level="warning",
        # The URL of the first request has the token.
        access_log=False,
        server_header=False,
        # Open pages never close their event streams.
        timeout_graceful_shutdown=1,
        limit_concurrency=200,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _applications(names: list[str]) -> dict[str, Application]:
    """The applications of names or folders; without any, all that can be read, with a warning for the others."""
    found: dict[str, Application] = {}
    try:
        for chosen in map(application, names):
            if chosen.name in found:
                raise typer.BadParameter(f"two applications are called {chosen.name}: name one of them")
            found[chosen.name] = chosen
    except KdaError as error:
        _err.print(plain(f"kda console: {error}", 2000), style="red")
        raise typer.Exit(2) from None
    if names:
        return found
    for path in paths(APPLICATIONS):
        try:
            chosen = read(path)
            found[chosen.name] = chosen
        except KdaError as error:
            _err.print(plain(f"kda console: left out: {error}", 2000), style="yellow")
    return found


def _workbench(chosen: dict[str, Application], aws: Aws, given: dict[str, list[str]]) -> Workbench:
    store = Store(STATE / "workbench", APPLICATIONS)
    standby = Standby(aws.endpoint)

    def assignments(name: str) -> list[str]:
        return [*given.get(name, ()), *(f"{k}={v}" for k, v in store.properties(name).items())]

    def groups(name: str) -> dict[str, dict[str, str]]:
        return override({}, assignments(name))

    def make(a: Application) -> Controller:
        job = _job(a, aws, lambda: assignments(a.name), standby)
        return Controller(a, aws.client, job, groups(a.name))

    def previewed(a: Application, properties: Iterable[str]) -> LocalJob:
        return _local(a, str(aws.endpoint), lambda: properties, standby)

    previews = Previews(aws.client, store.folder / ".previews", previewed if aws.endpoint else None)

    def deployed(a: Application) -> list[str]:
        return deployments.command(a, assignments(a.name))

    deploying = Deployments(STATE / "console", None if aws.endpoint else deployed)
    # Applications made on the page are added by the workbench, in their newest version, named or not.
    controllers = {name: make(a) for name, a in chosen.items() if name not in store}
    return Workbench(controllers, store, aws.client, make, groups, previews, standby, deploying)


def _job(chosen: Application, aws: Aws, assignments: Callable[[], Iterable[str]], standby: Standby) -> Job:
    if aws.endpoint is None:
        stream = resources(chosen).stream_of(None) or ""
        return ManagedJob(managed_flink.application_name(chosen.name), aws, stream)

    return _local(chosen, aws.endpoint, assignments, standby)


def _local(
    chosen: Application, endpoint: str, assignments: Callable[[], Iterable[str]], standby: Standby
) -> LocalJob:
    def command() -> list[str]:
        # By folder, as a name may be ambiguous. Of an application made on the page it is a link to the newest version.
        found = [*KDA, "run", str(chosen.folder.absolute()), "--tap"]
        return [*found, "--endpoint", endpoint, *(word for a in assignments() for word in ("-p", a))]

    return LocalJob(chosen.name, command, STATE / "console", spare=standby.become)


def _by_application(properties: list[str], chosen: dict[str, Application]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in chosen}
    for assignment in properties:
        name, _, rest = assignment.partition(".")
        if name not in found or "=" not in rest:
            raise typer.BadParameter(
                f"required APPLICATION.GROUP.KEY=VALUE, APPLICATION one of {', '.join(found)}; "
                f"got {assignment.partition('=')[0]}"
            )
        found[name].append(rest)
    return found


def _bound(host: str, port: int) -> socket.socket:
    family: Any = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        _err.print(
            plain(f"kda console: {host}:{port}: {error.strerror or error}; choose another with --port"),
            style="red",
        )
        raise typer.Exit(1) from None
    return listening
