"""Runs the Lambda sink's operator without Flink: state is pickled at each commit, and tests fire the timers."""

import base64
import json
import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

from base.aws import Aws
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.lambda_sink.pending import NO_TIMESTAMP, unpacked
from connectors.lambda_sink.sink import END_OF_INPUT, LambdaSink

OPTIONS = LambdaSinkOptions("f", Aws("us-east-1"), batch_seconds=0.02)


class FakeFunction:
    """A Lambda function that answers ``Ok`` by default, and remembers the calls that it got."""

    def __init__(self, fate: Callable[[dict[str, Any]], str] = lambda row: "Ok") -> None:
        self.fate = fate
        self.sent: list[list[dict[str, Any]]] = []
        self.ids: list[list[str]] = []

    def invoke(self, payload: bytes) -> bytes:
        records = json.loads(payload)["records"]
        rows = [json.loads(base64.b64decode(r["data"])) for r in records]
        self.sent.append(rows)
        self.ids.append([r["recordId"] for r in records])
        results = [
            {"recordId": r["recordId"], "result": self.fate(row)}
            for r, row in zip(records, rows, strict=True)
        ]
        return json.dumps({"records": results}).encode()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for batch in self.sent for row in batch]


#: State of all buckets at a commit, by name and bucket, pickled as by Flink.
Backend = dict[tuple[str, int], bytes]


class FakeState:
    """Keyed map state that reaches the backend at a commit."""

    def __init__(self, name: str, backend: Backend) -> None:
        self.name, self.backend = name, backend
        self.live: dict[int, dict[int, Any]] = {}
        self.key = -1

    def _map(self) -> dict[int, Any]:
        if self.key not in self.live:
            self.live[self.key] = pickle.loads(self.backend.get((self.name, self.key), pickle.dumps({})))
        return self.live[self.key]

    def put(self, key: int, value: Any) -> None:
        self._map()[key] = value

    def remove(self, key: int) -> None:
        del self._map()[key]

    def clear(self) -> None:
        self._map().clear()

    def items(self) -> Iterator[tuple[int, Any]]:
        return iter(self._map().items())

    def commit(self) -> None:
        self.backend.update({(self.name, key): pickle.dumps(value) for key, value in self.live.items()})


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
        self, function: Any, options: LambdaSinkOptions = OPTIONS, backend: Backend | None = None
    ) -> None:
        self.backend: Backend = {} if backend is None else backend
        self.states: dict[str, FakeState] = {}
        self.metrics = Metrics()
        self.timers: set[tuple[int, int]] = {(END_OF_INPUT, bucket) for _, bucket in self.backend}
        self.errors: list[Any] = []
        self.now = 1_000_000
        self.rowtime = NO_TIMESTAMP
        self.operator = LambdaSink(("n",), options, make_function=lambda _: function)
        self.operator.open(self)
        self.operator.timers = self
        self.bucket = 0

    def get_map_state(self, descriptor: Any) -> FakeState:
        return self.states.setdefault(descriptor.name, FakeState(descriptor.name, self.backend))

    def get_metrics_group(self) -> Metrics:
        return self.metrics

    def get_current_key(self) -> int:
        return self.bucket

    def timer_service(self) -> "Harness":
        return self

    def current_processing_time(self) -> int:
        return self.now

    def register_processing_time_timer(self, timestamp: int) -> None:
        self.timers.add((timestamp, self.bucket))

    register_event_time_timer = register_processing_time_timer

    def send(self, *values: Any, bucket: int = 0) -> None:
        """Send rows with these values of ``n`` in one batch."""
        self._key(bucket)
        times = [self.rowtime] * len(values)
        self.errors += self.operator.process_batch(bucket, [[value] for value in values], times)

    def fire(self, until: int) -> None:
        self.now = until
        for timestamp, bucket in sorted(t for t in self.timers if t[0] <= until):
            self.timers.discard((timestamp, bucket))
            self._key(bucket)
            self.errors += self.operator.on_timer(timestamp, self)

    def tick(self) -> None:
        self.fire(self.now + 1000)

    def end(self) -> None:
        self.fire(END_OF_INPUT)

    def commit(self) -> None:
        for state in self.states.values():
            state.commit()

    def pending(self) -> list[Any]:
        """The values of ``n`` in the committed state, in order of their buckets."""
        self.commit()
        found = []
        for (_, bucket), entries in sorted(self.backend.items()):
            for _, packed in sorted(pickle.loads(entries).items()):
                found += [json.loads(row.data)["n"] for row in unpacked(packed, bucket)]
        return found

    def until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            self.tick()
            time.sleep(0.005)

    def _key(self, bucket: int) -> None:
        self.bucket = bucket
        for state in self.states.values():
            state.key = bucket
