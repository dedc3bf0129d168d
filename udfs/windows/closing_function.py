"""Closing windows as a Flink function: takes rows and gives one row for each window and key.

State: a key's open windows with their aggregates, or those of all keys together if a change closes them. It is written
after each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyflink.common import Types
from pyflink.datastream.state import ValueStateDescriptor

from base.errors import InvalidValue
from udfs.windows.aggregates import Aggregate
from udfs.windows.closing import Closed, Opens, Windows
from udfs.windows.in_order import InOrder
from udfs.windows.keyed_table import column_types, through_keyed_function

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


class WindowsFunction(InOrder):
    """Gives the key and the results of each window when it closes.

    Parameters
    ----------
    opens : {"clock", "first_row", "change"}
    milliseconds : int
    aggregates : sequence of Aggregate
    of : sequence of int or None
        Position of each aggregate's value in a row.
    keys, changes : sequence of int
        Positions of the keys' values, and of the values whose change closes a window.
    times : bool
        Whether to add the times when the window opened and closed.
    """

    def __init__(
        self,
        opens: Opens,
        milliseconds: int,
        aggregates: Sequence[Aggregate],
        of: Sequence[int | None],
        keys: Sequence[int],
        changes: Sequence[int],
        times: bool,
    ) -> None:
        self._opens, self._milliseconds, self._aggregates = opens, milliseconds, tuple(aggregates)
        self._of, self._keys, self._changes, self._times = tuple(of), tuple(keys), tuple(changes), times

    def open(self, runtime_context: Any) -> None:
        """Declare the state."""
        super().open(runtime_context)
        self._open = runtime_context.get_state(ValueStateDescriptor("windows", Types.PICKLED_BYTE_ARRAY()))

    def row(self, time: int, values: tuple[Any, ...], ctx: Any) -> Iterable[tuple[Any, ...]]:
        """The results of the windows that this row closes."""
        windows = self._windows()
        over = windows.push(
            time,
            [None if i is None else values[i] for i in self._of],
            tuple(values[i] for i in self._keys),
            tuple(values[i] for i in self._changes),
        )
        if windows.due is not None:
            ctx.timer_service().register_event_time_timer(windows.due)
        self._open.update(windows)
        return [self._result(closed) for closed in over]

    def at(self, time: int, ctx: Any) -> Iterable[tuple[Any, ...]]:
        """The results of the windows that close now."""
        windows = self._windows()
        if windows.due is None or time < windows.due:
            return ()
        over = windows.close(time)
        self._open.clear()
        return [self._result(closed) for closed in over]

    def _windows(self) -> Windows:
        return self._open.value() or Windows(self._opens, self._milliseconds, self._aggregates)

    def _result(self, closed: Closed) -> tuple[Any, ...]:
        times = (closed.opened, closed.closed) if self._times else ()
        return (closed.closed, *closed.key, *closed.results, *times)


def closing_windows(
    table_env: StreamTableEnvironment,
    table: Table,
    opens: Opens,
    milliseconds: int,
    keys: Sequence[str],
    changes: Sequence[str],
    aggregates: dict[str, Aggregate],
    times: bool,
    name: str,
) -> Table:
    """Aggregate a table's rows to one row per window and key, when the window closes.

    Parameters
    ----------
    table_env : StreamTableEnvironment
    table : Table
        Insert-only, with the rowtime attribute ``rowtime``.
    opens : {"clock", "first_row", "change"}
        See :mod:`udfs.windows.closing`.
    milliseconds : int
        Length of a window.
    keys, changes : sequence of str
        Columns.
    aggregates : dict of Aggregate
        By the name of the result column.
    times : bool
        Whether the result has ``opened`` and ``closed`` too, TIMESTAMP(3).
    name : str
        Unique in the job.

    Returns
    -------
    Table
        ``keys``, the results, and ``rowtime``: when the window closed.
    """
    columns = column_types(table)
    places = list(columns)
    for column in (*keys, *changes, *(a.of for a in aggregates.values() if a.of)):
        if column not in columns:
            raise InvalidValue(f"{name}: required a column of {', '.join(places)}, got {column}")
    results = {k: columns[k] for k in keys} | {c: a.type for c, a in aggregates.items()}
    if times:
        results |= {"opened": "TIMESTAMP(3)", "closed": "TIMESTAMP(3)"}
    function = WindowsFunction(
        opens,
        milliseconds,
        list(aggregates.values()),
        [None if a.of is None else places.index(a.of) for a in aggregates.values()],
        [places.index(k) for k in keys],
        [places.index(c) for c in changes],
        times,
    )
    # A change closes the windows of all keys, so all keys share one state.
    by = () if opens == "change" else keys
    return through_keyed_function(table_env, table, function, by, results, name, "CLOSING_WINDOWS")
