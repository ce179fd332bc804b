"""Messages as lines of JSON over a stream socket, without blocking; used at both ends of the control channel."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable
from typing import Any, ClassVar

from testbed.actor.loop import Loop
from testbed.actor.protocol import LONGEST_LINE, ProtocolError

_READ = 1 << 18
_encoder = json.JSONEncoder(separators=(",", ":"))


def _encode(message: Any) -> bytes:
    return _encoder.encode(message).encode()


class Channel:
    """A connection that carries one JSON object per line each way.

    `on_message` gets each message; `on_closed` gets, once, why the connection ended ('' where the other end closed it).
    """

    longest_line: ClassVar[int] = LONGEST_LINE

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        on_message: Callable[[dict[str, Any]], None],
        on_closed: Callable[[str], None],
        encode: Callable[[Any], bytes] = _encode,
        decode: Callable[[bytes], Any] = json.loads,
    ) -> None:
        connection.setblocking(False)
        self._loop = loop
        self._socket = connection
        self._on_message = on_message
        self._on_closed = on_closed
        self._encode = encode
        self._decode = decode
        self._in = b""
        self._out = bytearray()
        self.open = True
        self.sent_bytes = 0
        self.received_bytes = 0
        loop.watch(connection.fileno(), select.EPOLLIN, self._ready)

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message, and write what the socket takes now; after the end of the connection it goes nowhere."""
        if not self.open:
            return
        line = self._encode(message) + b"\n"
        self.sent_bytes += len(line)
        waiting = bool(self._out)
        self._out += line
        if not waiting:
            self._write()

    def close(self, reason: str = "") -> None:
        """End the connection, once, and tell `on_closed` why."""
        if not self.open:
            return
        self.open = False
        self._loop.forget(self._socket.fileno())
        self._socket.close()
        self._on_closed(reason)

    def _ready(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._write()
        if self.open and events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._read()

    def _write(self) -> None:
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            self._loop.watch(self._socket.fileno(), select.EPOLLIN | select.EPOLLOUT, self._ready)
        except OSError as error:
            self.close((error.strerror or str(error)).lower())
        else:
            self._loop.watch(self._socket.fileno(), select.EPOLLIN, self._ready)

    def _read(self) -> None:
        try:
            data = self._receive(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self.close((error.strerror or str(error)).lower())
            return
        if not data:
            self.close()
            return
        self.received_bytes += len(data)
        lines = (self._in + data).split(b"\n") if self._in else data.split(b"\n")
        self._in = lines.pop()
        try:
            if len(self._in) > self.longest_line:
                raise ProtocolError(f"a message of more than {self.longest_line} bytes")
            for line in lines:
                if self.open:
                    self._on_message(self._parse(line))
        except ProtocolError as error:
            self._not_understood(str(error))

    def _receive(self, most: int) -> bytes:
        return self._socket.recv(most)

    def _not_understood(self, reason: str) -> None:
        self.close(reason)

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            message = self._decode(line)
        except (ValueError, RecursionError):  # the standard library's reader has no bound of its own
            message = None
        if not isinstance(message, dict):
            start = line[:60].decode(errors="replace")
            raise ProtocolError(f"expected one JSON object per line, found {start!r}")
        return message
