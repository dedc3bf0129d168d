"""Rows of a key in order of their time: each waits until nothing earlier can come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor


class InOrder(KeyedProcessFunction):  # type: ignore[misc]
    """Gives each row, when the watermark has come to it, to :meth:`row`; and moments that were asked for to :meth:`at`.

    A row that comes later than its time counts at once, at the present time.
    """

    def open(self, runtime_context: Any) -> None:
        """Declare the state of the rows that wait."""
        self._waiting = runtime_context.get_map_state(
            MapStateDescriptor("waiting", Types.LONG(), Types.PICKLED_BYTE_ARRAY())
        )

    def row(self, time: int, values: tuple[Any, ...], ctx: Any) -> Iterable[tuple[Any, ...]]:
        """A row, in order of time (milliseconds). What comes out: its time, its values."""
        raise NotImplementedError

    def at(self, time: int, ctx: Any) -> Iterable[tuple[Any, ...]]:
        """A moment that has come, before its rows. What comes out."""
        return ()

    def process_element(self, value: Any, ctx: Any) -> Iterator[Row]:
        """Let a row wait."""
        time, values = ctx.timestamp(), tuple(value)
        if time <= ctx.timer_service().current_watermark():
            for result in self.row(time, values, ctx):
                yield Row(*result)
            return
        rows = self._waiting.get(time) or []
        self._waiting.put(time, [*rows, values])
        if not rows:
            ctx.timer_service().register_event_time_timer(time)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Row]:
        """What has waited for this moment."""
        for result in self.at(timestamp, ctx):
            yield Row(*result)
        rows = self._waiting.get(timestamp)
        if rows is None:
            return
        self._waiting.remove(timestamp)
        for values in rows:
            for result in self.row(timestamp, values, ctx):
                yield Row(*result)
