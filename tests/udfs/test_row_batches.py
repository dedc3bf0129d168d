"""PyFlink's own operation, without a JVM: its function is given rows together, as PyFlink's loop still allows."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pyflink.fn_execution.beam.beam_operations_fast as beam_operations
import pytest
from pyflink.common import Instant, Row, RowKind
from pyflink.datastream import KeyedProcessFunction
from pyflink.fn_execution import coder_impl_fast
from pyflink.fn_execution.coders import (
    BigIntCoder,
    CharCoder,
    DoubleCoder,
    FieldCoder,
    InstantCoder,
    IntCoder,
    RowCoder,
)
from pyflink.fn_execution.datastream.process.operations import StatefulOperation
from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction
from pyflink.fn_execution.state_impl import RemoteKeyedStateBackend
from pyflink.fn_execution.table.operations import BundleOperation

from udfs import row_batches, state_writes
from udfs.row_batches import LightRow, take_batches


def row_coder(**fields: FieldCoder) -> RowCoder:
    """Made by hand: of a type, PyFlink would ask Java what its fields are called."""
    return RowCoder(list(fields.values()), list(fields))


def timed(row: RowCoder) -> RowCoder:
    """Rows as they come into a worker: time, watermark, and what SQL made."""
    return row_coder(f0=BigIntCoder(), f1=BigIntCoder(), f2=row)


ELEMENT = row_coder(
    key=CharCoder(), element=row_coder(symbol=CharCoder(), price=DoubleCoder()), rowtime=InstantCoder()
)
CODER, OUT = timed(ELEMENT), timed(row_coder(price=DoubleCoder(), size=IntCoder()))
ROWS = [
    Row(10 * k, 5, Row("ab"[k // 2 % 2], Row("AMZN", float(k)), Instant.of_epoch_milli(10 * k)))
    for k in range(7)
]


class Sized(KeyedProcessFunction):  # type: ignore[misc]
    """A row's price, and how many rows came with it."""

    def __init__(self, batches: bool = True) -> None:
        self._batches = batches

    def open(self, runtime_context: Any) -> None:
        if self._batches:
            take_batches(self)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        yield Row(value[1], 1)

    def process_batch(self, key: str, rows: list[Any], times: list[int]) -> list[list[Any]]:
        assert [row[1] * 10 for row in rows] == times
        assert key == "ab"[int(rows[0][1]) // 2 % 2]
        return [[row[1], len(rows)] for row in rows]


class Backend:
    """Notes the keys whose state is asked for."""

    _namespace_coder_impl = None

    _state_handler = None

    def __init__(self) -> None:
        self.keys: list[str] = []

    def commit(self) -> None: ...

    def set_current_key(self, key: Row) -> None:
        self.keys.append(key[0])


@pytest.fixture(autouse=True)
def _unpatched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coder_impl_fast, "Row", Row)
    monkeypatch.setattr(coder_impl_fast, "RowKind", RowKind)


def opened(function: KeyedProcessFunction) -> tuple[StatefulOperation, Any]:
    """The operation, and what PyFlink's loop calls for each row, which it takes before the operation is opened."""
    description = UserDefinedDataStreamFunction(
        function_type=UserDefinedDataStreamFunction.KEYED_PROCESS, payload=cloudpickle.dumps(function)
    )
    operation = StatefulOperation(description, Backend(), None)
    process_element = operation.process_element
    operation.open()
    return operation, process_element


