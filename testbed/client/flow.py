"""A flow that a program sends: a connection whose writes the scheduler paces, stops and resumes."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from testbed.actor.gate import Gate
from testbed.actor.sockets import TCP_NOTSENT_LOWAT, UNSENT_LARGEST, UNSENT_SMALLEST
from testbed.client.connection import CoflowError, Connection

_UNSENT_UNCAPPED = 64 << 10
"""Bytes that the kernel holds unsent of a flow without a cap; of one with a cap, 10 ms' worth."""


class Flow:
    """A connected socket with a gate before it; a context manager. Made by `Coflow.flow`, `Client.flow` and `adopt`.

    `with` waits, at its end, until every byte has been delivered, and closes the connection. One thread writes.
    """

    def __init__(
        self, connection: Connection, number: int, size: int | None, own: socket.socket, adopted: bool
    ) -> None:
        self.id = number
        """Its number in the records."""
        self.socket = own
        """The connection: to read from it, and to set options. What is written to it directly is not scheduled."""
        self.size = size
        """Bytes, as stated; None for unknown."""
        self.sent = 0
        """Bytes written so far."""
        self._connection = connection
        self._adopted = adopted
        self._over = False
        self._gate = Gate(number)
        self._gate.use_segment(time.monotonic_ns(), own.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
        self._changed = threading.Condition()
        self._start_ns: int | None = None
        self._stopped_for_good = ""
        connection.obey(number, self._obey)

    @property
    def rate_Bps(self) -> float | None:
        """The cap in force, bytes per second: None for none, 0 while the scheduler has it wait."""
        return 0.0 if self._start_ns is None else self._gate.rate_Bps

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of the data, as fast as the scheduler allows; CoflowError where the flow was cut."""
        rest = memoryview(data).cast("B")
        while len(rest):
            rest = rest[self.send(rest) :]

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Wait for a turn, write some of the data, and return how many bytes; CoflowError beyond the stated size."""
        view = memoryview(data).cast("B")
        if self.size is not None and self.sent + len(view) > self.size:
            raise CoflowError(
                f"flow {self.id}: {self.sent + len(view)} bytes, but its size was stated as {self.size}; "
                "state the whole size, or none where the scheduler does not need it"
            )
        if not len(view):
            return 0
        allowed = self._wait_for_turn(len(view))
        now_ns = time.monotonic_ns()
        written = self.socket.send(view[:allowed])
        if not self.sent:
            self._connection.tell({"op": "wrote", "flow": self.id, "at_ns": now_ns})
        self.sent += written
        with self._changed:
            self._gate.spend(written)
        return written

    def finish(self) -> int:
        """Say that all is written, and wait until it is delivered; how many bytes. The connection stays open."""
        if self._over:
            return self.sent
        if self.size is not None and self.sent < self.size:
            reason = f"the application ended it after {self.sent} of {self.size} bytes"
            self._end_early(reason)
            raise CoflowError(f"flow {self.id}: {reason}")
        self._over = True
        try:
            return int(self._connection.ask({"op": "finish", "flow": self.id})["delivered"])
        finally:
            self._connection.forget(self.id)

    def close(self) -> None:
        """`finish`, and close the connection (one that was adopted stays open)."""
        try:
            self.finish()
        finally:
            self._close_socket()

    def __enter__(self) -> Flow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._end_early(f"the application gave it up: {kind.__name__}")
        self._close_socket()

    def _end_early(self, reason: str) -> None:
        if not self._over:
            self._over = True
            with suppress(CoflowError):  # the answer says how it ended, which is known here
                self._connection.ask({"op": "finish", "flow": self.id, "abandon": reason})
            self._connection.forget(self.id)

    def _close_socket(self) -> None:
        if not self._adopted:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            self.socket.close()

    def _wait_for_turn(self, wanted: int) -> int:
        with self._changed:
            while True:
                if self._stopped_for_good:
                    raise CoflowError(f"flow {self.id}: {self._stopped_for_good}")
                now_ns = time.monotonic_ns()
                due_ns = self._start_ns
                if due_ns is not None and due_ns <= now_ns:
                    remaining = wanted if self.size is None else min(wanted, self.size - self.sent)
                    allowed = self._gate.allowance(now_ns, remaining)
                    if allowed:
                        return allowed
                    due_ns = self._gate.due_ns(now_ns, remaining)
                self._changed.wait(None if due_ns is None else max((due_ns - now_ns) / 1e9, 0.0))

    def _obey(self, kind: str, values: list[Any]) -> None:
        with self._changed:
            if kind == "start":
                self._start_ns, rate_Bps = values
                self._set_rate(rate_Bps, self._start_ns)
            elif kind == "cap":
                self._set_rate(values[0], time.monotonic_ns())
            elif kind == "cut":
                self._stopped_for_good = "the scheduler or the run's end has cut it"
            else:
                self._stopped_for_good = self._stopped_for_good or values[0]
            self._changed.notify_all()

    def _set_rate(self, rate_Bps: float | None, at_ns: int) -> None:
        self._gate.set_rate(at_ns, rate_Bps)
        unsent = (
            _UNSENT_UNCAPPED if rate_Bps is None else min(max(int(rate_Bps / 100), UNSENT_SMALLEST), UNSENT_LARGEST)
        )
        with suppress(OSError):  # closed meanwhile
            self.socket.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent)
