"""`kda watch`: shows the newest rows of an application's relations live in the terminal."""

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

from base.errors import KdaError
from cli import target
from cli.groups import Name, application
from cli.shown import plain
from console.feed import Feed
from console.row_buffer import RowBuffer, to_milliseconds
from pipeline.application import ERRORS

_out = Console()
_err = Console(stderr=True, soft_wrap=True)
_MOST_CHARACTERS = 26
_TIME_CHARACTERS = 14
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d[ T](?=\d\d:\d\d:\d\d)")
_REFRESH_SECONDS = 0.5


def watch(
    name: Name,
    rows: Annotated[int, typer.Option(min=1, max=50, help="Newest rows to show of each relation.")] = 3,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="End after so many seconds. Default: Ctrl-C.")
    ] = None,
    since: Annotated[float, typer.Option(min=0, help="Also show rows of this many past seconds.")] = 60,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Show the newest rows of each relation of a running job, with rates, and its error stream.

    The job must run with its tap on: start it with kda run APPLICATION --tap, or on the console's page.

    Example: kda watch trades --rows 5
    """
    try:
        chosen = application(name)
    except KdaError as error:
        _err.print(plain(f"kda watch: {error}", 2000), style="red")
        raise typer.Exit(2) from None
    where = target.choose(endpoint, aws)
    feed = Feed(chosen, lambda: where.client("kinesis"), timedelta(seconds=since))
    deadline = time.monotonic() + seconds if seconds is not None else None
    try:
        with Live(console=_out, auto_refresh=False, vertical_overflow="crop") as live:
            while deadline is None or time.monotonic() < deadline:
                feed.touch()
                height = _out.height if _out.is_terminal else None
                live.update(picture(feed, rows, _out.width, height), refresh=True)
                time.sleep(_REFRESH_SECONDS)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        feed.close()


def picture(feed: Feed, rows: int, width: int = 120, height: int | None = None) -> RenderableType:
    """Every relation with its rate and newest rows, in the order of the flow; the error stream last.

    Parameters
    ----------
    feed : Feed
    rows : int
        Newest rows of each relation. Fewer are shown if the terminal is too low; if not even one of each fits, one
        each of the error stream, destinations, sources and forests, in this order, as far as they fit.
    width : int
        Columns of the terminal.
    height : int or None
        Lines of the terminal; None: unlimited.
    """
    with feed.lock:
        known, described = feed.buffers.by_relation, feed.application.shown
        names = [*described, *sorted(set(known) - {*described, ERRORS}), ERRORS]
        buffers = {name: known.get(name) for name in names}
        shares = dict.fromkeys(names, rows) if height is None else _shares(feed, buffers, rows, height)
        parts: list[RenderableType] = [
            part for name, buffer in buffers.items() for part in _relation(name, buffer, shares[name], width)
        ]
        tapped = set(known) - {ERRORS}
    if feed.problem:
        parts.insert(0, plain(feed.problem, 500).append(" Trying again …"))
    elif feed.ready.is_set() and not tapped:
        parts.insert(
            0, plain(f"No row yet. Does the job run with its tap on: kda run {feed.application.name} --tap?")
        )
    return Group(*parts)


def _shares(feed: Feed, buffers: Mapping[str, RowBuffer | None], rows: int, height: int) -> dict[str, int]:
    """Rows to show of each relation: as many of all as fit; if not one of each fits, one of the most important."""
    for n in range(rows, 0, -1):
        shares = dict.fromkeys(buffers, n)
        if _lines(buffers, shares) < height:
            return shares
    shares = dict.fromkeys(buffers, 0)
    application = feed.application
    ends = [destination.of for destination in application.destinations]
    scored = [forest.name for forest in application.forests]
    for name in dict.fromkeys([ERRORS, *ends, *application.sources, *scored, *reversed(list(buffers))]):
        if _lines(buffers, shares | {name: 1}) < height:
            shares[name] = 1
    return shares


def _lines(buffers: Mapping[str, RowBuffer | None], shares: Mapping[str, int]) -> int:
    """Height of the picture in lines: one per relation, and with rows, a header and one per row."""
    shown = {name: min(shares[name], len(buffer.rows)) if buffer else 0 for name, buffer in buffers.items()}
    return sum(1 + (1 + n if n else 0) for n in shown.values())


def _relation(name: str, buffer: RowBuffer | None, rows: int, width: int) -> list[RenderableType]:
    about = "sampled, about " if buffer and buffer.sampled else ""
    rate = f"{about}{buffer.rate(time.time()):,.1f}/s, {buffer.total:,.0f} rows" if buffer else "no rows"
    head = Text.assemble(
        (plain(name).plain, "bold red" if name == ERRORS and buffer else "bold"), f"  {rate}"
    )
    if not buffer or not rows:
        return [head]
    newest = list(buffer.rows)[-rows:]
    columns = list(dict.fromkeys(column for row in newest for column in row.values))
    most = _MOST_CHARACTERS
    if name == ERRORS:
        # The message and the record share the width that the names leave.
        columns, most = ["error_name", "message", "record"], max(most, (width - 42) // 2)
    table = Table("rowtime", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    shown, room = [], width - _TIME_CHARACTERS
    for column in columns:
        texts = [column, *(_cell(row.values.get(column)) for row in newest)]
        takes = min(most, max(map(len, texts))) + 2
        # Whole columns or none: a truncated number would be a different number.
        if any(texts[1:]) and takes <= room:
            shown.append(column)
            room -= takes
            table.add_column(plain(column, most), no_wrap=True)
    for row in newest:
        cells = (plain(_cell(row.values.get(column)), most) for column in shown)
        table.add_row(plain(row.rowtime[11:23]), *cells)
    return [head, table]


def _cell(value: Any) -> str:
    """A value in a few characters.

    Examples
    --------
    >>> _cell(400.0), _cell(1 / 3), _cell(None), _cell("2024-01-31T12:00:00.5")
    ('400', '0.333333', '', '12:00:00.500')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return _MOMENT.sub("", to_milliseconds(str(value)))
