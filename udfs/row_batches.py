"""Batches for Python functions: all rows that are in a worker's input are processed together.

This is the only module that depends on the internals of PyFlink 1.20's worker. The worker takes a message from the JVM,
which holds from a few rows up to a bundle, and normally asks the operation for the results of one row at a time. If the
operation is a :class:`BundleOperation`, as Flink's own aggregations are, the worker hands it all rows and then writes
what `finish_bundle` returns. So this module changes the operation's class to a bundle operation. No row waits for
others: a batch is a row or two at low load, and thousands of rows when the worker is the bottleneck. Bundles stay as
they are, and so do the commits of state before a checkpoint's barrier.

A function that needs only some numbers of its rows gets them as arrays (:class:`InColumns`). Messages are then read and
answered as bytes (:mod:`udfs.row_bytes`); only rows that are not plain, such as rows with a missing number, are decoded
by PyFlink.

In thread mode, or with another version of PyFlink, rows come one by one, with the same results.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from pyflink.common import Row, RowKind
from pyflink.datastream import TimerService

#: The row kind of an insertion, in PyFlink's internal rows.
_INSERT = 0


class InBatches(Protocol):
    """A keyed function that can process rows in batches."""

    def process_batch(self, key: Any, rows: list[Any], times: list[int]) -> Sequence[Sequence[Any]]:
        """Process rows of one key in order, with their times in milliseconds; returns one result row for each.

        The key is the current one, of state and timers.
        """


class InColumns(Protocol):
    """A function that scores each row by some of its numbers."""

    #: The fields to get as numbers; and the field to get as a value (text or an integer), if any.
    numbers: list[int]
    value: int | None
    #: How many NULLs follow each score.
    nulls: int

    def process_columns(
        self, keys: list[str], values: list[Any] | None, points: Any, times: list[int], switch: Switch
    ) -> Any:
        """Score rows of several keys in order: ``points`` (n, numbers), finite; array (n,) out.

        ``switch`` sets the current key, whose state can then be accessed.
        """


#: Sets the current key of the keyed state.
Switch = Callable[[str], None]


def take_batches(function: InBatches, one_for_each: bool = True) -> TimerService | None:
    """Make PyFlink call `process_batch` instead of `process_element` from now on.

    Call it in the function's `open`. The function can't use side outputs then.

    Parameters
    ----------
    function : InBatches
    one_for_each : bool
        False: the function returns any number of rows for a batch. They get the time of the batch's last row.

    Returns
    -------
    TimerService or None
        The timers of the current key. None if PyFlink can't be made to.
    """
    operation = _being_opened()
    if operation is None:
        return None
    from pyflink.fn_execution.coder_impl_fast import InternalRow
    from pyflink.fn_execution.datastream.process.timerservice_impl import TimerServiceImpl
    from pyflink.fn_execution.table.operations import BundleOperation

    lighten_rows()
    _commit_together(operation.keyed_state_backend)
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
        out: list[Any] = [None] * len(rows) if one_for_each else []
        more: list[Any] = []
        for key, places in by_key.items():
            keyed_state.set_current_key(Row(key))
            found = function.process_batch(
                key, [rows[p][2]._values[1]._values for p in places], [rows[p][0] for p in places]
            )
            if not one_for_each:
                time, watermark, _ = rows[places[-1]]
                more += [
                    InternalRow([time, watermark, InternalRow(list(v), _INSERT)], _INSERT) for v in found
                ]
                continue
            for place, values in zip(places, found, strict=True):
                time, watermark, _ = rows[place]
                out[place] = InternalRow([time, watermark, InternalRow(values, _INSERT)], _INSERT)
        return out + more

    kind = type(operation)
    operation.__class__ = type(
        f"{kind.__name__}InBatches", (kind, BundleOperation), {"finish_bundle": finish_bundle}
    )
    operation.process_element_func = lambda value: received.append(tuple(value))
    return TimerServiceImpl(operation.internal_timer_service)


def _commit_together(backend: Any) -> None:
    """Write the state of all keys without waiting in between, and wait for all writes at the end of the bundle.

    PyFlink waits for each write: with hundreds of keys that takes longer than the computation.
    """
    handler, commit, written = backend._state_handler, backend.commit, list[Any]()

    class Together:
        """PyFlink's state handler, except that it keeps the futures of writes and returns nothing to wait for."""

        def __getattr__(self, name: str) -> Any:
            return getattr(handler, name)

        def clear(self, *arguments: Any) -> None:
            written.append(handler.clear(*arguments))

        def extend(self, *arguments: Any) -> None:
            written.append(handler.extend(*arguments))

    def commit_all() -> None:
        commit()
        answers = [future.get() for future in written]
        written.clear()
        if refused := [answer.error for answer in answers if answer.error]:
            raise RuntimeError(f"state could not be written: {refused[0]}")

    backend._state_handler, backend.commit = Together(), commit_all


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


