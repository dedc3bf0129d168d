"""`kda`: every command, mounted."""

import typer

from cli import local, produce, shards

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="What Kinesis Data Analytics for SQL did, on Apache Flink.",
)
app.add_typer(local.app, name="local")
app.add_typer(produce.app, name="produce")
app.command("shards")(shards.shards)

if __name__ == "__main__":
    app()
