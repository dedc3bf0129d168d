"""`kda items`: shows the newest items of an application's DynamoDB tables."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from base.aws import reason
from base.errors import KdaError
from cli import target
from cli.groups import application
from cli.shown import plain
from console.pollers import items_of, key_of, newest_by, tables_of
from console.resources import resources

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)
_MOST_READ = 1_000_000


def items(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[APPLICATION]", help="A name from `kda list`, or a folder: its tables."),
    ] = None,
    table: Annotated[str | None, typer.Option(help="This DynamoDB table instead.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Items to show.")] = 20,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Show the newest items of an application's tables, sorted by the first column that holds times.

    The tables are its DynamoDB destinations and those that its functions use. Each is read as a whole.

    Example: kda items sessions --limit 5
    """
    if (name is None) == (table is None):
        raise typer.BadParameter("name either an APPLICATION or a --table")
    where = target.choose(endpoint, aws)
    services = cache(where.client)
    try:
        tables = [table] if table else _tables(str(name), services)
    except KdaError as error:
        _err.print(plain(f"kda items: {error}", 2000), style="red")
        raise typer.Exit(2) from None
    except (BotoCoreError, ClientError) as error:
        _err.print(plain(f"kda items: {name}: {reason(error)}", 500), style="red")
        raise typer.Exit(1) from error
    for each in tables:
        try:
            key = key_of(services("dynamodb"), each)
            found = items_of(services("dynamodb"), each, _MOST_READ)
        except (BotoCoreError, ClientError) as error:
            _err.print(plain(f"kda items: table {each}: {reason(error)}", 500), style="red")
            raise typer.Exit(1) from error
        newest = sorted(found, key=lambda item: (newest_by(item), item.get(key, "")), reverse=True)[:limit]
        _out.print(_as_table(newest, key))
        typer.echo(f"{len(newest):,} of {len(found):,} items of {each}")


def _tables(name: str, services: Callable[[str], Any]) -> list[str]:
    chosen = application(name)
    tables = [table for to in resources(chosen).targets for table in tables_of(to, services)]
    if not tables:
        _err.print(plain(f"kda items: {chosen.name} writes to no table"), style="red")
        raise typer.Exit(1)
    return tables


def _as_table(rows: Sequence[Mapping[str, str]], key: str) -> Table:
    """Make a table with the key first, then the other columns by name."""
    names = [key, *sorted({name for row in rows for name in row} - {key})]
    table = Table()
    for name in names:
        table.add_column(plain(name), overflow="fold")
    for row in rows:
        table.add_row(*(plain(row.get(name, ""), 2000) for name in names))
    return table
