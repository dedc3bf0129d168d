"""Batches for Python functions: all rows that are in a worker's input are processed together.

Only this module, :mod:`udfs.row_messages` and :mod:`udfs.state_writes` depend on the internals of PyFlink 1.20's
worker. The worker takes a message from the JVM, which holds from a few rows up to a bundle, and normally asks the
operation for the results of one row at a time. If the operation is a :class:`BundleOperation`, as Flink's own
aggregations are, the worker hands it all rows and then writes what `finish_bundle` returns. So this module changes the
operation's class to a bundle operation. No row waits for others: a batch is a row or two at low load, and thousands of
rows when the worker is the bottleneck. Bundles stay as they are, and so do the commits of state before a checkpoint's
barrier.

A function may also read and answer whole messages (:mod:`udfs.row_messages`).

In thread mode, or with another version of PyFlink, rows come one by one, with the same results.
"""

from __future__ import annotations

from typing import Any, Protocol

from pyflink.common import Row, RowKind

from udfs.state_writes import commit_together
from udfs.worker_objects import opening_objects

#: The row kind of an insertion, in PyFlink's internal rows.
INSERT = 0


class InBatches(Protocol):
    """A keyed function that can process rows in batches."""

    def process_batch(self, key: str, rows: list[Any], times: list[int]) -> list[list[Any]]:
        """Process rows of one key in order, with their times in milliseconds; returns one result row for each."""


def take_batches(function: InBatches) -> bool:
    """Make PyFlink call `process_batch` instead of `process_element` from now on; False if it can't.

    Call it in the function's `open`. The function can't use side outputs or timers then.
    """
    operation = _being_opened()
    if operation is None:
        return False
    from pyflink.fn_execution.coder_impl_fast import InternalRow
    from pyflink.fn_execution.table.operations import BundleOperation

    lighten_rows()
    commit_together(operation.keyed_state_backend)
    received: list[Any] = []
    keyed_state = operation.keyed_state_backend

    def finish_bundle(self: Any) -> list[Any]:
        rows = received.copy()
        received.clear()
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
                out[place] = InternalRow([time, watermark, InternalRow(values, INSERT)], INSERT)
        return out

    kind = type(operation)
    operation.__class__ = type(
        f"{kind.__name__}InBatches", (kind, BundleOperation), {"finish_bundle": finish_bundle}
    )
    operation.process_element_func = lambda value: received.append(tuple(value))
    return True


class LightRow(Row):  # type: ignore[misc]
    """A row as PyFlink reads it, in a quarter of the time: `Row` checks the name of every attribute that is set."""

    __setattr__ = object.__setattr__
    __hash__ = Row.__hash__

    def __init__(self, *values: Any) -> None:
        self._values = list(values)

    def __eq__(self, other: object) -> bool:
        return _as_row(self) == _as_row(other)


def _as_row(value: object) -> object:
    """The row that PyFlink itself would have read."""
    if not isinstance(value, LightRow):
        return value
    row = Row.of_kind(value._row_kind, *map(_as_row, value._values))
    row.set_field_names(value._fields)
    return row


def lighten_rows() -> None:
    """Make this worker read rows as :class:`LightRow`. Each record has three; they took most of the time to read it."""
    from pyflink.fn_execution import coder_impl_fast

    kinds = {kind.value: kind for kind in RowKind}
    if coder_impl_fast.Row is Row:
        coder_impl_fast.Row, coder_impl_fast.RowKind = LightRow, kinds.__getitem__


def _being_opened() -> Any:
    """The operation whose function is being opened; None if it can't be given batches."""
    try:
        from pyflink.fn_execution import PYFLINK_CYTHON_ENABLED
        from pyflink.fn_execution.datastream.process.operations import StatefulOperation
    except ImportError:
        return None
    if not PYFLINK_CYTHON_ENABLED:
        return None
    return next((o for o in opening_objects() if type(o) is StatefulOperation), None)
