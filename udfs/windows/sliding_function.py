"""Sliding windows as a Flink function: adds to each row the results of its windows.

State: a log of the rows in a key's windows. The windows themselves are cached in the worker and are rebuilt from the
log. The log is rewritten when most of its rows have left the windows, so it stays within about twice their size.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyflink.common import Types
from pyflink.datastream.state import ListStateDescriptor

from udfs.windows.in_order import InOrder
from udfs.windows.keyed_table import column_types, through_keyed_function
from udfs.windows.sliding import Call, SlidingWindows

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

#: Keys whose windows are cached in the worker; for other keys they are rebuilt from state when a row comes.
_MOST_KEYS = 20_000
_FEW = 64


class SlidingFunction(InOrder):
    """Adds to each row the results of its windows.

    Parameters
    ----------
    calls : sequence of Call
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = tuple(calls)
        used = {p for c in calls for p in (c.of, c.default) if p is not None}
        self._used = sorted(used)
        place = {old: new for new, old in enumerate(self._used)}
        self._packed = [
            Call(
                c.aggregate,
                None if c.of is None else place[c.of],
                None if c.default is None else place[c.default],
                c.rows,
                c.milliseconds,
            )
            for c in calls
        ]
        #: Milliseconds without a row after which all windows are empty; None if a window's length is in rows.
        self._span = None if any(c.rows for c in calls) else max((c.milliseconds or 0) for c in calls)
        self._pause = max(self._span or 0, 1000)

    def open(self, runtime_context: Any) -> None:
        """Declare the state."""
        super().open(runtime_context)
        self._log = runtime_context.get_list_state(ListStateDescriptor("rows", Types.PICKLED_BYTE_ARRAY()))
        self._live: OrderedDict[Any, tuple[SlidingWindows, int]] = OrderedDict()

    def row(self, time: int, values: tuple[Any, ...], ctx: Any) -> Iterable[tuple[Any, ...]]:
        """The row with the results of its windows."""
        key = ctx.get_current_key()
        windows, logged = self._taken(key)
        # A late row counts at the time of the windows' newest row.
        now = max(time, windows.rows[-1][0]) if windows.rows else time
        self._forget_later(now, ctx)
        needed = tuple(values[i] for i in self._used)
        results = windows.push(now, needed)
        if logged > _FEW and logged > 2 * len(windows.rows):
            self._log.update([(t, v) for t, v in windows.rows])
            logged = len(windows.rows)
        else:
            self._log.add((now, needed))
            logged += 1
        self._live[key] = (windows, logged)
        if len(self._live) > _MOST_KEYS:
            self._live.popitem(last=False)
        return [(time, *values, *results)]

    def at(self, time: int, ctx: Any) -> Iterable[tuple[Any, ...]]:
        """Forget a key whose windows are empty."""
        if self._span is not None and time % self._pause == 0:
            key = ctx.get_current_key()
            windows, logged = self._taken(key)
            if windows.rows and windows.rows[-1][0] + self._span < time:
                self._log.clear()
            elif windows.rows:
                self._live[key] = (windows, logged)
                self._forget_later(windows.rows[-1][0], ctx)
        return ()

    def _forget_later(self, last: int, ctx: Any) -> None:
        # Rounded, so that there is at most one such timer per key and pause.
        if self._span is not None:
            ctx.timer_service().register_event_time_timer((last // self._pause + 2) * self._pause)

    def _taken(self, key: Any) -> tuple[SlidingWindows, int]:
        return self._live.pop(key) if key in self._live else self._restored()

    def _restored(self) -> tuple[SlidingWindows, int]:
        windows, logged = SlidingWindows(self._packed), 0
        for time, values in self._log.get() or ():
            windows.push(time, tuple(values))
            logged += 1
        return windows, logged


def sliding_windows(
    table_env: StreamTableEnvironment,
    table: Table,
    partition_by: Sequence[str],
    calls: dict[str, Call],
    name: str,
) -> Table:
    """A table's rows, each with the results of its windows.

    Parameters
    ----------
    table_env : StreamTableEnvironment
    table : Table
        Insert-only, with the rowtime attribute ``rowtime``.
    partition_by : sequence of str
        Columns to partition the rows by; empty: one partition.
    calls : dict of Call
        By the name of the new column; positions count the table's columns without rowtime.
    name : str
        Unique in the job.

    Returns
    -------
    Table
        The table's columns, the new ones, and ``rowtime``.
    """
    if not column_types(table):  # a row that is passed to Python must have a column
        table_env.create_temporary_view(f"{name}_rows_alone", table)
        table = table_env.sql_query(f"SELECT CAST(0 AS INT) AS nothing, rowtime FROM `{name}_rows_alone`")
    results = column_types(table) | {column: call.aggregate.type for column, call in calls.items()}
    function = SlidingFunction(list(calls.values()))
    return through_keyed_function(table_env, table, function, partition_by, results, name, "SLIDING_WINDOWS")
