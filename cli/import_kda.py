"""`kda import`: translates an application of KDA SQL, from its SQL or description, into a folder that runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from base.errors import KdaError
from cli import target
from cli.discover import sample
from cli.shown import plain
from cli.source_file import SchemaFile, Stream
from discovery.output import input_schema
from discovery.schema import discover
from infra.paths import APPLICATIONS
from kda_sql.description import Described, DescriptionError, Schema, schema_of
from kda_sql.errors import KdaSqlError
from kda_sql.importing import read, read_schema
from kda_sql.report import not_translated, summary
from kda_sql.translate import Translation, translate, write
from pipeline.application import ApplicationError
from pipeline.application import read as read_application

_out = Console(soft_wrap=True, highlight=False)
_err = Console(stderr=True, soft_wrap=True, highlight=False)


def import_kda(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A .sql file; the JSON of describe-application; a CloudFormation template; a Terraform file.",
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="A folder that does not exist yet or is empty.")],
    stream: Stream = None,
    schema: SchemaFile = None,
    detector: Annotated[
        bool,
        typer.Option("--detector", help="Add a relation `alerts` beside the scores: one row per anomaly."),
    ] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Translate a KDA SQL application into one that runs here, and report how each statement was translated.

    Example: kda import describe-application.json --to fleet
    """
    try:
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise DescriptionError(f"{to}: required a folder that does not exist yet or is empty")
        found = described(source, stream, schema, endpoint, aws)
        made = [
            (each, folder, written(each, folder, detector))
            for each, folder in zip(found, _folders(to, found), strict=True)
        ]
    except (KdaError, OSError) as error:
        raise refused(error) from None
    for each, folder, translation in made:
        _reported(each, folder, translation)


def described(
    source: Path, stream: str | None, schema: Path | None, endpoint: str | None, aws: bool
) -> list[Described]:
    """Read the applications of a file; a ``.sql`` file's columns come from `schema`, or from `stream`'s records."""
    columns: Schema | None = read_schema(schema) if schema else None
    if source.suffix.lower() == ".sql" and columns is None and stream:
        records = [r.data for r in sample(target.choose(endpoint, aws), stream, 100, 10, 300)]
        columns = schema_of(input_schema(discover(records), records)["InputSchema"], stream)
    return read(source, columns, stream)


def written(application: Described, folder: Path, detector: bool = False) -> Translation:
    """Translate an application into a folder, and check that the folder can be read."""
    translation = translate(application)
    if detector and not any(step.kind == "forest" for step in translation.plan.steps):
        raise ApplicationError(f"--detector: required a RANDOM_CUT_FOREST in {application.name}, got none")
    write(translation, folder, detector)
    read_application(folder)
    return translation


def imported(source: Path, stream: str | None, schema: Path | None, endpoint: str | None, aws: bool) -> Path:
    """Import an application to run at once, and return its folder, which is replaced if it was imported before.

    Raises
    ------
    ValueError
        The file can't be imported, or describes several applications.
    """
    found = described(source, stream, schema, endpoint, aws)
    if len(found) > 1:
        names = ", ".join(d.name for d in found)
        raise DescriptionError(
            f"{source}: describes {names}: `kda import {source} --to FOLDER` makes a folder of each"
        )
    folder = APPLICATIONS / found[0].name
    if folder.exists() and not (folder / "MIGRATION.md").exists():
        raise DescriptionError(
            f"{folder}: an application that was not imported has this name: rename the file"
        )
    shutil.rmtree(folder, ignore_errors=True)
    _reported_red(written(found[0], folder))
    return folder


def refused(error: Any) -> typer.Exit:
    """Print why an import failed, and return the exit."""
    if isinstance(error, KdaSqlError):
        # Carets must stay below what they point at: lines may not be wrapped or shortened.
        shown = Text("\n").join(plain(line, 1000) for line in str(error).splitlines())
        _err.print(shown, style="red", soft_wrap=True)
    else:
        _err.print(plain(f"kda import: {error}", 2000), style="red")
    return typer.Exit(1)


def _reported_red(translation: Translation) -> None:
    """Print the statements that are not translated; the rest runs."""
    found = not_translated(translation)
    if found:
        _err.print(Text("Not translated and left out:", style="bold red"))
        # Carets must stay below what they point at: lines may not be wrapped or shortened.
        _err.print(
            Text("\n").join(plain(line, 1000) for line in found.splitlines()), style="red", soft_wrap=True
        )


def _folders(to: Path, found: Sequence[Described]) -> list[Path]:
    return [to] if len(found) == 1 else [to / each.name for each in found]


def _reported(application: Described, folder: Path, translation: Translation) -> None:
    _out.print(Text(f"{application.name}: {summary(translation, str(folder / 'MIGRATION.md'))}"))
    _reported_red(translation)
    for pump in translation.program.pumps:
        for note in translation.plan.notes[pump.name]:
            _out.print(Text(f"  {pump.name}: {note}", style="yellow"))
    for statement, why in translation.program.left_out:
        _out.print(Text(f"  line {statement.line} is not translated: {why}", style="yellow"))
    for note in translation.notes:
        _out.print(Text(f"  {note}", style="yellow"))
    where = folder if "/" in str(folder) else f"./{folder}"
    _out.print(Text(f"`kda check {where}` checks it, `kda run {where} --tap` runs it."))
