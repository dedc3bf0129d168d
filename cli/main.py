"""`kda`: every command, mounted."""

import typer

from cli import (
    backtest,
    check,
    console,
    demo,
    deploy,
    discover,
    generate,
    import_kda,
    items,
    local,
    new,
    package,
    produce,
    properties,
    record,
    report,
    run,
    shards,
    status,
    watch,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="What Kinesis Data Analytics for SQL did, on Apache Flink.",
)
app.command("demo")(demo.demo)
app.command("list")(run.list_jobs)
app.command("run")(run.run)
app.command("sql")(run.sql)
app.command("new")(new.new)
app.command("import")(import_kda.import_kda)
app.command("check")(check.check)
app.command("backtest")(backtest.backtest_recording)
app.command("properties")(properties.properties)
app.command("generate")(generate.generate)
app.command("status")(status.status)
app.command("watch")(watch.watch)
app.command("console")(console.console)
app.command("report")(report.report)
app.command("items")(items.items)
app.command("discover")(discover.discover_stream)
app.command("produce")(produce.produce)
app.command("record")(record.record)
app.command("shards")(shards.shards)
app.command("package")(package.package)
app.add_typer(local.app, name="local")
app.add_typer(deploy.app, name="deploy")

if __name__ == "__main__":
    app()
