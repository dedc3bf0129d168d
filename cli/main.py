"""The `kda` command: mounts all commands, and imports a command's module only when it is called."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, cast

import typer
import typer.core
import typer.main

#: Module and function (or app) of each command, in the order of the help.
COMMANDS = {
    "demo": ("demo", "demo"),
    "list": ("run", "list_jobs"),
    "run": ("run", "run"),
    "sql": ("run", "sql"),
    "new": ("new", "new"),
    "import": ("import_kda", "import_kda"),
    "check": ("check", "check"),
    "backtest": ("backtest", "backtest_recording"),
    "properties": ("properties", "properties"),
    "generate": ("generate", "generate"),
    "status": ("status", "status"),
    "watch": ("watch", "watch"),
    "console": ("console", "console"),
    "report": ("report", "report"),
    "items": ("items", "items"),
    "discover": ("discover", "discover_stream"),
    "produce": ("produce", "produce"),
    "record": ("record", "record"),
    "shards": ("shards", "shards"),
    "package": ("package", "package"),
    "local": ("local", "app"),
    "deploy": ("deploy", "app"),
}


class _Commands(Mapping[str, Any]):
    """Commands by name, imported on access: importing all takes a second, longer than most commands run."""

    def __getitem__(self, name: str) -> Any:
        module, function = COMMANDS[name]
        found = getattr(import_module(f"cli.{module}"), function)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            single = typer.Typer(add_completion=False)
            single.command()(found)
            command = typer.main.get_command(single)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Group(typer.core.TyperGroup):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = cast(Any, _Commands())


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="What Kinesis Data Analytics for SQL did, on Apache Flink.",
)


@app.callback()
def _kda() -> None:
    pass


if __name__ == "__main__":
    app()
