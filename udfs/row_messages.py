"""Whole messages for Python functions: rows are read, and may be answered, as bytes.

As :mod:`udfs.row_batches`, this module depends on the internals of PyFlink 1.20's worker. Only rows that are not plain,
such as rows with a missing number, are decoded by PyFlink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pyflink.common import Row

from udfs.row_batches import INSERT
from udfs.state_writes import commit_together
from udfs.worker_objects import opening_objects

if TYPE_CHECKING:
    from udfs.row_columns import Rows


#: Sets the current key of the keyed state.
Switch = Callable[[str], None]


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


class InRuns(Protocol):
    """A function that answers each row with any number of rows, and takes rows in runs as they lie in a message."""

    #: As for :class:`InColumns`. A row without one of the numbers is not plain, and goes to `process_element`.
    numbers: list[int]
    value: int | None

    def start(self, switch: Switch) -> None:
        """Called before each message."""

    def process_run(self, rows: Rows, first: int, end: int) -> Iterable[bytes | list[list[Any]]]:
        """The answers to some rows: in order, parts that are already encoded and parts that are not."""


def take_columns(function: InColumns) -> bool:
    """Make PyFlink call `process_columns` for plain rows of a function that takes batches; False if it can't."""

    def answer(operation: Any, source: Any, sink: Any) -> None:
        coders = _Coders.of(source, sink)
        added = ["DoubleCoder", *["CharCoder"] * function.nulls]
        if coders is None or not coders.rowtime or coders.answer != [*coders.element, *added]:
            return
        layout = _layout(coders, function.numbers, function.value)
        if layout is not None:
            _answer_columns(function, layout, operation, source, sink)

    return _take_messages(answer)


def take_runs(function: InRuns) -> bool:
    """Make PyFlink call `process_run` for plain rows; False if it can't."""

    def answer(operation: Any, source: Any, sink: Any) -> None:
        coders = _Coders.of(source, sink)
        layout = coders and _layout(coders, function.numbers, function.value)
        if coders is None or coders.rowtime or layout is None:
            return
        commit_together(operation.keyed_state_backend)
        _answer_runs(function, layout, operation, source, sink)

    return _take_messages(answer)


def _take_messages(answer: Callable[[Any, Any, Any], None]) -> bool:
    """Before the first bundle, give operation, input and output to ``answer``, if there are no other steps."""
    from pyflink.fn_execution.datastream.process.operations import StatefulOperation
    from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction

    opening = list(opening_objects())
    operation = next((o for o in opening if isinstance(o, StatefulOperation)), None)
    processor = next((o for o in opening if type(o).__name__ == "BundleProcessor"), None)
    if operation is None or processor is None or not hasattr(processor, "__dict__"):
        return False

    def process_bundle(instruction: str) -> Any:
        # Removes the override, so that the class's own method is used from now on.
        del processor.process_bundle
        steps = list(processor.ops.values())
        ends = [type(s).__name__ for s in steps[:: len(steps) - 1]]
        # Between operation and output PyFlink removes the watermark from each row; there must be no other step.
        between = [
            getattr(getattr(s.spec, "serialized_fn", None), "function_type", None) for s in steps[2:-1]
        ]
        if (
            ends == ["DataInputOperation", "DataOutputOperation"]
            and between == [UserDefinedDataStreamFunction.REVISE_OUTPUT]
            and hasattr(operation, "keyed_state_backend")
        ):
            answer(operation, steps[0], steps[-1])
        return processor.process_bundle(instruction)

    processor.process_bundle = process_bundle
    return True


def _answer_columns(function: InColumns, layout: Any, operation: Any, source: Any, sink: Any) -> None:
    # Imported only on the worker: compiled code can't be pickled.
    from udfs.row_columns import Rows

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


def _answer_runs(function: InRuns, layout: Any, operation: Any, source: Any, sink: Any) -> None:
    from pyflink.fn_execution.coder_impl_fast import InternalRow

    from udfs.row_bytes import TIME
    from udfs.row_columns import Rows

    backend, row_by_row = operation.keyed_state_backend, source.process_encoded
    coder = sink.windowed_coder.wrapped_value_coder.get_impl()._value_coder

    def switch(key: str) -> None:
        backend.set_current_key(Row(key))

    def write(time: int, answer: bytes | list[list[Any]]) -> None:
        if isinstance(answer, bytes):
            sink.output_stream.write(answer)
        else:
            answers = [InternalRow([time, InternalRow(row, INSERT)], INSERT) for row in answer]
            coder.encode_to_stream(answers, sink.output_stream, True)

    def process_encoded(data: bytes) -> None:
        function.start(switch)
        rows = Rows.read(data, layout)
        for plain, first, end in rows.runs():
            if plain:
                for answer in function.process_run(rows, first, end):
                    write(int(rows.places[first, TIME]), answer)
            else:
                row_by_row(rows.record(first, end))
            sink.output_stream.maybe_flush()

    source.process_encoded = process_encoded


def _layout(coders: _Coders, numbers: list[int], value: int | None) -> Any:
    """How elements are laid out; None if they can't be read."""
    from udfs.row_columns import RowLayout

    if not RowLayout.reads(coders.element, numbers, value):
        return None
    return RowLayout(coders.element, numbers, value, coders.rowtime)


class _Coders(NamedTuple):
    """Names of the coders of an element's fields and of its answer's; and whether a rowtime follows the element."""

    element: list[str]
    answer: list[str]
    rowtime: bool

    @classmethod
    def of(cls, source: Any, sink: Any) -> _Coders | None:
        """None if rows are not coded as :mod:`udfs.row_bytes` requires."""
        try:
            given, taken = (
                s.windowed_coder.wrapped_value_coder.value_coder()._internal_coder for s in (source, sink)
            )
            outer, answer = given._field_coder._field_coders, taken._field_coder._field_coders
            keyed = outer[2]._field_coders
            element, answered = (
                [type(c).__name__ for c in row._field_coders] for row in (keyed[1], answer[1])
            )
            ended = taken._separated_with_end_message
        except (AttributeError, IndexError, TypeError):
            return None
        head, key, out = ([type(c).__name__ for c in coders] for coders in (outer, keyed, answer))
        fits = head == ["BigIntCoder", "BigIntCoder", "RowCoder"] and out == ["BigIntCoder", "RowCoder"]
        fits = fits and key in (["CharCoder", "RowCoder"], ["CharCoder", "RowCoder", "InstantCoder"])
        return cls(element, answered, len(key) > 2) if fits and not ended else None
