"""A flow that a local application sends by itself, on a connection that it shares with the actor."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from testbed.actor.loop import Loop, Timer
from testbed.actor.outbox import Outbox
from testbed.actor.tcp_info import acknowledged, tcp_info

_LOOK_NS = 5_000_000
"""How often bytes delivered are read off the connection ..."""
_LOOK_AT_THE_END_NS = 500_000
"""... and once the application has written its last: a flow's finish is that exact, at most."""


class ApplicationFlow:
    """Commanded as the actor's own flows are; `tell` passes what concerns the writing on to the application.

    Bytes delivered are those that the receiving host's kernel has acknowledged, as this host's kernel knows it: the
    receiving program takes no part. `on_over` gets, once, how it went, as fields of a message to the coordinator.
    """

    def __init__(
        self,
        flow: int,
        connection: socket.socket,
        loop: Loop,
        outbox: Outbox,
        tell: Callable[[dict[str, Any]], None],
        on_over: Callable[[dict[str, Any]], None],
    ) -> None:
        self.flow = flow
        self.sent = 0
        self.first_write_ns = 0
        self._socket = connection
        self._loop = loop
        self._outbox = outbox
        self._tell = tell
        self._on_over = on_over
        done, waiting, _ = acknowledged(connection)
        self._before = done + waiting  # what the connection carried before it became this flow
        self._since_ns = time.monotonic_ns()
        self._dscp = 0
        self._delivered = 0
        self._first_byte_ns = 0
        self._last_byte_ns = 0
        self._end: int | None = None  # bytes after which it is finished
        self._timer: Timer = loop.call_at(time.monotonic_ns() + _LOOK_NS, self._look)

    def start(self, at_ns: int, rate_Bps: float | None, dscp: int = 0) -> None:
        """Let the application write from an instant of CLOCK_MONOTONIC on, under a cap and with a DSCP."""
        self.mark(dscp)
        self._tell({"start": [self.flow, at_ns, rate_Bps]})

    def set_rate(self, rate_Bps: float | None) -> None:
        """Change the cap now: None for none, 0 to stop."""
        self._tell({"cap": [self.flow, rate_Bps]})

    def mark(self, dscp: int) -> None:
        """Send with this DSCP from now on, what already waits in the socket included."""
        if dscp != self._dscp:
            self._dscp = dscp
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)

    def cut(self) -> None:
        """Have the application stop for good."""
        self._tell({"cut": [self.flow]})
        self.end("cut")

    def wrote_first(self, instant_ns: int) -> None:
        """The application has written its first bytes."""
        if not self.first_write_ns:  # whatever it says: not before this was its flow, and not in the future
            self.first_write_ns = min(max(instant_ns, self._since_ns), time.monotonic_ns())
            self._outbox.put("started", (self.flow, self.first_write_ns))

    def finish(self) -> None:
        """The application has written its last byte: the flow is over when that has been delivered."""
        self._measure()
        self._end = self.sent
        self._look()

    def end(self, reason: str) -> None:
        """It is over where it is; why."""
        self._measure()
        self._over(reason)

    def close(self) -> None:
        """Leave it, as all flows of this host are left."""
        self.end("the run ended before it")

    def _look(self) -> None:
        self._timer.cancel()
        alive = self._measure()
        if self._end is not None and self._delivered >= self._end:
            self._over("")
        elif not alive:
            self._over(f"{self._why_closed()} after {self._delivered} bytes")
        else:
            self._outbox.received(self.flow, self._delivered)
            every_ns = _LOOK_NS if self._end is None else _LOOK_AT_THE_END_NS
            self._timer = self._loop.call_at(time.monotonic_ns() + every_ns, self._look)

    def _measure(self) -> bool:
        done, waiting, alive = acknowledged(self._socket)
        now_ns = time.monotonic_ns()
        most = done + waiting - self._before
        self.sent = max(most, 0)
        delivered = min(max(done - self._before, 0), self.sent if self._end is None else self._end)
        if delivered > self._delivered:
            self._first_byte_ns = self._first_byte_ns or now_ns
            self._delivered, self._last_byte_ns = delivered, now_ns
        return alive

    def _why_closed(self) -> str:
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return os.strerror(number).lower() if number else "the connection ended"

    def _over(self, reason: str) -> None:
        self._timer.cancel()
        sent = self.sent if self._end is None else self._end
        self._on_over(
            {
                "flow": self.flow,
                "first_ns": self._first_byte_ns,
                "last_ns": self._last_byte_ns or time.monotonic_ns(),
                "sent": sent,
                "delivered": self._delivered,
                "reason": reason,
                "tcp": tcp_info(self._socket),
            }
        )
        self._socket.close()
