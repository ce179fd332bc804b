"""The receiving side: bytes are counted and thrown away inside the kernel, instants taken when they are seen."""

from __future__ import annotations

import select
import socket
import time

from testbed.actor.loop import Loop
from testbed.actor.outbox import Outbox
from testbed.actor.protocol import HEADER, MAGIC

_BACKLOG = 4096
_AT_ONCE = 1 << 20
_LARGEST_GRAIN = 256 << 10  # bytes
_sink = bytearray(_AT_ONCE)  # never written: MSG_TRUNC discards in the kernel, a third of the cost


class Incoming:
    """One connection from a sender: a header that names the flow, then its bytes."""

    def __init__(self, receiver: Receiver, connection: socket.socket, peer: str) -> None:
        self._receiver = receiver
        self._outbox = receiver.outbox
        self._socket = connection
        self._peer = peer
        self._header = b""
        self._size = 0
        self._low_water = 1
        self._fitted_ns = 0
        self._fitted_at = 0
        self.flow = -1
        self.received = 0
        self.first_byte_ns = 0
        receiver.loop.watch(connection.fileno(), select.EPOLLIN, self._read_header)

    def close(self) -> None:
        """Close the connection; the sender sees it."""
        self._receiver.loop.forget(self._socket.fileno())
        self._socket.close()
        self._receiver.gone(self)

    def _read_header(self, _: int) -> None:
        try:
            data = self._socket.recv(HEADER.size - len(self._header))
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        self._header += data
        if data and len(self._header) < HEADER.size:
            return
        magic, flow, size = HEADER.unpack(self._header.ljust(HEADER.size, b"\0"))
        if magic != MAGIC:
            found = self._header[:16]
            self._outbox.put("errors", (-1, f"connection from {self._peer}: no flow header, found {found!r}"), True)
            self.close()
            return
        self.flow, self._size = flow, size
        self._receiver.flows[flow] = self
        self._receiver.loop.watch(self._socket.fileno(), select.EPOLLIN, self._read)
        self._outbox.put("accepted", flow, urgent=True)

    def _read(self, _: int) -> None:
        try:
            count = self._socket.recv_into(_sink, _AT_ONCE, socket.MSG_TRUNC)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        now = time.monotonic_ns()
        if not self.received:
            self.first_byte_ns = now
        self.received += count
        if count and self.received < self._size:
            self._fit_low_water(now)
            self._outbox.received(self.flow, self.received)
            return
        kind = "finished" if self.received >= self._size else "ended"
        self._outbox.put(kind, (self.flow, self.first_byte_ns, now, self.received), urgent=True)
        self.close()

    def _fit_low_water(self, now_ns: int) -> None:
        """Be woken when as much is there as comes in a grain of time, or all that is still to come."""
        grain_ns = self._receiver.grain_ns
        if not grain_ns:
            return
        fit, left = self._low_water, self._size - self.received
        elapsed = now_ns - self._fitted_ns
        if elapsed >= grain_ns:
            fit = max((self.received - self._fitted_at) * grain_ns // elapsed, 1)
            self._fitted_ns, self._fitted_at = now_ns, self.received
        fit = min(fit, left, _LARGEST_GRAIN)
        if self._low_water > left or not self._low_water // 2 <= fit <= self._low_water * 2:
            self._low_water = fit
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, fit)

    def _fail(self, error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        self._outbox.put("errors", (self.flow, f"receive from {self._peer}: {reason}"), urgent=True)
        self.close()


class Receiver:
    """Listeners on the data port, and all flows that come to this host."""

    def __init__(self, loop: Loop, outbox: Outbox) -> None:
        self.loop = loop
        self.outbox = outbox
        self.flows: dict[int, Incoming] = {}
        """By flow id, those whose header has come and whose bytes have not all."""
        self._connections: set[Incoming] = set()
        self._listeners: list[socket.socket] = []
        self.grain_ns = 0
        """How often a flow is attended to while its bytes come; 0: at each segment."""

    def listen(self, address: str, port: int) -> None:
        """Accept flows on an own address; OSError where that cannot be."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listeners.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
        self.loop.watch(listener.fileno(), select.EPOLLIN, lambda _: self._accept(listener))

    def gone(self, incoming: Incoming) -> None:
        """Forget a connection that is over."""
        self._connections.discard(incoming)
        self.flows.pop(incoming.flow, None)

    def close(self) -> None:
        """Close all connections and listeners."""
        for incoming in list(self._connections):
            incoming.close()
        for listener in self._listeners:
            self.loop.forget(listener.fileno())
            listener.close()
        self._listeners.clear()

    def _accept(self, listener: socket.socket) -> None:
        try:
            while True:
                connection, (host, port) = listener.accept()
                connection.setblocking(False)
                self._connections.add(Incoming(self, connection, f"{host}:{port}"))
        except BlockingIOError:
            return
