"""Rows that lie in a Python worker's input together, given to a function together: batches of what is there.

The one module that knows how PyFlink 1.20's worker goes through its input. It takes a message from the JVM, which holds
some rows up to a bundle, and asks the operation for one row's results after the other's; but where the operation is a
:class:`BundleOperation` too, as Flink's own aggregations are, it hands it all rows and then writes what `finish_bundle`
returns. So an operation of ours is made one, by its class. No row waits for others to come: a batch is a row or two
where few come, and thousands where the worker is the one that is waited for. Bundles, and with them commits of state
before a checkpoint's barrier, stay as they are.

Where this is not so (in thread mode; with another PyFlink) rows come one by one, with the same results.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Protocol

from pyflink.common import Row, RowKind

#: What a row that is no change of another one has in front, in PyFlink's own form of a row.
_INSERT = 0


class InBatches(Protocol):
    """A keyed function that can take rows together."""

    def process_batch(self, key: str, rows: list[Any], times: list[int]) -> list[list[Any]]:
        """Rows of one key in order, with their times in milliseconds; returns the values of a row for each."""


def take_batches(function: InBatches) -> bool:
    """Let PyFlink give a function its rows in batches from now on; False where it can't. Called in its `open`.

    The function's `process_element` is not called then, and its results have no side outputs; it may set no timers.
    """
    operation = _being_opened()
    if operation is None:
        return False
    from pyflink.fn_execution.coder_impl_fast import InternalRow
    from pyflink.fn_execution.table.operations import BundleOperation

    lighten_rows()
    came: list[Any] = []
    keyed_state = operation.keyed_state_backend

    def finish_bundle(self: Any) -> list[Any]:
        rows = came.copy()
        came.clear()
        if not rows:
            return []
        self.internal_timer_service.advance_watermark(rows[-1][1])
        return results(rows)

    def results(rows: list[Any]) -> list[Any]:
        by_key: dict[str, list[int]] = {}
        for place, (_, _, row) in enumerate(rows):
            by_key.setdefault(row._values[0], []).append(place)
        out: list[Any] = [None] * len(rows)
        for key, places in by_key.items():
            keyed_state.set_current_key(Row(key))
            found = function.process_batch(
                key, [rows[p][2]._values[1]._values for p in places], [rows[p][0] for p in places]
            )
            for place, values in zip(places, found, strict=True):
                time, watermark, _ = rows[place]
                out[place] = InternalRow([time, watermark, InternalRow(values, _INSERT)], _INSERT)
        return out

    kind = type(operation)
    operation.__class__ = type(
        f"{kind.__name__}InBatches", (kind, BundleOperation), {"finish_bundle": finish_bundle}
    )
    operation.process_element_func = lambda value: came.append(tuple(value))
    return True


class LightRow(Row):  # type: ignore[misc]
    """A row as PyFlink reads it, for a quarter of the time: `Row` looks at the name of each attribute that is set."""

    __setattr__ = object.__setattr__
    __hash__ = Row.__hash__

    def __init__(self, *values: Any) -> None:
        self._values = list(values)

    def __eq__(self, other: object) -> bool:
        return _as_row(self) == _as_row(other)


def _as_row(value: object) -> object:
    """What PyFlink itself would have read."""
    if not isinstance(value, LightRow):
        return value
    row = Row.of_kind(value._row_kind, *map(_as_row, value._values))
    row.set_field_names(value._fields)
    return row


def lighten_rows() -> None:
    """Let this worker read rows as :class:`LightRow`: three a record, which were the most of a record's way in."""
    from pyflink.fn_execution import coder_impl_fast

    kinds = {kind.value: kind for kind in RowKind}
    if coder_impl_fast.Row is Row:
        coder_impl_fast.Row, coder_impl_fast.RowKind = LightRow, kinds.__getitem__


def _being_opened() -> Any:
    """The operation whose function is being opened, if it is one that batches can be had of."""
    try:
        from pyflink.fn_execution import PYFLINK_CYTHON_ENABLED
        from pyflink.fn_execution.datastream.process.operations import StatefulOperation
    except ImportError:
        return None
    frame: FrameType | None = sys._getframe()
    while PYFLINK_CYTHON_ENABLED and frame is not None:
        opened = frame.f_locals.get("self")
        if type(opened) is StatefulOperation:
            return opened
        frame = frame.f_back
    return None
