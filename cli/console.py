"""`kda console`: the operator's page."""

from __future__ import annotations

import secrets
import socket
import sys
from typing import Annotated, Any

import typer
import uvicorn
from jobs.catalog import job
from rich.console import Console

from cli import target
from cli.shown import plain
from console.desk import Desk
from console.guard import is_loopback
from console.jobs import Job, LocalJob
from console.labs import LABS, Lab
from console.managed import ManagedJob
from console.server import application
from infra import managed_flink
from infra.clients import client
from infra.paths import STATE

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def console(
    host: Annotated[
        str, typer.Option(help="Address to bind to; elsewhere than loopback asks for a token.")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8900,
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property", "-p", metavar="LAB.GROUP.KEY=VALUE", help="A property of a lab's job; repeatable."
        ),
    ] = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Serve the operator's page until Ctrl-C: flow, rows, charts, senders, messages, errors, the job's state.

    Jobs that were started there end with it, each with a savepoint.

    With --aws the jobs are the managed service's applications, which kda deploy made; they go on.

    Example: kda console --port 8900
    """
    where = target.choose(endpoint, aws)
    given = _by_lab(properties or [])
    if where is None and properties:
        raise typer.BadParameter("with --aws a job's properties are the application's: kda deploy up -p …")
    desks = {
        lab.name: Desk(lab, lambda service: client(service, where), _job(lab, where, given[lab.name]))
        for lab in LABS.values()
    }
    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    listening = _bound(host, port)
    shown_host = f"[{host}]" if ":" in host else host
    address = f"http://{shown_host}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else "")
    _out.print(f"The console is at {address} ; Ctrl-C ends it.", highlight=False)
    config = uvicorn.Config(
        application(desks, host, token),
        log_level="warning",
        # The address of the first request holds the token.
        access_log=False,
        server_header=False,
        # Open pages hold their event streams for ever.
        timeout_graceful_shutdown=1,
        limit_concurrency=200,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _job(lab: Lab, endpoint: str | None, properties: list[str]) -> Job:
    if endpoint is None:
        return ManagedJob(managed_flink.application_name(job(lab.name).name), None, lab.input)
    command = [sys.executable, "-m", "cli.main", "run", lab.name, "--endpoint", endpoint]
    for assignment in [f"tap.stream={lab.taps}", *properties]:
        command += ["-p", assignment]
    return LocalJob(lab, job(lab.name).name, command, STATE / "console")


def _by_lab(properties: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in LABS}
    for assignment in properties:
        lab, _, rest = assignment.partition(".")
        if lab not in found or "=" not in rest:
            raise typer.BadParameter(
                f"required LAB.GROUP.KEY=VALUE, LAB one of {', '.join(LABS)}; got {assignment.partition('=')[0]}"
            )
        found[lab].append(rest)
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
            plain(f"kda console: {host}:{port}: {error.strerror or error}; name another with --port"),
            style="red",
        )
        raise typer.Exit(1) from None
    return listening
