"""`kda discover`: infers the schema of a stream from a sample of its records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from base.aws import Aws
from base.errors import KdaError
from cli import target
from cli.shown import plain
from discovery import sampling
from discovery.output import as_text, input_schema, source_yaml
from discovery.schema import Schema, discover
from infra.stream_reader import StreamRecord

_out = Console()
_err = Console(stderr=True, soft_wrap=True)
#: Columns per table of sampled rows; wider rows are shown in several tables.
_ROW_COLUMNS = 8


def discover_stream(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="Kinesis stream.")],
    records: Annotated[int, typer.Option(min=1, max=10_000, help="Most records to sample.")] = 100,
    seconds: Annotated[float, typer.Option(min=0.1, max=900, help="Longest time to wait for them.")] = 10,
    since: Annotated[
        float, typer.Option(min=0, max=365 * 86400, help="Also take records of this many past seconds.")
    ] = 300,
    rows: Annotated[int, typer.Option(min=0, max=1000, help="Sampled rows to show.")] = 5,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.yaml", dir_okay=False, help="Write the schema as an application's source."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the schema as DiscoverInputSchema returns it.")
    ] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Infer a stream's columns, types and record paths, and show them with the sampled rows.

    Example: kda discover Demo-samples --records 200 --save source.yaml
    """
    where = target.choose(endpoint, aws)
    try:
        sampled = sample(where, stream, records, seconds, since)
        schema = discover([record.data for record in sampled])
        if save:
            save.write_text(f"sources:\n{source_yaml(schema, relation(save.stem), stream)}", encoding="utf-8")
    except (KdaError, OSError) as error:
        _err.print(plain(f"kda discover: {error}", 1000), style="red")
        raise typer.Exit(1) from None
    if as_json:
        answer = input_schema(schema, [record.data for record in sampled])
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    _show(schema, sampled, rows)
    if save:
        _out.print(f"saved: {save}", soft_wrap=True, highlight=False)


def sample(aws: Aws, stream: str, records: int, seconds: float, since: float) -> list[StreamRecord]:
    """See :func:`discovery.sampling.sample`."""
    return sampling.sample(aws.client("kinesis"), stream, records, seconds, since)


def relation(name: str) -> str:
    """Turn a name into a valid name of a relation.

    Examples
    --------
    >>> relation("Demo-samples"), relation("2024")
    ('demo_samples', 'source_2024')
    """
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name.lower())
    return name if name[:1].isalpha() else f"source_{name}"


def _show(schema: Schema, sampled: list[StreamRecord], rows: int) -> None:
    took = f"{(sampled[-1].arrival - sampled[0].arrival).total_seconds():.1f} s"
    kind = "JSON" if schema.format == "JSON" else f"values separated by {schema.delimiter!r}"
    kind += f", row path {schema.row_path}" if schema.row_path != "$" else ""
    kind += ", with header lines" if schema.header else ""
    _out.print(f"{kind}: {len(sampled):,} records of {took}, {len(schema.rows):,} rows", highlight=False)
    table = Table("column", "type", "record path", "samples", "of another form")
    for column in schema.columns:
        below = column.others_below
        table.add_row(
            plain(column.name),
            column.type,
            plain(column.path),
            f"{column.present:,} of {column.records:,}",
            f"below {below:.1%}" if below < 1 else "unknown",
        )
    _out.print(table)
    # Below the table: a sixth column would leave no room for an expression that can be copied.
    for column in schema.columns:
        if column.note:
            _out.print(plain(f"{column.name}: {column.note}"), soft_wrap=True)
    for first in range(0, len(schema.columns) if rows else 0, _ROW_COLUMNS):
        part = schema.columns[first : first + _ROW_COLUMNS]
        table = Table()
        for column in part:
            table.add_column(plain(column.name, 30))
        for row in schema.rows[-rows:]:
            table.add_row(*(plain(as_text(row.get(column.name)), 40) for column in part))
        _out.print(table)
    for reason in schema.left_out:
        _out.print(plain(f"left out: {reason}"), style="yellow")
    if schema.refused:
        reason, record = schema.refused[0]
        count = f"{len(schema.refused):,} records don't" if len(schema.refused) > 1 else "1 record doesn't"
        _out.print(plain(f"{count} fit; the first: {reason}: {record[:60]!r}"), style="yellow")
