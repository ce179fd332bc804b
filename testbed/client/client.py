"""Coflows for a program: register one, add flows to it from this host and others, unregister it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from testbed.actor.sockets import flow_socket
from testbed.client.connection import CoflowError, Connection
from testbed.client.flow import Flow

SOCKET = "/run/coflow/coflow.sock"
"""Where the actor of an emulated host listens for applications."""
PORT = 6000
"""Port at the receiving host, where none is given."""
_RETRY_S = 0.02


class Client:
    """A program's access to the scheduler; shared by its threads, and a context manager.

    Coflows that it has registered are unregistered when it is closed, or when the program ends.
    """

    def __init__(self, where: str = SOCKET) -> None:
        self._connection = Connection(where)
        try:
            facts = self._connection.ask({"op": "hello"})
        except CoflowError:
            self._connection.close()
            raise
        self.host: int = facts["host"]
        """Number of this host."""
        self.hosts: int = facts["hosts"]
        """How many hosts there are."""
        self.addresses: list[str] = facts["addresses"]
        """Primary address of each host, by its number: for connections of one's own."""

    def register(self, weight: float = 1.0, deadline: float | None = None, width: int | None = None) -> Coflow:
        """Register a coflow. It arrives, in the records, with its first flow.

        `deadline`: seconds after its arrival. `width`: the number of its flows; they wait until all have been added,
        so that the scheduler decides about the whole coflow at once.
        """
        answer = self._connection.ask({"op": "register", "weight": weight, "deadline": deadline, "width": width})
        return Coflow(self._connection, answer["coflow"])

    def coflow(self, number: int) -> Coflow:
        """A coflow that was registered elsewhere, by its id; CoflowError where there is none."""
        self._connection.ask({"op": "join", "coflow": number})
        return Coflow(self._connection, number)

    def flow(self, destination: int | str, size: int | None = None, port: int = PORT, timeout: float = 10.0) -> Flow:
        """A flow that belongs to no coflow: it runs and is measured, and nobody schedules it. See `Coflow.flow`."""
        return _connect(self._connection, None, destination, size, port, timeout)

    def connect(self, host: int, port: int, timeout: float = 10.0) -> socket.socket:
        """A plain connection to a host, neither scheduled nor measured; the program there listens within `timeout`."""
        return _dial(lambda: socket.create_connection((self.addresses[host], port)), timeout)

    def close(self) -> None:
        """Leave; coflows that it has registered end, flows that it has not finished are dropped."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Coflow:
    """A registered coflow; as a context manager it is unregistered at the end."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.id = number
        """Hand it to programs on other hosts: `Client().coflow(id)` is this coflow there."""
        self._connection = connection

    def flow(self, destination: int | str, size: int | None = None, port: int = PORT, timeout: float = 10.0) -> Flow:
        """Connect to a host (its number, name or address) and add the connection to the coflow as a flow.

        `size` in bytes, which a clairvoyant scheduler needs to know. The program at `port` there needs to listen on
        all its addresses within `timeout` seconds. CoflowError for what is refused, OSError for what cannot be
        connected.
        """
        return _connect(self._connection, self.id, destination, size, port, timeout)

    def adopt(self, connection: socket.socket, size: int | None = None) -> Flow:
        """Add a connection that is there already: what is sent through the flow from now on. It is not closed."""
        return _add(self._connection, self.id, connection, size, adopted=True)

    def unregister(self) -> None:
        """No more flows come; those that run go on to their end. CoflowError the second time."""
        self._connection.ask({"op": "unregister", "coflow": self.id})

    def __enter__(self) -> Coflow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.unregister()


def _connect(
    connection: Connection, coflow: int | None, destination: int | str, size: int | None, port: int, timeout_s: float
) -> Flow:
    path = connection.ask({"op": "route", "coflow": coflow, "to": destination, "size": size})

    def attempt() -> socket.socket:
        made = flow_socket((path["own"], 0), path["congestion"])
        try:
            made.connect((path["peer"], port))
        except BaseException:
            made.close()
            raise
        return made

    made = _dial(attempt, timeout_s)
    try:
        return _add(connection, coflow, made, size, adopted=False)
    except BaseException:
        made.close()
        raise


def _dial(attempt: Callable[[], socket.socket], timeout_s: float) -> socket.socket:
    """Try until the program at the other end listens."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return attempt()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)


def _add(connection: Connection, coflow: int | None, made: socket.socket, size: int | None, adopted: bool) -> Flow:
    message: dict[str, Any] = {"op": "add", "coflow": coflow, "size": size}
    answer = connection.ask(message, made.fileno())
    return Flow(connection, answer["flow"], size, made, adopted)
