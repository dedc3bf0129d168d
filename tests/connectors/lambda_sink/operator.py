"""Runs the Lambda sink's operator without Flink: state is pickled at each commit, and tests fire the timers."""

import base64
import json
import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

from pyflink.common import Row

from base.aws import Aws
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.lambda_sink.sink import END_OF_INPUT, NO_TIMESTAMP, LambdaSink

OPTIONS = LambdaSinkOptions("f", Aws("us-east-1"), batch_seconds=0.02)


class FakeFunction:
    """A Lambda function that answers ``Ok`` by default, and remembers the calls that it got."""

    def __init__(self, fate: Callable[[dict[str, Any]], str] = lambda row: "Ok") -> None:
        self.fate = fate
        self.sent: list[list[dict[str, Any]]] = []

    def invoke(self, payload: bytes) -> bytes:
        records = json.loads(payload)["records"]
        rows = [json.loads(base64.b64decode(r["data"])) for r in records]
        self.sent.append(rows)
        results = [
            {"recordId": r["recordId"], "result": self.fate(row)}
            for r, row in zip(records, rows, strict=True)
        ]
        return json.dumps({"records": results}).encode()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for batch in self.sent for row in batch]


class FakeState:
    """Keyed map state that reaches the backend at a commit, pickled as by Flink."""

    def __init__(self, backend: dict[int, bytes]) -> None:
        self.backend = backend
        self.live: dict[int, dict[int, Any]] = {}
        self.key = -1

    def _map(self) -> dict[int, Any]:
        if self.key not in self.live:
            self.live[self.key] = pickle.loads(self.backend.get(self.key, pickle.dumps({})))
        return self.live[self.key]

    def put(self, key: int, value: Any) -> None:
        assert key not in self._map(), "a pending row was overwritten"
        self._map()[key] = value

    def remove(self, key: int) -> None:
        del self._map()[key]

    def items(self) -> Iterator[tuple[int, Any]]:
        return iter(self._map().items())

    def commit(self) -> None:
        self.backend.update({key: pickle.dumps(value) for key, value in self.live.items()})


class Metrics:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.gauges: dict[str, Callable[[], int]] = {}

    def add_group(self, _: str) -> "Metrics":
        return self

    def counter(self, name: str) -> Any:
        self.counts[name] = 0

        def inc(n: int = 1) -> None:
            self.counts[name] += n

        return type("Counter", (), {"inc": staticmethod(inc)})

    def gauge(self, name: str, read: Callable[[], int]) -> None:
        self.gauges[name] = read


class Harness:
    """Runs the operator as Flink would: it sets the key and keeps timers; after a crash only commits are left."""

    def __init__(
        self, function: Any, options: LambdaSinkOptions = OPTIONS, backend: dict[int, bytes] | None = None
    ) -> None:
        self.state = FakeState({} if backend is None else backend)
        self.metrics = Metrics()
        self.timers: set[tuple[int, int]] = {(END_OF_INPUT, bucket) for bucket in self.state.backend}
        self.errors: list[Row] = []
        self.now = 1_000_000
        self.rowtime = NO_TIMESTAMP
        self.operator = LambdaSink(options, make_function=lambda _: function)
        self.operator.open(self)
        self.bucket = 0

    def get_map_state(self, _: Any) -> FakeState:
        return self.state

    def get_metrics_group(self) -> Metrics:
        return self.metrics

    def timestamp(self) -> int:
        return self.rowtime

    def get_current_key(self) -> int:
        return self.bucket

    def timer_service(self) -> "Harness":
        return self

    def current_processing_time(self) -> int:
        return self.now

    def register_processing_time_timer(self, timestamp: int) -> None:
        self.timers.add((timestamp, self.bucket))

    register_event_time_timer = register_processing_time_timer

    def send(self, row: dict[str, Any], bucket: int = 0) -> None:
        self.state.key = self.bucket = bucket
        self.errors += self.operator.process_element(Row(bucket, json.dumps(row).encode()), self)

    def fire(self, until: int) -> None:
        self.now = until
        for timestamp, bucket in sorted(t for t in self.timers if t[0] <= until):
            self.timers.discard((timestamp, bucket))
            self.state.key = self.bucket = bucket
            self.errors += self.operator.on_timer(timestamp, self)

    def tick(self) -> None:
        self.fire(self.now + 1000)

    def end(self) -> None:
        self.fire(END_OF_INPUT)

    def pending(self) -> int:
        self.state.commit()
        return sum(len(pickle.loads(rows)) for rows in self.state.backend.values())

    def until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            self.tick()
            time.sleep(0.005)
