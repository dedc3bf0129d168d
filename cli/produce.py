"""`kda produce`: sends the records of an application's producer at a chosen rate, without Lambda."""

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

from base.aws import reason
from base.errors import KdaError
from cli import target
from cli.groups import Name, application
from cli.shown import plain
from console import sending
from console.resources import resources
from generator import sinks
from pipeline.application import Application

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def produce(
    name: Name,
    stream: Annotated[str | None, typer.Option(help="Kinesis stream. Default: the source's.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="Records per second.")] = 100,
    count: Annotated[int | None, typer.Option(min=1, help="Records in all. Default: until Ctrl-C.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Send the records of this many seconds.")
    ] = None,
    anomaly_share: Annotated[float, typer.Option(min=0, max=1, help="Share of anomalous records.")] = 0.05,
    anomaly_size: Annotated[
        float,
        typer.Option(min=1, max=1000, help="How many times higher their values are."),
    ] = 5,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same records.")] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="File for the injected anomalies that were sent, as JSON lines.")
    ] = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Send the records of an application's producer, some of them anomalous, as its Lambda function does.

    Example: kda produce trades --rate 200 --count 10000 --seed 1 --ledger anomalies.jsonl
    """
    try:
        chosen = application(name)
        make, own = _producer(chosen)
    except KdaError as error:
        _err.print(plain(f"kda produce: {error}", 2000), style="red")
        raise typer.Exit(2) from None
    sink = sinks.kinesis(target.choose(endpoint, aws).client("kinesis"), stream or own)
    if seconds is not None:
        count = min(count or sys.maxsize, max(1, round(rate * seconds)))
    sent = failed = injected = 0
    start = time.monotonic()

    def line() -> Text:
        took = max(time.monotonic() - start, 1e-9)
        return Text(
            f"{sent:,} records sent ({sent / took:,.0f}/s), {injected:,} of them anomalous, {failed:,} failed"
        )

    with ExitStack() as stack:
        file = stack.enter_context(ledger.open("w")) if ledger else None
        live = stack.enter_context(
            Live(console=_out, get_renderable=line, refresh_per_second=4, transient=True)
        )
        try:
            rng = random.Random(seed)  # noqa: S311
            for pairs, delivery in sending.produce(
                make, sink, rate, rng=rng, count=count, anomaly_share=anomaly_share, anomaly_size=anomaly_size
            ):
                sent, failed = sent + len(delivery.sent), failed + len(delivery.failed)
                arrived = {record.text for record in delivery.sent}
                for record, anomalous in pairs:
                    if anomalous and (text := json.dumps(record)) in arrived:
                        injected += 1
                        if file:
                            file.write(text + "\n")
                if delivery.fatal:
                    raise delivery.fatal
        except KeyboardInterrupt:
            pass  # the way to end it
        except (BotoCoreError, ClientError, KdaError) as error:
            live.stop()
            _err.print(plain(f"kda produce {chosen.name}: {reason(error)}", 500), style="red")
            raise typer.Exit(1) from error
    _out.print(line())
    if failed:
        raise typer.Exit(1)


def _producer(chosen: Application) -> tuple[sending.MakeRecords, str]:
    """An application's first producer, and the stream that it sends to."""
    sender = next((s for s in chosen.senders if s.producer), None)
    if sender is None:
        raise sending.SenderError(f"{chosen.name} has no producer among its senders: see `kda generate`")
    stream = resources(chosen).stream_of(sender.source)
    return sending.producer(str(sender.producer)), stream or "not-set"