def test_rows_that_come_together_are_given_together_by_key_and_come_back_in_order() -> None:
    operation, process_element = opened(Sized())
    assert isinstance(operation, BundleOperation)
    for row in ROWS:
        process_element(CODER.get_impl().decode(CODER.get_impl().encode(row)))
    written = [OUT.get_impl().encode(row) for row in operation.finish_bundle()]
    expected = [Row(10 * k, 5, Row(float(k), (4, 3)[k // 2 % 2])) for k in range(7)]
    assert written == [OUT.get_impl().encode(row) for row in expected]
    assert operation.keyed_state_backend.keys == ["a", "b"]
    assert operation.internal_timer_service.current_watermark() == 5
    assert operation.finish_bundle() == []


class Handler:
    """Notes what it is reported to write, and which answers are waited for."""

    _state_cache = _underlying = _context = None

    def __init__(self, error: str = "") -> None:
        self.notes: list[str] = []
        self._error = error

    def extend(self, state_key: Any, coder: Any, elements: list[Any]) -> Any:
        self.notes.append(f"write {elements[0]}")
        return SimpleNamespace(get=lambda: self._answer(elements[0]))

    def _answer(self, element: Any) -> Any:
        self.notes.append(f"answer {element}")
        return SimpleNamespace(error=self._error)


def backend_of(handler: Handler) -> RemoteKeyedStateBackend:
    backend = RemoteKeyedStateBackend(handler, row_coder(key=CharCoder()), None, 2, 0, 0)
    state_writes.commit_together(backend)
    log = backend.get_list_state("log", IntCoder())
    for k in range(3):
        backend.set_current_key(Row(str(k)))
        log.add(k)
    return backend


def test_states_are_all_written_before_the_first_answer_is_waited_for() -> None:
    handler = Handler()
    backend = backend_of(handler)
    backend.commit()
    assert sorted(handler.notes[:3]) == ["write 0", "write 1", "write 2"]
    assert sorted(handler.notes[3:]) == ["answer 0", "answer 1", "answer 2"]
    backend.commit()
    assert len(handler.notes) == 6


def test_state_that_is_not_taken_fails_the_bundle() -> None:
    with pytest.raises(RuntimeError, match="state could not be written: no room"):
        backend_of(Handler("no room")).commit()


def test_pyflinks_loop_still_gives_an_operation_of_bundles_all_rows() -> None:
    """The one place in PyFlink that batches rest on: when it has changed, `row_batches` must be looked at."""
    source = Path(beam_operations.__file__).parent / "beam_operations_fast.pyx"
    loop = " ".join(source.read_text().split())
    assert (
        "if isinstance(self.operation, BundleOperation): while input_processor.has_next():"
        " self.process_element(input_processor.next())"
        " self._main_output_processor.process_outputs(o, self.operation.finish_bundle())"
    ) in loop
    # Taken before `open`: so what it calls must be what can be exchanged.
    assert "self.process_element = self.operation.process_element self.operation.open()" in loop


@pytest.mark.parametrize("reason", ["another PyFlink", "thread mode", "not asked for"])
def test_without_it_rows_come_one_by_one(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason == "thread mode":
        # No operation of a worker process opens the function.
        assert not take_batches(Sized())
        return
    if reason == "another PyFlink":
        monkeypatch.setattr(row_batches, "_being_opened", lambda: None)
    operation, process_element = opened(Sized(batches=reason != "not asked for"))
    assert not isinstance(operation, BundleOperation)
    out = [row for came in ROWS for row in process_element(came)]
    assert out == [Row(10 * k, 5, Row(float(k), 1)) for k in range(7)]
    assert coder_impl_fast.Row is Row


def test_a_light_row_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    coder = ELEMENT.get_impl()
    as_it_was = coder.decode(coder.encode(ROWS[3][2]))
    row_batches.lighten_rows()
    light = coder.decode(coder.encode(ROWS[3][2]))
    assert type(light) is type(light.element) is LightRow
    assert light == as_it_was
    assert as_it_was == light
    assert light != Row("a")
    assert (repr(light), hash(light.element), light.get_row_kind()) == (
        repr(as_it_was), hash(as_it_was.element), RowKind.INSERT
    )  # fmt: skip
    assert light.element.as_dict() == {"symbol": "AMZN", "price": 3.0}
    assert coder.encode(light) == coder.encode(as_it_was)
    assert pickle.loads(pickle.dumps(light)) == as_it_was
    kept = SimpleNamespace(row=light)
    assert kept.row["element"]["price"] == 3.0
