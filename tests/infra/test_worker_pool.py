"""Workers that run as threads of this process."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from infra import worker_pool
from tests.waiting import until

_FN = "org.apache.beam.model.fn_execution.v1"


class Runner(grpc.GenericRpcHandler):  # type: ignore[misc]
    """What the JVM serves: states; and control, which it ends with an error."""

    def __init__(self) -> None:
        self.states, self.ended = threading.Event(), threading.Event()

    def service(self, call: Any) -> Any:
        if call.method == f"/{_FN}.BeamFnControl/Control":
            return grpc.stream_stream_rpc_method_handler(self.control)
        return grpc.stream_stream_rpc_method_handler(self.state)

    def control(self, requests: Any, context: Any) -> Iterator[bytes]:
        self.states.wait()
        context.abort(grpc.StatusCode.CANCELLED, "Runner closed connection")
        yield b""

    def state(self, requests: Any, context: Any) -> Iterator[bytes]:
        self.states.set()
        yield from (b"" for _ in requests if False)
        self.ended.set()


@pytest.mark.flink
def test_a_worker_that_the_jvm_ends_with_an_error_closes_its_state_channel() -> None:
    from apache_beam.portability.api import endpoints_pb2
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    worker_pool.install()
    runner, server = Runner(), grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((runner,))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        worker = SdkHarness(address, worker_id="1-1")
        worker._state_handler_factory.create_state_handler(endpoints_pb2.ApiServiceDescriptor(url=address))
        with pytest.raises(grpc.RpcError, match="Runner closed connection"):
            worker.run()
        until(runner.ended.is_set, "the end of the state channel")
    finally:
        server.stop(None)
