"""`kda items`: the newest sessions in the table."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli import target
from cli.shown import reason
from infra.clients import client

_out = Console(soft_wrap=True)
# The key and what the labs order by come first, whatever else an item has.
_FIRST_COLUMNS = ("session_id", "session_time", "user_id")


def items(
    table: Annotated[str, typer.Option(help="DynamoDB table.")] = "CloudAcademyLabs",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Items to show.")] = 20,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Show a table's newest items, by session_time.

    It reads the whole table: meant for the labs' small ones.

    Example: kda items --limit 5
    """
    dynamodb = client("dynamodb", target.choose(endpoint, aws))
    found: list[Mapping[str, Any]] = []
    try:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            found += page["Items"]
    except (BotoCoreError, ClientError) as error:
        typer.echo(f"kda items: table {table}: {reason(error)}", err=True)
        raise typer.Exit(1) from error
    newest = sorted((_plain(item) for item in found), key=_newest_last, reverse=True)[:limit]
    _out.print(_as_table(newest))
    typer.echo(f"{len(newest):,} of {len(found):,} items of {table}")


def _plain(item: Mapping[str, Any]) -> dict[str, str]:
    """Turn ``{"session_id": {"S": "x"}}`` into ``{"session_id": "x"}``."""
    return {name: str(next(iter(value.values()))) for name, value in item.items()}


def _newest_last(item: Mapping[str, str]) -> tuple[str, str]:
    return item.get("session_time", ""), item.get("session_id", "")


def _as_table(rows: Iterable[Mapping[str, str]]) -> Table:
    rows = list(rows)
    others = sorted({name for row in rows for name in row} - set(_FIRST_COLUMNS))
    table = Table()
    for name in (*_FIRST_COLUMNS, *others):
        table.add_column(_printable(name), overflow="fold")
    for row in rows:
        table.add_row(*(_printable(row.get(name, "")) for name in (*_FIRST_COLUMNS, *others)))
    return table


def _printable(text: str) -> Text:
    """Show a stranger's text as it is: no markup, and no control characters for the terminal."""
    return Text("".join(character if character.isprintable() else "\ufffd" for character in text))
