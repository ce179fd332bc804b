"""Local applications: their requests are carried to the coordinator, their flows are measured and commanded here."""

from __future__ import annotations

import select
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from testbed.actor import endpoint, fields
from testbed.actor.application_flow import ApplicationFlow
from testbed.actor.channel import Channel
from testbed.actor.loop import Loop
from testbed.actor.outbox import Outbox
from testbed.actor.outgoing import Sender
from testbed.actor.protocol import ProtocolError

MOST_UNANSWERED = 256
"""Requests of one application that may wait for their answers; one that asks on and on is left."""
MOST_APPLICATIONS = 256
"""Connections of applications at a time."""
MOST_UNREAD = 1_000_000
"""Bytes of answers and commands that an application may leave unread."""
_FEW_DESCRIPTORS = 16


class ApplicationChannel(Channel):
    """A channel that may carry connections (file descriptors) along with messages, and that says why it ends."""

    longest_line: ClassVar[int] = 64_000

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        on_message: Callable[[dict[str, Any]], None],
        on_closed: Callable[[str], None],
    ) -> None:
        self.descriptors: deque[int] = deque()
        """Received, in order, and not taken yet."""
        super().__init__(loop, connection, on_message, on_closed)

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message; a program that does not read what it is told is left."""
        super().send(message)
        if len(self._out) > MOST_UNREAD:
            self.close("it does not read")

    def _receive(self, most: int) -> bytes:
        data, descriptors, _, _ = socket.recv_fds(self._socket, most, _FEW_DESCRIPTORS)
        self.descriptors += descriptors
        if len(self.descriptors) > MOST_UNANSWERED:
            self._not_understood(f"more than {MOST_UNANSWERED} connections handed over and not labelled")
            return b""
        return data

    def _not_understood(self, reason: str) -> None:
        self.send({"error": reason})
        self.close(reason)


class Application:
    """One connection of a local program."""

    def __init__(self, number: int, applications: Applications, connection: socket.socket) -> None:
        self.number = number
        self._applications = applications
        self._adopting: dict[int, socket.socket] = {}
        self._finishing: dict[int, int] = {}
        self._unanswered: set[int] = set()
        self.flows: dict[int, ApplicationFlow] = {}
        self._channel = ApplicationChannel(applications.loop, connection, self._hear, self._gone)

    def hear_from_coordinator(self, message: dict[str, Any]) -> None:
        """An answer to a request; that to `add` makes the connection a flow."""
        request = message.get("answer", -1)
        self._unanswered.discard(request)
        connection = self._adopting.pop(request, None)
        if connection is not None and "flow" in message:
            self._adopt(message["flow"], connection)
        elif connection is not None:
            connection.close()
        self._channel.send(message)

    def refuse(self, reason: str) -> None:
        """Tell it why, and end the connection."""
        self._channel.send({"error": reason})
        self._channel.close(reason)

    def _hear(self, message: dict[str, Any]) -> None:
        operation = message.get("op")
        try:
            fields.scalars(message)
            if operation == "wrote":
                flow = self.flows.get(message["flow"])  # what is over needs no start
                if flow is not None:
                    flow.wrote_first(int(message["at_ns"]))
                return
            request = fields.whole("request", message["request"])
            self._unanswered.add(request)
            if len(self._unanswered) > MOST_UNANSWERED:
                raise ProtocolError(f"more than {MOST_UNANSWERED} requests without waiting for their answers")
            if operation == "finish":
                self._finish(request, message["flow"], str(message.get("abandon", ""))[:200])
            else:
                self._applications.pass_on(self, request, self._with_ends(request, message))
        except (KeyError, TypeError, ValueError, OverflowError, struct.error) as error:
            raise ProtocolError(f"op {str(operation)[:40]!r}: {type(error).__name__}: {str(error)[:80]}") from None

    def _with_ends(self, request: int, message: dict[str, Any]) -> dict[str, Any]:
        if message.get("op") != "add":
            return message
        if not self._channel.descriptors:
            raise ProtocolError("op 'add' without a connection; expected its descriptor along with the message")
        descriptor = self._channel.descriptors.popleft()
        try:
            connection = socket.socket(fileno=descriptor)
        except OSError:  # a file, a pipe
            socket.close(descriptor)
            raise ProtocolError("op 'add': expected a connected TCP socket (IPv4)") from None
        if request in self._adopting:
            connection.close()
            raise ProtocolError(f"op 'add': request {request} waits for its answer already")
        self._adopting[request] = connection
        try:
            own, peer = connection.getsockname(), connection.getpeername()
            is_tcp = connection.family == socket.AF_INET and connection.type == socket.SOCK_STREAM
        except OSError:
            is_tcp = False
        if not is_tcp:
            raise ProtocolError("op 'add': expected a connected TCP socket (IPv4)")
        return {**message, "own": own[0], "own_port": own[1], "peer": peer[0], "peer_port": peer[1]}

    def _adopt(self, flow: int, connection: socket.socket) -> None:
        applications = self._applications
        adopted = ApplicationFlow(
            flow, connection, applications.loop, applications.outbox, self._channel.send, self._flow_over
        )
        self.flows[flow] = applications.sender.flows[flow] = adopted

    def _finish(self, request: int, flow: int, abandoned: str) -> None:
        if flow not in self.flows:
            self._answer(request, {"error": f"flow {str(flow)[:20]} is not (or no longer) one of this program's"})
            return
        self._finishing[flow] = request
        if abandoned:
            self.flows[flow].end(abandoned)
        else:
            self.flows[flow].finish()

    def _flow_over(self, report: dict[str, Any]) -> None:
        flow = report["flow"]
        self.flows.pop(flow, None)
        self._applications.sender.flows.pop(flow, None)
        self._applications.tell(self.number, {"op": "over", **report})
        if flow in self._finishing:
            how = {"error": f"flow {flow}: {report['reason']}"} if report["reason"] else {}
            self._answer(self._finishing.pop(flow), {"delivered": report["delivered"], **how})

    def _answer(self, request: int, answer: dict[str, Any]) -> None:
        self._unanswered.discard(request)
        self._channel.send({"answer": request, **answer})

    def _gone(self, _reason: str) -> None:
        for connection in self._adopting.values():
            connection.close()
        for descriptor in self._channel.descriptors:
            socket.close(descriptor)
        for flow in list(self.flows.values()):
            flow.end("its application ended before the flow did")
        self._applications.gone(self)

    def leave(self) -> None:
        """The run is over, or given up: end its flows and the connection."""
        for flow in list(self.flows.values()):
            flow.close()
        self._channel.send({"error": "the run is over"})
        self._channel.close()


class Applications:
    """The door for local programs, a unix socket, and all that came through it."""

    def __init__(self, where: str, loop: Loop, outbox: Outbox, sender: Sender) -> None:
        self.loop = loop
        self.outbox = outbox
        self.sender = sender
        self._where = where
        self._serving = False
        self._inside: dict[int, Application] = {}
        self._next = 0
        self._door = endpoint.listen(where)
        loop.watch(self._door.fileno(), select.EPOLLIN, self._comes)

    def serve(self) -> None:
        """A coordinator is there that answers."""
        self._serving = True

    def pass_on(self, application: Application, request: int, message: dict[str, Any]) -> None:
        """Carry a request to the coordinator."""
        if self._serving:
            self.tell(application.number, message)
        else:
            application.hear_from_coordinator({"answer": request, "error": "no run is going on"})

    def tell(self, number: int, message: dict[str, Any]) -> None:
        """Tell the coordinator something of an application."""
        self.outbox.put("applications", (number, message), urgent=True)

    def answer(self, number: int, message: dict[str, Any]) -> None:
        """Carry an answer to an application, if it is still there."""
        if number in self._inside:
            self._inside[number].hear_from_coordinator(message)

    def gone(self, application: Application) -> None:
        """An application has left, or was left."""
        if self._inside.pop(application.number, None) is not None and self._serving:
            self.tell(application.number, {"op": "gone"})

    def forget_all(self) -> None:
        """The coordinator has gone: nobody answers any more."""
        self._serving = False
        inside, self._inside = self._inside, {}
        for application in inside.values():
            application.leave()

    def close(self) -> None:
        """Open the door no more."""
        self.forget_all()
        self.loop.forget(self._door.fileno())
        self._door.close()
        endpoint.remove(self._where)

    def _comes(self, _: int) -> None:
        try:
            connection, _address = self._door.accept()
        except BlockingIOError:
            return
        self._next += 1
        application = Application(self._next, self, connection)
        self._inside[self._next] = application
        if len(self._inside) > MOST_APPLICATIONS:
            application.refuse(f"{MOST_APPLICATIONS} programs of this host are connected already")
