"""`kda produce`: a lab's records at a chosen rate, without Lambda."""

import json
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli import target
from cli.shown import reason
from infra.clients import client
from lambdas.stock_trades_producer import make_trades, put_trades

app = typer.Typer(no_args_is_help=True, help="Send a lab's records at a chosen rate.")
_out = Console(soft_wrap=True)
# Trades go out in batches of about this much time, so that a rate is met evenly.
_BATCH_SECONDS = 0.1
_BATCH_MOST = 500
# How long a batch may be refused by the stream before its rest counts as failed.
_PATIENCE_SECONDS = 30.0


@app.callback()
def _produce() -> None:
    """Send a lab's records at a chosen rate."""


@app.command()
def trades(
    stream: Annotated[str, typer.Option(help="Kinesis stream.")] = "Demo-samples",
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="Trades per second.")] = 100,
    count: Annotated[int | None, typer.Option(min=1, help="Trades in all. Default: until Ctrl-C.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="So many seconds' trades.")] = None,
    anomaly_share: Annotated[float, typer.Option(min=0, max=1, help="Share of anomalous trades.")] = 0.05,
    anomaly_size: Annotated[
        float,
        typer.Option(min=1, max=1000, help="How many times higher their price and quantity are."),
    ] = 5,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same trades.")] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="File for the injected anomalies that were sent, as JSON lines.")
    ] = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Send stock trades, some of them anomalous, as the Lambda function stock_trades_producer does.

    Example: kda produce trades --rate 200 --count 10000 --seed 1 --ledger anomalies.jsonl
    """
    kinesis = client("kinesis", target.choose(endpoint, aws))
    rng = random.Random(seed)  # noqa: S311
    if seconds is not None:
        count = min(count or sys.maxsize, max(1, round(rate * seconds)))
    batch = max(1, min(_BATCH_MOST, round(rate * _BATCH_SECONDS)))
    made = failed = injected = 0
    start = time.monotonic()

    def line() -> Text:
        took = max(time.monotonic() - start, 1e-9)
        return Text(
            f"{made - failed:,} trades sent ({(made - failed) / took:,.0f}/s), "
            f"{injected:,} of them anomalous, {failed:,} failed"
        )

    with ExitStack() as stack:
        file = stack.enter_context(ledger.open("w")) if ledger else None
        live = stack.enter_context(
            Live(console=_out, get_renderable=line, refresh_per_second=4, transient=True)
        )
        try:
            while count is None or made < count:
                size = batch if count is None else min(batch, count - made)
                time.sleep(max(0.0, start + made / rate - time.monotonic()))
                pairs = make_trades(rng, made + 1, size, anomaly_share, anomaly_size)
                deadline = time.monotonic() + _PATIENCE_SECONDS
                unsent = put_trades(
                    kinesis,
                    stream,
                    [trade for trade, _ in pairs],
                    lambda deadline=deadline: deadline - time.monotonic(),  # type: ignore[misc]
                )
                lost = {trade["id"] for trade in unsent}
                for trade, anomalous in pairs:
                    if anomalous and trade["id"] not in lost:
                        injected += 1
                        if file:
                            file.write(json.dumps(trade) + "\n")
                made += size
                failed += len(lost)
        except KeyboardInterrupt:
            pass  # the way to end it
        except (BotoCoreError, ClientError) as error:
            live.stop()
            typer.echo(f"kda produce trades: {reason(error)}", err=True)
            raise typer.Exit(1) from error
    _out.print(line())
    if failed:
        raise typer.Exit(1)
