"""The state channel, against gRPC's own server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from udfs.state_channel import StateChannel

METHOD = "/test.State/State"


class Echo(grpc.GenericRpcHandler):
    """Answers each message with its length and the caller's name; ends the stream after b"end"."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        assert details.method == METHOD
        worker = dict(details.invocation_metadata)["worker_id"].encode()

        def answer(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            for request in requests:
                if request == b"end":
                    return
                yield worker + b" %d " % len(request) + request[-20:]

        return grpc.stream_stream_rpc_method_handler(answer)


@pytest.fixture
def channel() -> Iterator[StateChannel]:
    server = grpc.server(ThreadPoolExecutor(2), [Echo()], options=[("grpc.max_receive_message_length", -1)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    found = StateChannel(f"127.0.0.1:{port}", METHOD, {"worker_id": "w" * 300})
    yield found
    found.close()
    server.stop(None)


def answers(requests: list[bytes]) -> list[bytes]:
    return [b"w" * 300 + b" %d " % len(r) + r[-20:] for r in requests]


def test_each_of_many_requests_has_its_answer(channel: StateChannel) -> None:
    for requests in ([b"one"], [], [b"%d" % k for k in range(3_000)], [b"two", b""]):
        assert channel.exchange(requests) == answers(requests)


def test_requests_beyond_all_windows(channel: StateChannel) -> None:
    requests = [bytes([k]) * size for k, size in enumerate((5_000_000, 1, 70_000, 16_384, 16_379, 3_000_000))]
    assert channel.exchange(requests) == answers(requests)


def test_an_ended_stream_is_an_error(channel: StateChannel) -> None:
    channel.exchange([b"x"])
    with pytest.raises(ConnectionError, match=r"state service ended the stream.*grpc-status"):
        channel.exchange([b"x", b"end", b"y"])
