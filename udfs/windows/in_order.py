"""Process a key's rows in order of time: each row is kept until the watermark passes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor

#: Keys whose waiting rows are cached in the worker; for other keys they are read from state when needed.
_MOST_KEYS = 20_000


class InOrder(KeyedProcessFunction):  # type: ignore[misc]
    """Calls :meth:`row` for each row when the watermark reaches it, and :meth:`at` for each timer.

    A late row, one at or before the watermark, is processed at once.
    """

    def open(self, runtime_context: Any) -> None:
        """Declare the state of the waiting rows."""
        self._waiting = runtime_context.get_map_state(
            MapStateDescriptor("waiting", Types.LONG(), Types.PICKLED_BYTE_ARRAY())
        )
        # A cache of the state, as every access to state is a round trip to Java.
        self._held: OrderedDict[Any, dict[int, list[tuple[Any, ...]]]] = OrderedDict()

    def row(self, time: int, values: tuple[Any, ...], ctx: Any) -> Iterable[tuple[Any, ...]]:
        """Process a row, in order of time (milliseconds); returns result rows, each with its time first."""
        raise NotImplementedError

    def at(self, time: int, ctx: Any) -> Iterable[tuple[Any, ...]]:
        """Process a timer, before the rows of the same time; returns result rows."""
        return ()

    def process_element(self, value: Any, ctx: Any) -> Iterator[Row]:
        """Keep a row until the watermark reaches it; process it at once if it is late."""
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
        """Process a timer, and the rows that waited for this time."""
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
