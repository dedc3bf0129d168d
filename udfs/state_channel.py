"""Many requests to the JVM's state service in one go.

PyFlink sends each request for state as a message of its own through gRPC's Python client, which passes it from thread
to thread: 0.2 ms of CPU each. This client writes all requests of a bundle to the socket at once and then reads all
answers. It speaks as much of HTTP/2 as that takes: one stream, and the flow control of both sides.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Kinds of frames.
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GO_AWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
# Flags: of settings and pings, of the others, and of headers.
_ACKNOWLEDGED, _LAST, _COMPLETE = 1, 1, 4
# Settings.
_INITIAL_WINDOW, _LONGEST_FRAME = 4, 5
#: The one stream.
_STREAM = 1
#: How far the server may write ahead: as far as the protocol allows. Renewed when half of it is used.
_WINDOW = 2**31 - 1
#: Bytes of an answer at least, and how many bytes to wait for at most, in less than the system's buffer.
_SHORTEST_ANSWER, _MOST_AT_ONCE = 8, 32_768
#: How long to wait for that many bytes, before waiting for any: seconds and microseconds.
_PATIENCE = struct.pack("ll", 0, 100_000)
#: Windows before settings and updates.
_USUAL_WINDOW = 65_535


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
        self._received = bytearray()
        self._messages = bytearray()
        self._longest_frame = 16_384
        self._first_window = self._stream_window = self._window = _USUAL_WINDOW
        self._unacknowledged = 0
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": method,
            ":authority": address,
            "content-type": "application/grpc",
            "te": "trailers",
        } | dict(metadata)
        self._socket.sendall(
            _PREFACE
            + _frame(_SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW, _WINDOW))
            + _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _WINDOW - _USUAL_WINDOW))
            + _frame(_HEADERS, _COMPLETE, _STREAM, b"".join(map(_header, headers.items())))
        )

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
        sent = 0
        while sent < len(data):
            room = min(self._window, self._stream_window, len(data) - sent)
            if room <= 0:
                self._receive()
                continue
            frames = []
            for k in range(sent, sent + room, self._longest_frame):
                part = data[k : min(k + self._longest_frame, sent + room)]
                frames += [_frame_head(len(part), _DATA, 0, _STREAM), part]
            self._socket.sendall(b"".join(frames))
            self._window -= room
            self._stream_window -= room
            sent += room

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
        self._received += given
        start = 0
        while len(self._received) - start >= 9:
            length = int.from_bytes(self._received[start : start + 3], "big")
            kind, flags = self._received[start + 3], self._received[start + 4]
            stream = int.from_bytes(self._received[start + 5 : start + 9], "big")
            if len(self._received) - start < 9 + length:
                break
            self._act(kind, flags, stream, bytes(self._received[start + 9 : start + 9 + length]))
            start += 9 + length
        del self._received[:start]

    def _act(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == _DATA:
            self._messages += body
            self._acknowledge(len(body))
        elif kind == _SETTINGS and not flags & _ACKNOWLEDGED:
            for setting, number in struct.iter_unpack(">HI", body):
                if setting == _INITIAL_WINDOW:
                    self._stream_window += number - self._first_window
                    self._first_window = number
                elif setting == _LONGEST_FRAME:
                    self._longest_frame = number
            self._socket.sendall(_frame(_SETTINGS, _ACKNOWLEDGED, 0, b""))
        elif kind == _PING and not flags & _ACKNOWLEDGED:
            self._socket.sendall(_frame(_PING, _ACKNOWLEDGED, 0, body))
        elif kind == _WINDOW_UPDATE:
            if stream:
                self._stream_window += int.from_bytes(body, "big")
            else:
                self._window += int.from_bytes(body, "big")
        if kind in (_RESET, _GO_AWAY) or (kind in (_DATA, _HEADERS) and flags & _LAST):
            raise ConnectionError(f"the JVM's state service ended the stream: {body!r:.300}")

    def _acknowledge(self, size: int) -> None:
        self._unacknowledged += size
        if self._unacknowledged > _WINDOW // 2:
            more = struct.pack(">I", self._unacknowledged)
            self._socket.sendall(
                _frame(_WINDOW_UPDATE, 0, 0, more) + _frame(_WINDOW_UPDATE, 0, _STREAM, more)
            )
            self._unacknowledged = 0

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


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return _frame_head(len(body), kind, flags, stream) + body


def _frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    return length.to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream)


def _header(header: tuple[str, str]) -> bytes:
    """A header that is not compressed."""
    return b"\0" + b"".join(_length(len(text)) + text.encode() for text in header)


def _length(length: int) -> bytes:
    """The length of a text, in seven bits or, if it is longer, in seven bits a byte after that."""
    if length < 127:
        return bytes([length])
    out, rest = bytearray([127]), length - 127
    while rest >= 128:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)
