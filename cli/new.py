"""`kda new`: writes a folder with a new application for a stream, from its records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from base.errors import KdaError
from cli import target
from cli.discover import relation, sample
from cli.shown import plain
from discovery.output import source_yaml
from discovery.schema import Schema, discover
from pipeline.application import ApplicationError, read

_out = Console(soft_wrap=True, highlight=False)
_err = Console(stderr=True, soft_wrap=True)
_NUMERIC = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE")
_ANOMALIES = """\
-- Rows that score above the threshold, as soon as they are scored.
SELECT *
FROM scores
WHERE anomaly_score > :anomalies.threshold
"""
_MINUTES = """\
-- Number of rows: one row for each minute that has any, when the minute is over.
SELECT window_start, COUNT(*) AS number_of_rows, window_time AS rowtime
FROM TABLE(TUMBLE(TABLE `{source}`, DESCRIPTOR(rowtime), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, window_time
"""


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the folder to make, or a path to it.")],
    stream: Annotated[str, typer.Option(help="Kinesis stream to read.")],
    forest: Annotated[
        str | None, typer.Option(metavar="COLUMN,COLUMN", help="Score these columns by a random cut forest.")
    ] = None,
    detector: Annotated[
        bool,
        typer.Option("--detector", help="With --forest: deliver alerts, one per anomaly."),
    ] = False,
    records: Annotated[int, typer.Option(min=1, max=10_000, help="Most records to sample.")] = 100,
    seconds: Annotated[float, typer.Option(min=0.1, max=900, help="Longest time to wait for them.")] = 10,
    since: Annotated[
        float, typer.Option(min=0, max=365 * 86400, help="Also take records of this many past seconds.")
    ] = 300,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Sample a stream's records and write an application that reads them: its description and SQL.

    Example: kda new fleet --stream fleet-telemetry --forest speed,fuel
    """
    folder = Path(name)
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ApplicationError(f"{folder}: required a folder that does not exist yet or is empty")
        schema = discover(
            [r.data for r in sample(target.choose(endpoint, aws), stream, records, seconds, since)]
        )
        if detector and not forest:
            raise ApplicationError("--detector: required --forest, the columns to watch, got none")
        files = folder_of(schema, folder.name, stream, _columns(schema, forest), detector)
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        made = read(folder)
    except (KdaError, OSError) as error:
        _err.print(plain(f"kda new: {error}", 1000), style="red")
        raise typer.Exit(1) from None
    for file in files:
        _out.print(Text(f"{folder / file}"))
    for column in schema.columns:
        if column.note:
            _out.print(Text(f"  {column.name}: {column.note}", style="yellow"))
    where = name if "/" in name else f"./{name}"
    _out.print(f"{made.title}: `kda check {where}` checks it, `kda run {where} --tap` runs it.")


def folder_of(
    schema: Schema, name: str, stream: str, scored: tuple[str, ...], detector: bool = False
) -> dict[str, str]:
    """Write the files of an application: its description, and one query if it has no detector.

    Parameters
    ----------
    schema : Schema
        Schema of the stream's records.
    name : str
        Name of the application.
    stream : str
        Name of the stream.
    scored : tuple of str
        Columns to score by a forest; empty: rows are counted per minute instead.
    detector : bool
        Deliver a detector's alerts instead of each row above a threshold.
    """
    source, view = relation(stream), "alerts" if detector else "anomalies" if scored else "by_minute"
    if source in (view, "scores", "detections"):
        source = f"source_{source}"
    title = f"{name}: anomalies of {', '.join(scored)}" if scored else f"{name}: rows by the minute"
    target_stream = f"{name}-{view.replace('_', '-')}"
    lines = [
        f"title: {json.dumps(title)}",
        "",
        "sources:",
        source_yaml(schema, source, stream),
        *(["detector: on  # alerts beside the scores", ""] if detector else []),
        "relations:",
    ]
    if scored:
        lines += ["  - forest: scores", f"    of: {source}", f"    columns: {json.dumps(list(scored))}"]
    lines += [
        *([] if detector else [f"  - {view}  # {view}.sql"]),
        "",
        "destinations:",
        f"  - {{of: {view}, type: kinesis, stream: {json.dumps(target_stream)}}}",
    ]
    if detector:
        return {"application.yaml": "\n".join(lines) + "\n"}
    if scored:
        lines += [
            "",
            "properties:",
            "  anomalies:",
            "    threshold: {default: 2.0, minimum: 0, help: rows that score above it are anomalies}",
        ]
    query = _ANOMALIES if scored else _MINUTES.format(source=source)
    return {"application.yaml": "\n".join(lines) + "\n", f"{view}.sql": query}


def _columns(schema: Schema, forest: str | None) -> tuple[str, ...]:
    asked = tuple(c.strip() for c in (forest or "").split(",") if c.strip())
    numeric = [c.name for c in schema.columns if c.type.partition("(")[0].upper() in _NUMERIC]
    for column in asked:
        if column not in numeric:
            raise ApplicationError(
                f"--forest: {column} must be one of the numbers {', '.join(numeric) or '(none)'}"
            )
    return asked
