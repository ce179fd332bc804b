"""The sending side: connections opened beforehand, started by this machine's clock, written through a pacing gate."""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Union

from testbed.actor.application_flow import ApplicationFlow
from testbed.actor.gate import WRITE_NS, Gate
from testbed.actor.loop import Loop, Timer
from testbed.actor.outbox import Outbox
from testbed.actor.protocol import HEADER, MAGIC
from testbed.actor.sockets import TCP_NOTSENT_LOWAT, UNSENT_LARGEST, UNSENT_SMALLEST, flow_socket
from testbed.actor.tcp_info import tcp_info

_EDGE = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET

_CONNECTING_AT_ONCE = 32
"""A burst of connection requests must not overrun a small switch buffer: a lost one costs a second."""

_UNSENT_NS = 10_000_000  # between its bounds, the kernel holds unsent what the flow sends in 10 ms, or in a grain

_WRITES_AT_ONCE = 8
_FIRST_WRITE = 16 << 10  # without a cap; then other flows that start at the same instant have their turn

_SAME_PACE = 0.1
"""A write that waits stays where it is when the cap changes by at most this share of the one that it waits under."""

_zeros = memoryview(bytes(1 << 20))


class Outgoing:
    """One flow that this host sends."""

    def __init__(
        self, sender: Sender, flow: int, size: int, own: tuple[str, int], peer: tuple[str, int], congestion: str
    ) -> None:
        self._sender = sender
        self._loop = sender.loop
        self._outbox = sender.outbox
        self.flow = flow
        self._size = size
        self._own = own
        self._peer = peer
        self._congestion = congestion
        self._socket: socket.socket | None = None
        self._gate = Gate(flow)
        self._timer: Timer | None = None
        self._timed_by_Bps = 0.0  # the cap under which the next write waits
        self._opened = False
        self._started = False
        self._cut = False
        self._blocked = False
        self._dscp = 0
        self._unsent = UNSENT_SMALLEST
        self._filled_ns = 0
        self._filled_at = 0
        self.sent = 0
        self.first_write_ns = 0

    def connect(self) -> None:
        """Begin to connect from the own address to the peer's."""
        try:
            self._socket = connection = flow_socket(self._own, self._congestion)
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, self._unsent)
            connection.connect(self._peer)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail("connect", error)
            return
        self._loop.watch(connection.fileno(), _EDGE, self._ready)

    def start(self, at_ns: int, rate_Bps: float | None, dscp: int = 0) -> None:
        """Write the first bytes at an instant of CLOCK_MONOTONIC, under a cap and with a DSCP."""
        self.mark(dscp)
        self._gate.write_every(self._sender.grain_ns)
        self._gate.set_rate(at_ns, rate_Bps)
        self._cancel_timer()
        self._timer = self._loop.call_at(at_ns, self._begin)

    def set_rate(self, rate_Bps: float | None) -> None:
        """Change the cap now: None for none, 0 to stop. A flow that has not started takes it along into its start."""
        self._gate.set_rate(time.monotonic_ns(), rate_Bps)
        if self._started and not self._blocked and not self._is_timed_for(rate_Bps):
            self._pump()

    def mark(self, dscp: int) -> None:
        """Send with this DSCP from now on, what already waits in the socket included."""
        if dscp == self._dscp or self._socket is None:
            return
        self._dscp = dscp
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)

    def cut(self) -> None:
        """Stop for good: what was written still arrives, then the receiver sees the end."""
        if self._cut or self._socket is None or not self._opened:
            return
        self._cut = True
        self._cancel_timer()
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._fail("cut", error)

    def close(self) -> None:
        """Leave at once, without a word to the coordinator."""
        self._cancel_timer()
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._sender.gone(self)

    def _begin(self) -> None:
        self._timer = None
        self._started = True
        self._pump(writes=1, most=_FIRST_WRITE)

    def _ready(self, events: int) -> None:
        if not self._opened:
            self._finish_connect()
        if self._socket is not None and events & (select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLERR):
            self._peer_closed()
        if self._socket is not None and self._blocked and events & select.EPOLLOUT:
            self._blocked = False
            self._pump()

    def _finish_connect(self) -> None:
        assert self._socket is not None
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._fail("connect", OSError(number, os.strerror(number)))
            return
        try:
            self._socket.send(HEADER.pack(MAGIC, self.flow, self._size))
        except OSError as error:
            self._fail("connect", error)
            return
        self._opened = True
        segment = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        self._gate.use_segment(time.monotonic_ns(), segment)
        self._sender.attempt_ended()
        self._outbox.put("opened", (self.flow, self._socket.getsockname()[1]), urgent=True)
        if self._started:
            self._pump()

    def _pump(self, writes: int = _WRITES_AT_ONCE, most: int = _zeros.nbytes) -> None:
        """Write what the gate and the socket allow, and arrange for the next time."""
        self._cancel_timer()
        connection = self._socket
        if connection is None or not self._opened or self._cut or self.sent >= self._size:
            return
        for _ in range(writes):
            now = time.monotonic_ns()
            remaining = self._size - self.sent
            allowed = self._gate.allowance(now, remaining)
            if not allowed:
                due = self._gate.due_ns(now, remaining)
                if due is not None:
                    self._pump_at(due)
                return
            allowed = min(allowed, most)
            try:
                written = connection.send(_zeros[:allowed])
            except BlockingIOError:
                written = 0
            except OSError as error:
                self._fail("send", error)
                return
            if written and not self.sent:
                self.first_write_ns = now
                self._outbox.put("started", (self.flow, now))
            self.sent += written
            self._gate.spend(written)
            if self.sent >= self._size:
                self._sender.written(self)
                return
            if written < allowed:  # the socket is full: epoll tells when it is not
                self._blocked = True
                self._fit_unsent(now)
                return
        self._pump_at(self._gate.due_ns(now, self._size - self.sent) or 0)  # in between other flows have their turn

    def _pump_at(self, due_ns: int) -> None:
        self._timed_by_Bps = self._gate.rate_Bps or 0.0
        self._timer = self._loop.call_at(due_ns, self._pump)

    def _is_timed_for(self, rate_Bps: float | None) -> bool:
        """Whether the next write waits for about the right instant. What is late or early the gate makes good."""
        if self._timer is None or rate_Bps is None:
            return False
        return abs(rate_Bps - self._timed_by_Bps) <= _SAME_PACE * self._timed_by_Bps

    def _fit_unsent(self, now_ns: int) -> None:
        """Let the kernel hold as much as goes out in some 10 ms: a fast flow need not be woken per segment."""
        unsent_ns = max(_UNSENT_NS, self._sender.grain_ns)
        elapsed, count = now_ns - self._filled_ns, self.sent - self._filled_at
        if elapsed < unsent_ns:
            return
        self._filled_ns, self._filled_at = now_ns, self.sent
        fit = min(max(count * unsent_ns // elapsed, UNSENT_SMALLEST), UNSENT_LARGEST)
        if not self._unsent // 2 <= fit <= self._unsent * 2 and self._socket is not None:
            self._unsent = fit
            self._socket.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, fit)

    def _peer_closed(self) -> None:
        """The receiver closes when it has all bytes, or after a cut; before that it is an error."""
        assert self._socket is not None
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._fail("send", OSError(number, os.strerror(number)))
        elif self.sent < self._size and not self._cut:
            self._fail("send", OSError(0, f"closed by the receiver after {self.sent} of {self._size} bytes"))
        else:
            self._outbox.put("done", (self.flow, self.sent, self._cut, *tcp_info(self._socket)), urgent=self._cut)
            self.close()

    def _fail(self, doing: str, error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        where = f"{doing} {self._own[0]} -> {self._peer[0]}:{self._peer[1]}"
        self._outbox.put("errors", (self.flow, f"{where}: {reason}"), urgent=True)
        self.close()
        if not self._opened:
            self._sender.attempt_ended()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


AnyOutgoing = Union[Outgoing, ApplicationFlow]  # noqa: UP007 # an actor may run under Python 3.9
"""What a host sends: the actor's own flows, and those of local applications. Both are commanded alike."""


class Sender:
    """All flows that this host sends."""

    def __init__(self, loop: Loop, outbox: Outbox) -> None:
        self.loop = loop
        self.outbox = outbox
        self.flows: dict[int, AnyOutgoing] = {}
        self._waiting: deque[Outgoing] = deque()
        self._connecting = 0
        self._next_attempts: Timer | None = None
        self.grain_ns = WRITE_NS
        """How often a flow that starts from now on is attended to."""
        self.when_written: Callable[[Outgoing], None] | None = None
        """Told of each flow whose last byte has been written."""

    def open(self, flow: int, size: int, own: tuple[str, int], peer: tuple[str, int], congestion: str) -> None:
        """Connect and announce a flow; a few at a time, the rest wait their turn. Own port 0: the kernel chooses."""
        outgoing = Outgoing(self, flow, size, own, peer, congestion)
        self.flows[flow] = outgoing
        self._waiting.append(outgoing)
        self._attempt_soon()

    def attempt_ended(self) -> None:
        """One more connection attempt has ended, well or not."""
        self._connecting -= 1
        self._attempt_soon()

    def written(self, outgoing: Outgoing) -> None:
        """A flow has nothing left to write."""
        if self.when_written is not None:
            self.when_written(outgoing)

    def gone(self, outgoing: Outgoing) -> None:
        """Forget a flow that is over."""
        self.flows.pop(outgoing.flow, None)

    def close(self) -> None:
        """Leave all flows at once."""
        self._waiting.clear()
        for outgoing in list(self.flows.values()):
            outgoing.close()
        self._connecting = 0

    def _attempt_soon(self) -> None:
        if self._next_attempts is None:  # in the next round, as attempts may fail one inside another
            self._next_attempts = self.loop.call_at(0, self._connect_more)

    def _connect_more(self) -> None:
        self._next_attempts = None
        while self._waiting and self._connecting < _CONNECTING_AT_ONCE:
            self._connecting += 1
            self._waiting.popleft().connect()
