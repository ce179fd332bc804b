"""The actor: takes commands from one coordinator at a time and moves the flows of one host."""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from testbed.actor import endpoint, fields
from testbed.actor.alone import Alone, check_part
from testbed.actor.applications import Applications
from testbed.actor.channel import Channel
from testbed.actor.gate import WRITE_NS
from testbed.actor.grain import coarse_grain_ns
from testbed.actor.incoming import Receiver
from testbed.actor.jobs import Jobs
from testbed.actor.loop import Loop, Timer
from testbed.actor.outbox import Outbox
from testbed.actor.outgoing import AnyOutgoing, Sender
from testbed.actor.probe import Echo, Probe
from testbed.actor.protocol import VERSION, ProtocolError

MOST_PROBES = 10_000
"""Datagrams of one probe."""
BEAT_NS = 200_000_000
"""A timer that does nothing, so that an actor without other timers notices, too, when it was stopped."""


class Actor:
    """The program; `run` returns on `shutdown`. When a coordinator goes, its flows go, and another may come."""

    def __init__(self, where: str, applications: str = "") -> None:
        self._loop = Loop()
        self._loop.after_each = self._after_each
        self._outbox = Outbox(self._loop)
        self._sender = Sender(self._loop, self._outbox)
        self._receiver = Receiver(self._loop, self._outbox)
        self._applications = (
            Applications(applications, self._loop, self._outbox, self._sender) if applications else None
        )
        self._jobs = Jobs(self._loop, self._outbox)
        self._echoes: list[Echo] = []
        self._probes: dict[int, Probe] = {}
        self._alone: Alone | None = None
        self._beat: Timer | None = None
        self._channel: Channel | None = None
        self._greeted = False
        self._where = where
        self._door = endpoint.listen(where)
        self._commands: dict[str, Callable[[dict[str, Any]], None]] = {
            "listen": self._listen,
            "open": self._open,
            "start": self._start,
            "alone": self._go_alone,
            "cap": self._cap,
            "mark": self._mark,
            "cut": self._cut,
            "progress": self._progress,
            "probe": self._probe,
            "reply": self._reply,
            "run": self._run_program,
            "ping": self._ping,
            "lateness": self._lateness,
            "stop": self._stop,
            "shutdown": self._shutdown,
        }

    def run(self) -> None:
        """Serve coordinators until one says `shutdown`."""
        self._loop.watch(self._door.fileno(), select.EPOLLIN, self._coordinator_comes)
        self._loop.run()
        self._forget_all()
        self._door.close()
        endpoint.remove(self._where)
        if self._applications is not None:
            self._applications.close()

    def _after_each(self) -> None:
        self._outbox.flush_if_urgent()
        if self._alone is not None and (self._alone.is_over() or self._outbox.count("errors")):
            self._leave_alone()
            self._say({"alone": "over"})

    def _coordinator_comes(self, _: int) -> None:
        try:
            connection, _address = self._door.accept()
        except BlockingIOError:
            return
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._channel is not None:
            connection.send(b'{"fatal":"busy: this actor has a coordinator"}\n')
            connection.close()
            return
        self._greeted = False
        self._channel = Channel(self._loop, connection, self._obey, self._coordinator_goes)
        self._outbox.send = self._channel.send
        self._channel.send(
            {"hello": "actor", "version": VERSION, "host": socket.gethostname(), "monotonic_ns": time.monotonic_ns()}
        )

    def _coordinator_goes(self, _reason: str) -> None:
        self._channel = None
        self._forget_all()

    def _leave_alone(self) -> None:
        """Tell what was kept, and follow the coordinator again."""
        if self._alone is not None:
            self._alone.close()
            self._alone = None
            self._outbox.speak()

    def _forget_all(self) -> None:
        self._leave_alone()
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        self._jobs.kill_all()
        if self._applications is not None:
            self._applications.forget_all()
        self._sender.close()
        self._receiver.close()
        for echo in self._echoes:
            echo.close()
        for probe in self._probes.values():
            probe.close()
        self._echoes.clear()
        self._probes.clear()
        self._outbox.clear()

    def _obey(self, message: dict[str, Any]) -> None:
        """Do what a message says; one that is not understood is answered with `fatal`, and ends the connection."""
        operation = message.get("op")
        try:
            if not self._greeted:
                self._greet(message)
            elif operation in self._commands:
                self._commands[operation](message)
            else:
                raise ProtocolError(f"unknown op {operation!r}; known: {', '.join(sorted(self._commands))}")
        except ProtocolError as error:
            self._refuse(str(error))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self._refuse(f"op {operation!r}: {type(error).__name__}: {error}")

    def _refuse(self, reason: str) -> None:
        if self._channel is not None:
            self._channel.send({"fatal": reason})
            self._channel.close(reason)

    def _say(self, message: dict[str, Any]) -> None:
        if self._channel is not None:
            self._channel.send(message)

    def _greet(self, message: dict[str, Any]) -> None:
        if message.get("op") != "hello" or message.get("version") != VERSION:
            raise ProtocolError(f"expected the op 'hello' of version {VERSION}, found {str(message)[:80]}")
        self._greeted = True
        if self._applications is not None:
            self._applications.serve()

    def _listen(self, message: dict[str, Any]) -> None:
        port = fields.port(message["port"])
        for address in [fields.address("address", each) for each in message["addresses"]]:
            try:
                self._receiver.listen(address, port)
                self._echoes.append(Echo(self._loop, address, port))
            except OSError as error:
                self._refuse(f"listen on {address}:{port}: {(error.strerror or str(error)).lower()}")
                return
        self._say({"listening": port})

    def _open(self, message: dict[str, Any]) -> None:
        congestion = fields.text("congestion", message.get("congestion", ""))
        for flow, size, own, own_port, peer, port in message["flows"]:
            ends = (
                (fields.address("own address", own), fields.whole("own port", own_port, 0, 65_535)),
                (fields.address("peer address", peer), fields.port(port)),
            )
            self._sender.open(fields.whole("flow", flow), fields.whole("bytes", size), *ends, congestion)

    def _start(self, message: dict[str, Any]) -> None:
        flows = self._sender.flows
        for flow, at_ns, rate_Bps, *rest in message["flows"]:
            (dscp,) = rest or (0,)
            start = fields.whole("instant", at_ns), fields.rate(rate_Bps), fields.dscp(dscp)
            if flow in flows:
                flows[flow].start(*start)

    def _go_alone(self, message: dict[str, Any]) -> None:
        """Follow a part of the plan without a word until it is over, or a flow has failed."""
        check_part(message, self._sender)
        self._leave_alone()
        self._outbox.keep_quiet()
        self._alone = Alone(self._loop, self._sender, self._outbox, message)

    def _cap(self, message: dict[str, Any]) -> None:
        self._change(message, fields.rate, lambda flow, rate_Bps: flow.set_rate(rate_Bps))

    def _mark(self, message: dict[str, Any]) -> None:
        self._change(message, fields.dscp, lambda flow, dscp: flow.mark(dscp))

    def _change(
        self, message: dict[str, Any], check: Callable[[Any], Any], change: Callable[[AnyOutgoing, Any], None]
    ) -> None:
        """Change flows at the message's instant, or in this round where that is past, in the order of the messages."""
        at_ns = fields.whole("at_ns", message.get("at_ns", 0))
        rows = [(fields.whole("flow", flow), check(value)) for flow, value in message["flows"]]

        def apply() -> None:
            for flow, value in rows:
                outgoing = self._sender.flows.get(flow)  # one that is over needs no change
                if outgoing is not None:
                    change(outgoing, value)

        self._loop.call_at(at_ns, apply)  # where that is past too: an earlier change may be due and not made yet

    def _cut(self, message: dict[str, Any]) -> None:
        for flow in message["flows"]:
            outgoing = self._sender.flows.get(flow)
            if outgoing is not None:
                outgoing.cut()

    def _progress(self, message: dict[str, Any]) -> None:
        """Report progress every so often; where that is seldom, attend to flows in grains that are coarser too."""
        every_ns = fields.whole("every_ns", message["every_ns"])
        self._outbox.report_every(every_ns)
        grain_ns = coarse_grain_ns(every_ns)
        self._sender.grain_ns = grain_ns or WRITE_NS
        self._receiver.grain_ns = grain_ns

    def _probe(self, message: dict[str, Any]) -> None:
        number, count = fields.whole("probe", message["probe"]), fields.whole("count", message["count"], 1, MOST_PROBES)
        every_ns = fields.whole("every_ns", message["every_ns"])
        bind = fields.address("bind", message["bind"])

        def done(times_ns: list[int]) -> None:
            self._probes.pop(number, None)
            self._say({"probed": [number, times_ns]})

        peer = fields.address("peer", message["peer"]), fields.port(message["port"])
        try:
            self._probes[number] = Probe(self._loop, bind, peer, count, every_ns, done)
        except OSError as error:
            self._refuse(f"probe {bind} -> {peer[0]}:{peer[1]}: {(error.strerror or str(error)).lower()}")

    def _reply(self, message: dict[str, Any]) -> None:
        if self._applications is not None:
            self._applications.answer(message["application"], dict(message["message"]))

    def _run_program(self, message: dict[str, Any]) -> None:
        environment = {
            fields.text("environment", name): fields.text("environment", value)
            for name, value in dict(message["environment"]).items()
        }
        command = [fields.text("command", word) for word in message["command"]]
        if not command:
            raise ProtocolError("command: expected a program and its arguments, found no word")
        folder, at_ns = fields.text("folder", message["folder"]), fields.whole("at_ns", message["at_ns"])
        self._jobs.run(fields.whole("job", message["job"]), command, folder, at_ns, environment)

    def _ping(self, message: dict[str, Any]) -> None:
        self._say({"pong": fields.whole("ping", message["ping"]), "cpu_ns": time.process_time_ns()})

    def _lateness(self, _: dict[str, Any]) -> None:
        """How late this actor's timers were since the last time it was asked; from the first time on it has a beat."""
        if self._beat is None:
            self._beat_on(random.randrange(BEAT_NS))  # all actors are asked at once, but need not all wake at once
        self._say({"lateness": self._loop.lateness.take()})

    def _beat_on(self, in_ns: int = BEAT_NS) -> None:
        self._beat = self._loop.call_at(time.monotonic_ns() + in_ns, self._beat_on)

    def _stop(self, _: dict[str, Any]) -> None:
        """Leave all flows where they are, and tell how far each came."""
        self._jobs.kill_all()
        if self._applications is not None:
            self._applications.forget_all()
        outgoing = [(flow.flow, flow.first_write_ns, flow.sent) for flow in self._sender.flows.values()]
        incoming = [(flow.flow, flow.first_byte_ns, flow.received) for flow in self._receiver.flows.values()]
        self._leave_alone()
        self._outbox.flush()
        self._sender.close()
        self._receiver.close()
        self._say({"stopped": {"outgoing": outgoing, "incoming": incoming}})

    def _shutdown(self, _: dict[str, Any]) -> None:
        self._loop.stop()
