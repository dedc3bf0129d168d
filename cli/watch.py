"""`kda watch`: the newest rows of a lab's relations in the terminal, live."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli import target
from cli.shown import plain
from console.feed import Feed
from console.labs import ERRORS, LABS, Lab
from console.rings import Ring
from infra.clients import client

_out = Console()
_MOST_CELLS = 6
_REFRESH_SECONDS = 0.5


def watch(
    lab: Annotated[str, typer.Argument(metavar="LAB", help=f"One of {', '.join(LABS)}.")],
    rows: Annotated[int, typer.Option(min=1, max=50, help="Newest rows to show of each relation.")] = 3,
    seconds: Annotated[float | None, typer.Option(min=0, help="End after so long. Default: Ctrl-C.")] = None,
    since: Annotated[float, typer.Option(min=0, help="Show rows of the last so many seconds too.")] = 60,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Show the newest rows of each relation of a running job, with rates, and its error stream.

    The job must run with its tap on: kda run LAB -p tap.stream=NAME, or start it on the console's page.

    Example: kda watch trades --rows 5
    """
    if lab not in LABS:
        raise typer.BadParameter(f"LAB must be one of {', '.join(LABS)}, got {lab}")
    where = target.choose(endpoint, aws)
    feed = Feed(LABS[lab], lambda: client("kinesis", where), timedelta(seconds=since))
    deadline = time.monotonic() + seconds if seconds is not None else None
    try:
        with Live(console=_out, auto_refresh=False, vertical_overflow="crop") as live:
            while deadline is None or time.monotonic() < deadline:
                feed.touch()
                live.update(picture(LABS[lab], feed, rows), refresh=True)
                time.sleep(_REFRESH_SECONDS)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        feed.close()


def picture(lab: Lab, feed: Feed, rows: int) -> RenderableType:
    """Every relation with its rate and newest rows, in the order of the flow; the error stream last."""
    with feed.lock:
        names = [*lab.relations, *sorted(set(feed.rings.by_relation) - {*lab.relations, ERRORS}), ERRORS]
        parts: list[RenderableType] = [
            part for name in names for part in _relation(name, feed.rings.by_relation.get(name), rows)
        ]
        tapped = set(feed.rings.by_relation) - {ERRORS}
    if feed.problem:
        parts.insert(0, plain(feed.problem, 500).append(" Trying again …"))
    elif feed.ready.is_set() and not tapped:
        parts.insert(0, Text(f"No row yet. Does the job run with -p tap.stream={lab.taps}?", style="yellow"))
    return Group(*parts)


def _relation(name: str, ring: Ring | None, rows: int) -> list[RenderableType]:
    about = "sampled, about " if ring and ring.sampled else ""
    rate = f"{about}{ring.rate(time.time()):,.1f}/s, {ring.total:,.0f} rows" if ring else "no rows"
    head = Text.assemble((plain(name).plain, "bold red" if name == ERRORS and ring else "bold"), f"  {rate}")
    if not ring:
        return [head]
    newest = list(ring.rows)[-rows:]
    columns = list(dict.fromkeys(column for row in newest for column in row.values))
    columns = columns if name != ERRORS else ["error_name", "message", "record"]
    table = Table("rowtime", box=None, pad_edge=False, header_style="dim", expand=False)
    for column in columns[:_MOST_CELLS]:
        table.add_column(plain(column), overflow="ellipsis", no_wrap=True)
    for row in newest:
        cells = (plain(_cell(row.values.get(column)), 60) for column in columns[:_MOST_CELLS])
        table.add_row(plain(row.rowtime[11:23]), *cells)
    return [head, table]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
