"""`kda generate`: sends records from KDG templates at a rate to a stream, a delivery stream or a file."""

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from base.errors import KdaError
from cli import target
from cli.groups import application
from console.resources import resources
from console.sending import SenderError, senders_of
from generator import runner, scenario, sinks
from pipeline.application import ApplicationError

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)
_RATE_OVER_SECONDS = 5.0
_TARGETS = "stream:NAME, firehose:NAME, file:PATH or null"


def generate(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[APPLICATION]",
            help="A name from `kda list`, or a folder: its senders send to its source.",
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(help=f"Template file, or one of {', '.join(scenario.names('templates'))}."),
    ] = None,
    scenario_name: Annotated[
        str | None,
        typer.Option(
            "--scenario", help=f"Scenario file, or one of {', '.join(scenario.names('scenarios'))}."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help=f"Where to: {_TARGETS}. Default: the scenario's own.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Records per second. Default: 1.")] = None,
    seconds: Annotated[float | None, typer.Option(help="End after so many seconds. Default: Ctrl-C.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many records.")] = None,
    speed: Annotated[
        float, typer.Option(help="Multiply rates and divide durations by this; inf: as fast as possible.")
    ] = 1.0,
    compressed: Annotated[
        bool, typer.Option("--gzip", help="Compress each record (file: the file) with gzip.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Show 5 records, send nothing.")] = False,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same records.")] = None,
    start: Annotated[
        datetime | None,
        typer.Option(help="Simulated time (date.simTime) at the start. Default: so that it ends now."),
    ] = None,
    event_time: Annotated[
        str, typer.Option(help="Clock of date.simTime: simulated (runs with --speed) or wall.")
    ] = "simulated",
    ledger: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write each record that was sent to this file.")
    ] = None,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Send records made from a template of the Kinesis Data Generator, or from a scenario of several templates.

    With a scenario of one sender, --template and --rate replace the sender's. Exit code 1: a record failed.

    Example: kda generate ctr --seconds 60

    Example: kda generate --scenario ctr-burst

    Example: kda generate --template click --rate 5 --seconds 60 --to stream:ctr-clickstream

    Example: kda generate --scenario clickstream --count 5 --preview
    """
    if not speed > 0:
        raise typer.BadParameter(f"must be above 0, got {speed:g}", param_hint="--speed")
    if event_time not in ("simulated", "wall"):
        raise typer.BadParameter(f"must be simulated or wall, got {event_time}", param_hint="--event-time")
    try:
        chosen = _scenario(name, template, scenario_name, rate, seconds, count)
        if preview:
            for name, records in runner.preview(chosen, seed=seed).items():
                _out.print(Text(name, style="bold"))
                _out.print(Text("\n".join(records)))
            return
        sink = _sink(to or chosen.to, compressed, endpoint, aws)
        try:
            counts = _run(
                chosen,
                sink,
                speed=speed,
                seed=seed,
                start=start.astimezone() if start else None,
                event_time="wall" if event_time == "wall" else "simulated",
                ledger=ledger,
            )
        finally:
            sink.close()
    except (ApplicationError, SenderError) as error:
        _err.print(Text(f"kda generate: {error}", style="red"))
        raise typer.Exit(2) from error
    except (KdaError, OSError, OverflowError) as error:
        _err.print(Text(f"kda generate: {error}", style="red"))
        raise typer.Exit(1) from error
    if counts.failed:
        raise typer.Exit(1)


def _scenario(
    application_name: str | None,
    template: str | None,
    name: str | None,
    rate: float | None,
    seconds: float | None,
    count: int | None,
) -> scenario.Scenario:
    if application_name:
        if template or name:
            raise typer.BadParameter("name either an APPLICATION, or a --template or --scenario")
        chosen = application(application_name)
        return senders_of(chosen, resources(chosen)).changed(rate=rate, seconds=seconds, count=count)
    if name:
        return scenario.load(name).changed(template=template, rate=rate, seconds=seconds, count=count)
    if not template:
        raise typer.BadParameter("name an APPLICATION, a --template or a --scenario")
    return scenario.single(template, 1.0 if rate is None else rate, seconds, count)


def _sink(to: str | None, compressed: bool, endpoint: str | None, aws: bool) -> sinks.Sink:
    kind, _, name = (to or "").partition(":")
    match kind, bool(name):
        case "stream", True:
            return sinks.kinesis(target.choose(endpoint, aws).client("kinesis"), name, compressed)
        case "firehose", True:
            return sinks.firehose(target.choose(endpoint, aws).client("firehose"), name, compressed)
        case "file", True:
            return sinks.FileSink(Path(name), compressed)
        case "null", False:
            return sinks.NullSink()
    raise typer.BadParameter(f"must be {_TARGETS}, got {to or 'nothing'}", param_hint="--to")


class _Display:
    """The progress line, with the rate of the last seconds."""

    def __init__(self) -> None:
        self.counts = runner.Counts()
        self._began = time.monotonic()
        self._history: deque[tuple[float, int]] = deque([(self._began, 0)])

    def update(self, counts: runner.Counts) -> None:
        """Set new counts."""
        self.counts = counts

    def line(self) -> Text:
        """Return the current line."""
        now = time.monotonic()
        self._history.append((now, self.counts.sent))
        while now - self._history[0][0] > _RATE_OVER_SECONDS:
            self._history.popleft()
        return self._text(*self._history[0])

    def total(self) -> Text:
        """Return the final line, with the rate of the whole run."""
        return self._text(self._began, 0)

    def _text(self, since: float, sent_before: int) -> Text:
        took = max(time.monotonic() - since, 1e-9)
        text = f"{self.counts.sent:,} sent ({(self.counts.sent - sent_before) / took:,.1f}/s)"
        text += f", {self.counts.sent_again:,} sent again, {self.counts.failed:,} failed"
        if self.counts.reasons:
            text += f" ({', '.join(f'{n:,} {reason}' for reason, n in self.counts.reasons.most_common(3))})"
        return Text(text)


def _run(
    chosen: scenario.Scenario,
    sink: sinks.Sink,
    *,
    speed: float,
    seed: int | None,
    start: datetime | None,
    event_time: runner.EventTime,
    ledger: Path | None,
) -> runner.Counts:
    display = _Display()
    live = Live(console=_out, get_renderable=display.line, refresh_per_second=4, transient=True)
    try:
        with _ended_by_ctrl_c() as stop, live:
            runner.run(
                chosen,
                sink,
                speed=speed,
                seed=seed,
                start=start,
                event_time=event_time,
                ledger=ledger,
                on_progress=display.update,
                stop=stop,
            )
    except sinks.SinkError:
        # The counts of the records before the error still hold.
        _out.print(display.total())
        raise
    _out.print(display.total())
    return display.counts


@contextmanager
def _ended_by_ctrl_c() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets, so that records being sent are still counted."""
    stop = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def end(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, end)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
