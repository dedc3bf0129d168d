"""The channel for state, in a worker that ends."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.worker.sdk_worker import GrpcStateHandlerFactory
from apache_beam.runners.worker.statecache import StateCache

from udfs.state_writes import commit_together


class State(grpc.GenericRpcHandler):
    """The JVM's service; `ended` is set when both channels are closed: the worker's and ours."""

    def __init__(self) -> None:
        self.both, self.ended = threading.Barrier(3), threading.Barrier(3)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def answer(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            context.add_callback(lambda: threading.Thread(target=self.ended.wait, daemon=True).start())
            self.both.wait(30)
            yield from ()
            for _ in requests:
                pass

        return grpc.stream_stream_rpc_method_handler(answer)


class Worker:
    """What PyFlink's worker is on the call stack while it opens an operation."""

    def __init__(self, factory: Any) -> None:
        self.bundle_processor_cache = SimpleNamespace(state_handler_factory=factory)

    def open(self, backend: Any) -> None:
        commit_together(backend)


def test_the_channel_ends_with_the_worker() -> None:
    """The JVM waits a minute for a channel that is open: a stop, a test and a demo would take a minute longer."""
    service = State()
    server = grpc.server(ThreadPoolExecutor(4), [service])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    factory = GrpcStateHandlerFactory(StateCache(0))
    backend = SimpleNamespace(
        _state_handler=factory.create_state_handler(endpoints_pb2.ApiServiceDescriptor(url=address)),
        _internal_state_cache=SimpleNamespace(),
        commit=lambda: None,
    )
    Worker(factory).open(backend)
    service.both.wait(30)
    factory.close()
    service.ended.wait(30)
    server.stop(None)