def take_columns(function: InColumns) -> bool:
    """Make PyFlink call `process_columns` for plain rows of a function that takes batches; False if it can't."""
    from pyflink.fn_execution.datastream.process.operations import StatefulOperation

    opening = list(_opening())
    operation = next((o for o in opening if isinstance(o, StatefulOperation)), None)
    processor = next((o for o in opening if type(o).__name__ == "BundleProcessor"), None)
    if operation is None or processor is None or not hasattr(processor, "__dict__"):
        return False

    def process_bundle(instruction: str) -> Any:
        # Removes the override, so that the class's own method is used from now on.
        del processor.process_bundle
        _answer_bytes(function, operation, list(processor.ops.values()))
        return processor.process_bundle(instruction)

    processor.process_bundle = process_bundle
    return True


def _answer_bytes(function: InColumns, operation: Any, steps: list[Any]) -> None:
    """Let messages bypass the operation, if the worker's steps are only input, the operation and output."""
    from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction

    # Imported only on the worker: compiled code can't be pickled.
    from udfs.row_columns import RowLayout, Rows

    if [type(s).__name__ for s in steps[:: len(steps) - 1]] != ["DataInputOperation", "DataOutputOperation"]:
        return
    # Between operation and output PyFlink removes the watermark from each row; there must be no other step.
    between = [getattr(getattr(s.spec, "serialized_fn", None), "function_type", None) for s in steps[2:-1]]
    if between != [UserDefinedDataStreamFunction.REVISE_OUTPUT]:
        return
    source, sink = steps[0], steps[-1]
    coders = _element_coders(source, sink, function.nulls)
    if coders is None or not RowLayout.reads(coders, function.numbers, function.value):
        return
    layout = RowLayout(coders, function.numbers, function.value)
    backend, row_by_row = operation.keyed_state_backend, source.process_encoded

    def switch(key: str) -> None:
        backend.set_current_key(Row(key))

    def process_encoded(data: bytes) -> None:
        rows = Rows.read(data, layout)
        for plain, first, end in rows.runs():
            if not plain:
                row_by_row(rows.record(first, end))
                continue
            values = None if function.value is None else rows.values(first, end)
            scores = function.process_columns(
                rows.keys(first, end), values, rows.points[first:end], rows.times(first, end), switch
            )
            sink.output_stream.write(rows.scored(first, end, scores, function.nulls))
            sink.output_stream.maybe_flush()

    source.process_encoded = process_encoded


def _element_coders(source: Any, sink: Any, nulls: int) -> list[str] | None:
    """Names of the coders of an element's fields; None if rows are not coded as :mod:`udfs.row_bytes` requires."""
    try:
        given, taken = (
            s.windowed_coder.wrapped_value_coder.value_coder()._internal_coder for s in (source, sink)
        )
        outer, answer = given._field_coder._field_coders, taken._field_coder._field_coders
        keyed = outer[2]._field_coders
        element, scored = ([type(c).__name__ for c in row._field_coders] for row in (keyed[1], answer[1]))
        ended = taken._separated_with_end_message
    except (AttributeError, IndexError, TypeError):
        return None
    names = [type(c).__name__ for c in (*outer, *keyed, *answer)]
    fits = names == [
        "BigIntCoder", "BigIntCoder", "RowCoder", "CharCoder", "RowCoder", "InstantCoder", "BigIntCoder", "RowCoder",
    ]  # fmt: skip
    return (
        element
        if fits and scored == [*element, "DoubleCoder", *["CharCoder"] * nulls] and not ended
        else None
    )


def _opening() -> Iterator[Any]:
    """The objects whose methods are on the call stack, the innermost first."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if (found := frame.f_locals.get("self")) is not None:
            yield found


def _being_opened() -> Any:
    """The operation whose function is being opened; None if it can't be given batches."""
    try:
        from pyflink.fn_execution import PYFLINK_CYTHON_ENABLED
        from pyflink.fn_execution.datastream.process.operations import StatefulOperation
    except ImportError:
        return None
    if not PYFLINK_CYTHON_ENABLED:
        return None
    return next((o for o in _opening() if type(o) is StatefulOperation), None)
