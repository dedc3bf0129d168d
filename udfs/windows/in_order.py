"""Rows of a key in order of their time: each waits until nothing earlier can come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor

#: Keys whose waiting rows live in the worker too; those of others are read from state when a row or its time comes.
_MOST_KEYS = 20_000


class InOrder(KeyedProcessFunction):  # type: ignore[misc]
    """Gives each row, when the watermark has come to it, to :meth:`row`; and moments that were asked for to :meth:`at`.

    A row that comes later than its time counts at once, at the present time.
    """

    def open(self, runtime_context: Any) -> None:
        """Declare the state of the rows that wait."""
        self._waiting = runtime_context.get_map_state(
            MapStateDescriptor("waiting", Types.LONG(), Types.PICKLED_BYTE_ARRAY())
        )
        # State says the same, but to ask it takes a way to Java and back for every row.
        self._held: OrderedDict[Any, dict[int, list[tuple[Any, ...]]]] = OrderedDict()

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
        rows = self._held_of(ctx.get_current_key()).setdefault(time, [])
        if not rows:
            ctx.timer_service().register_event_time_timer(time)
        rows.append(values)
        self._waiting.put(time, list(rows))

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Row]:
        """What has waited for this moment."""
        for result in self.at(timestamp, ctx):
            yield Row(*result)
        rows = self._held_of(ctx.get_current_key()).pop(timestamp, None)
        if rows is None:
            return
        self._waiting.remove(timestamp)
        for values in rows:
            for result in self.row(timestamp, values, ctx):
                yield Row(*result)

    def _held_of(self, key: Any) -> dict[int, list[tuple[Any, ...]]]:
        held = self._held.pop(key, None)
        if held is None:
            held = {time: list(rows) for time, rows in self._waiting.items()}
        self._held[key] = held
        if len(self._held) > _MOST_KEYS:
            self._held.popitem(last=False)
        return held
