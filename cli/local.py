"""`kda local`: runs the local AWS with the stacks of the applications' resources."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer
from botocore.exceptions import ClientError
from rich.console import Console
from rich.text import Text

from base.aws import Aws
from base.errors import KdaError
from cli import target
from cli.groups import application
from cli.shown import plain
from infra import local, stacks
from pipeline.application import Application
from pipeline.catalog import all_applications

app = typer.Typer(no_args_is_help=True, help="The local AWS that the applications' stacks are deployed to.")
_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[APPLICATION]...",
        help="Further applications, by name or folder, beside those of `jobs/`.",
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on the loopback interface; 0: any free one.")]


@contextlib.contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Print an expected error in one line, and exit with code 1."""
    try:
        yield
    except KdaError as error:
        _err.print(Text(f"kda local: {error}", style="red"))
        raise typer.Exit(1) from error


@app.command()
def up(names: Names = None, port: Port = 0) -> None:
    """Start the local AWS in the background and deploy the applications' stacks.

    If it runs already, the stacks are brought up to date.

    Example: kda local up --port 4566
    """
    with _errors_in_one_line(), local.lock(local.DATA):
        chosen = _chosen(names)
        started = local.start(port, local.DATA)
        if started.remains_ended:
            _out.print(
                "Found the remains of a local AWS that was killed, and ended them (processes "
                f"{', '.join(map(str, started.remains_ended))}). Its S3 objects are kept, its streams are lost."
            )
        try:
            _deploy(Aws.local(started.endpoint), chosen)
        except KeyboardInterrupt:
            if not started.already_running:
                local.end(local.DATA)
            raise
        state = "runs already" if started.already_running else "is up"
        _out.print(f"The local AWS {state} at {started.endpoint} with the stacks of {', '.join(chosen)}.")


@app.command()
def stream(
    name: Annotated[str, typer.Argument(metavar="STREAM", help="Name of the stream to create.")],
    shards: Annotated[int, typer.Option(min=1, max=100, help="Number of shards.")] = 1,
) -> None:
    """Create an empty Kinesis stream in the running local AWS.

    Example: kda local stream fleet-telemetry
    """
    kinesis = target.choose(None, False).client("kinesis")
    try:
        kinesis.create_stream(StreamName=name, ShardCount=shards)
    except ClientError as error:
        _err.print(plain(f"kda local: {error.response['Error']['Message']}", 500), style="red")
        raise typer.Exit(1) from None
    _out.print(f"Stream {name} is created: kda generate … --to stream:{name}")


@app.command()
def status() -> None:
    """Show whether the local AWS runs, and its stacks' resources. Exit code 1: it doesn't run.

    Example: kda local status
    """
    with _errors_in_one_line():
        endpoint = local.find(local.DATA)
        if endpoint is None:
            remains = local.processes(local.DATA)
            if remains:
                _out.print(
                    f"The local AWS is dead, but its processes {sorted(remains)} are left: "
                    "`kda local up` or `kda local down` ends them."
                )
            else:
                _out.print("The local AWS does not run: start it with `kda local up`.")
            raise typer.Exit(1)
        _out.print(f"The local AWS runs at {endpoint}.")
        for stack, made in sorted(stacks.deployed(Aws.local(endpoint)).items()):
            _out.print(f"{stack}:")
            for name, value in sorted(made.items()):
                # Not wrapped, so that it can be copied.
                _out.print(f"  {name:<{max(map(len, made), default=0)}}  {value}", soft_wrap=True)


@app.command()
def reset(names: Names = None, port: Port = 0) -> None:
    """Delete everything in the local AWS and restart it with new stacks.

    If it runs, it keeps its port.

    Example: kda local reset
    """
    with _errors_in_one_line(), local.lock(local.DATA):
        chosen = _chosen(names)
        running = local.find(local.DATA)
        local.remove(local.DATA)
        started = local.start(port or (int(running.rpartition(":")[2]) if running else 0), local.DATA)
        _deploy(Aws.local(started.endpoint), chosen)
        _out.print(f"The local AWS is empty and up at {started.endpoint}.")


@app.command()
def down() -> None:
    """Stop the local AWS and delete its data.

    Example: kda local down
    """
    with _errors_in_one_line(), local.lock(local.DATA):
        ended = local.remove(local.DATA)
        _out.print("The local AWS is down." if ended else "The local AWS did not run; nothing is left of it.")


def _chosen(names: list[str] | None) -> dict[str, Application]:
    """The project's applications and the named ones."""
    return {a.name: a for a in (*all_applications(), *map(application, names or []))}


def _deploy(aws: Aws, chosen: dict[str, Application]) -> None:
    for each in chosen.values():
        try:
            stacks.deploy(aws, each, tell=_out.print)
        except stacks.LossError as loss:  # the resources of a job with other properties, which may be running
            _out.print(f"{loss}: the stack is not changed. `kda local reset` makes all stacks anew.")
