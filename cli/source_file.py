"""A file of KDA SQL or of an application's description: what commands that take one ask for."""

from pathlib import Path
from typing import Annotated

import typer

#: Endings of files that `kda run` imports first.
SUFFIXES = (".sql", ".json", ".yaml", ".yml", ".template", ".tf")

SchemaFile = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="With a .sql file: the source's columns, an InputSchema as JSON (as `kda discover --json` prints it).",
    ),
]
Stream = Annotated[
    str | None,
    typer.Option(
        help="Kinesis stream to read. With a .sql file and no --schema, its columns are discovered from it."
    ),
]
