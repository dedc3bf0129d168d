"""`kda watch`: the newest rows of a lab's relations in the terminal, live."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
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
_MOST_CHARACTERS = 26
_TIME_CHARACTERS = 14
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d[ T](?=\d\d:\d\d:\d\d)")
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
                height = _out.height if _out.is_terminal else None
                live.update(picture(LABS[lab], feed, rows, _out.width, height), refresh=True)
                time.sleep(_REFRESH_SECONDS)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        feed.close()


def picture(lab: Lab, feed: Feed, rows: int, width: int = 120, height: int | None = None) -> RenderableType:
    """Every relation with its rate and newest rows, in the order of the flow; the error stream last.

    Parameters
    ----------
    lab : Lab
    feed : Feed
    rows : int
        Newest rows of each relation; fewer where that many are higher than the terminal.
    width : int
        Columns of the terminal.
    height : int or None
        Its lines; None: there is no end.
    """
    with feed.lock:
        names = [*lab.relations, *sorted(set(feed.rings.by_relation) - {*lab.relations, ERRORS}), ERRORS]
        rings = {name: feed.rings.by_relation.get(name) for name in names}
        if height is not None:
            rows = next((n for n in range(rows, 0, -1) if _lines(rings, n) < height), 0)
        parts: list[RenderableType] = [
            part for name, ring in rings.items() for part in _relation(name, ring, rows, width)
        ]
        tapped = set(feed.rings.by_relation) - {ERRORS}
    if feed.problem:
        parts.insert(0, plain(feed.problem, 500).append(" Trying again …"))
    elif feed.ready.is_set() and not tapped:
        parts.insert(0, Text(f"No row yet. Does the job run with -p tap.stream={lab.taps}?", style="yellow"))
    return Group(*parts)


def _lines(rings: Mapping[str, Ring | None], rows: int) -> int:
    """How high the picture is: a line each, and where there are rows, a line of names and theirs."""
    return sum(1 + (1 + min(rows, len(ring.rows)) if ring else 0) for ring in rings.values())


def _relation(name: str, ring: Ring | None, rows: int, width: int) -> list[RenderableType]:
    about = "sampled, about " if ring and ring.sampled else ""
    rate = f"{about}{ring.rate(time.time()):,.1f}/s, {ring.total:,.0f} rows" if ring else "no rows"
    head = Text.assemble((plain(name).plain, "bold red" if name == ERRORS and ring else "bold"), f"  {rate}")
    if not ring or not rows:
        return [head]
    newest = list(ring.rows)[-rows:]
    columns = list(dict.fromkeys(column for row in newest for column in row.values))
    most = _MOST_CHARACTERS
    if name == ERRORS:
        # The message and the record share what the names leave.
        columns, most = ["error_name", "message", "record"], max(most, (width - 42) // 2)
    table = Table("rowtime", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    shown, room = [], width - _TIME_CHARACTERS
    for column in columns:
        texts = [column, *(_cell(row.values.get(column)) for row in newest)]
        takes = min(most, max(map(len, texts))) + 2
        # Whole columns or none: a number that was cut is another number.
        if any(texts[1:]) and takes <= room:
            shown.append(column)
            room -= takes
            table.add_column(plain(column, most), no_wrap=True)
    for row in newest:
        cells = (plain(_cell(row.values.get(column)), most) for column in shown)
        table.add_row(plain(row.rowtime[11:23]), *cells)
    return [head, table]


def _cell(value: Any) -> str:
    """A value in few characters.

    Examples
    --------
    >>> _cell(400.0), _cell(1 / 3), _cell(None), _cell("2024-01-31T12:00:00.5")
    ('400', '0.333333', '', '12:00:00.5')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return _MOMENT.sub("", str(value))
