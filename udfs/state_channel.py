"""Many requests to the JVM's state service in one go.

PyFlink sends each request for state as a message of its own through gRPC's Python client, which passes it from thread
to thread: 0.2 ms of CPU each. This client writes all requests of a bundle to the socket at once and then reads all
answers. HTTP/2 is the library h2's; what is here is the socket and gRPC's five bytes before each message.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The one stream.
_STREAM = 1
#: How far the server may write ahead: as far as the protocol allows. h2 renews it when half of it is used.
_WINDOW = 2**31 - 1
#: The window that a connection starts with.
_USUAL_WINDOW = 65_535
#: Bytes of an answer at least, and how many bytes to wait for at most, in less than the system's buffer.
_SHORTEST_ANSWER, _MOST_AT_ONCE = 8, 32_768
#: How long to wait for that many bytes, before waiting for any: seconds and microseconds.
_PATIENCE = struct.pack("ll", 0, 100_000)
_ENDS = (StreamEnded, StreamReset, ConnectionTerminated)


class StateChannel:
    """A stream of gRPC messages to a server, without TLS.

    Parameters
    ----------
    address : str
        ``host:port``.
    method : str
        The path of a gRPC method that takes and gives a stream.
    metadata : mapping of str
        The call's metadata.

    Raises
    ------
    OSError
        If the server can't be reached.
    """

    def __init__(self, address: str, method: str, metadata: Mapping[str, str]) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host.strip("[]"), int(port)))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._messages = bytearray()
        self._http = H2Connection()
        ours = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW}
        self._http.local_settings = Settings(initial_values=ours)
        self._http.initiate_connection()
        self._http.increment_flow_control_window(_WINDOW - _USUAL_WINDOW)
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": method,
            ":authority": address,
            "content-type": "application/grpc",
            "te": "trailers",
        } | dict(metadata)
        self._http.send_headers(_STREAM, list(headers.items()))
        self._flush()

    def exchange(self, requests: Sequence[bytes]) -> list[bytes]:
        """Send requests; returns an answer to each, in the order in which the server gave them.

        Raises
        ------
        ConnectionError
            If the server ends the stream.
        """
        self._send(b"".join(b"\0" + struct.pack(">I", len(r)) + r for r in requests))
        answers = list(self._answers())
        while (missing := len(requests) - len(answers)) > 0:
            self._receive(missing * _SHORTEST_ANSWER)
            answers += self._answers()
        return answers

    def close(self) -> None:
        """End the stream."""
        self._socket.close()

    def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            room = min(self._http.local_flow_control_window(_STREAM), self._http.max_outbound_frame_size)
            if room > 0:
                self._http.send_data(_STREAM, rest[:room])
                rest = rest[room:]
            else:
                self._flush()
                self._receive()
        self._flush()

    def _flush(self) -> None:
        """Send what h2 has to send."""
        if waiting := self._http.data_to_send():
            self._socket.sendall(waiting)

    def _receive(self, expected: int = 1) -> None:
        """Wait for bytes from the server, and act on the frames that are complete.

        The server sends each answer by itself. To wake up for each would cost both sides more than the answer, so this
        waits until most of the ``expected`` bytes have come.
        """
        given = None
        while given is None:
            least = min(expected, _MOST_AT_ONCE)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)
            try:
                given = self._socket.recv(1 << 17)
            except BlockingIOError:
                # Fewer bytes come if the stream has ended.
                expected = 1
        if not given:
            raise ConnectionError("the JVM's state service closed the connection")
        try:
            events = self._http.receive_data(given)
        except ProtocolError as error:
            raise ConnectionError(f"the JVM's state service broke HTTP/2: {error}") from error
        received, others = 0, []
        for event in events:
            if isinstance(event, DataReceived):
                self._messages += event.data
                received += event.flow_controlled_length
            else:
                others.append(event)
        if any(isinstance(event, _ENDS) for event in others):
            # gRPC's status and message are in the headers that came with it.
            raise ConnectionError(f"the JVM's state service ended the stream: {others!r:.500}")
        if received:
            self._http.acknowledge_received_data(received, _STREAM)
        self._flush()

    def _answers(self) -> Iterator[bytes]:
        """The complete messages that have come."""
        start = 0
        while len(self._messages) - start >= 5:
            end = start + 5 + int.from_bytes(self._messages[start + 1 : start + 5], "big")
            if len(self._messages) < end:
                break
            yield bytes(self._messages[start + 5 : end])
            start = end
        del self._messages[:start]
