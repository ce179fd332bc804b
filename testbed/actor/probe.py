"""Round-trip time of small datagrams to another actor: what the network takes while nothing else uses it."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable

from testbed.actor.loop import Loop

_MESSAGE = struct.Struct("!QQ")
_PADDING = bytes(48)
_GRACE_NS = 500_000_000


class Echo:
    """Sends back each datagram that comes to an own address."""

    def __init__(self, loop: Loop, address: str, port: int) -> None:
        self._loop = loop
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind((address, port))
        except OSError:
            self._socket.close()
            raise
        loop.watch(self._socket.fileno(), select.EPOLLIN, self._ready)

    def close(self) -> None:
        """Echo no more."""
        self._loop.forget(self._socket.fileno())
        self._socket.close()

    def _ready(self, _: int) -> None:
        try:
            while True:
                data, peer = self._socket.recvfrom(2048)
                self._socket.sendto(data, peer)
        except OSError:
            return  # nothing more to read, or no room to answer: to the prober that is a loss


class Probe:
    """Sends `count` datagrams, one every `every_ns`; `on_done` gets the round-trip times in ns of those answered."""

    def __init__(
        self,
        loop: Loop,
        bind: str,
        peer: tuple[str, int],
        count: int,
        every_ns: int,
        on_done: Callable[[list[int]], None],
    ) -> None:
        self._loop = loop
        self._count = count
        self._every_ns = every_ns
        self._on_done = on_done
        self._sent = 0
        self._times: dict[int, int] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind((bind, 0))
            self._socket.connect(peer)
        except OSError:
            self._socket.close()
            raise
        loop.watch(self._socket.fileno(), select.EPOLLIN, self._ready)
        self._timer = loop.call_at(0, self._send)

    def close(self) -> None:
        """Probe no more."""
        self._timer.cancel()
        self._loop.forget(self._socket.fileno())
        self._socket.close()

    def _send(self) -> None:
        now = time.monotonic_ns()
        with contextlib.suppress(OSError):  # refused or no room: not answered, which is what is counted
            self._socket.send(_MESSAGE.pack(self._sent, now) + _PADDING)
        self._sent += 1
        more = self._sent < self._count
        self._timer = self._loop.call_at(
            now + (self._every_ns if more else _GRACE_NS), self._send if more else self._finish
        )

    def _ready(self, _: int) -> None:
        try:
            while True:
                number, sent_ns = _MESSAGE.unpack_from(self._socket.recv(2048))
                self._times[number] = time.monotonic_ns() - sent_ns
        except OSError:
            pass
        if len(self._times) >= self._count:
            self._finish()

    def _finish(self) -> None:
        self.close()
        self._on_done([self._times[number] for number in sorted(self._times)])
