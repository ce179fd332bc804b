"""The coordinator's end of the control channel to one actor."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from testbed.actor import endpoint
from testbed.actor.channel import Channel
from testbed.actor.loop import Loop
from testbed.actor.protocol import VERSION
from testbed.errors import ReplayError

Connect = Callable[[str, float], socket.socket]
"""A connection to where an actor listens, within so many seconds; OSError or ValueError where there is none."""


class ActorLink:
    """One host's actor: what it is told, what it says, and whether it is still there.

    `where` is a unix socket's path or ADDRESS:PORT. Messages other than the greeting and answers to pings go to
    `on_message(link, message)`; `on_lost(link, reason)` is told, once, when the actor is gone.
    """

    def __init__(
        self,
        loop: Loop,
        number: int,
        host: str,
        where: str,
        on_message: Callable[[ActorLink, dict[str, Any]], None],
        on_lost: Callable[[ActorLink, str], None],
        connect: Connect = endpoint.connect,
    ) -> None:
        self.number = number
        self.host = host
        self.where = where
        self._loop = loop
        self._on_message = on_message
        self._on_lost = on_lost
        self._connect = connect
        self._channel: Channel | None = None
        self._refusal = ""
        self._ping_ns = 0
        self.ready = False
        """Whether it has greeted."""
        self.cpu_s = 0.0
        """CPU time of the actor's process, as last heard."""
        self.ping_s: list[float] = []
        """Round-trip times on the control channel."""

    @property
    def open(self) -> bool:
        """Whether the actor can be spoken to."""
        return self._channel is not None and self._channel.open

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes of control messages to and from the actor."""
        return (self._channel.sent_bytes, self._channel.received_bytes) if self._channel else (0, 0)

    def try_connect(self, timeout_s: float) -> str:
        """Connect and greet: '' where that went well, else why not (an actor that is starting may listen soon)."""
        try:
            connection = self._connect(self.where, timeout_s)
        except (OSError, ValueError) as error:
            return (getattr(error, "strerror", None) or str(error)).lower()
        self._channel = Channel(self._loop, connection, self._hear, self._lost, orjson.dumps, orjson.loads)
        self.tell({"op": "hello", "version": VERSION})
        return ""

    def tell(self, message: dict[str, Any]) -> None:
        """Send a command."""
        if self._channel is not None:
            self._channel.send(message)

    def tell_of(self, operation: str, flows: Iterable[Any], **more: Any) -> None:
        """Send a command about flows, if there are any."""
        rows = list(flows)
        if rows:
            self.tell({"op": operation, "flows": rows, **more})

    def ping(self) -> None:
        """Ask for a sign of life, unless one is already due."""
        if self.open and not self._ping_ns:
            self._ping_ns = time.monotonic_ns()
            self.tell({"op": "ping", "ping": self._ping_ns})

    def silent_s(self) -> float:
        """For how long an answer to a ping has been due."""
        return (time.monotonic_ns() - self._ping_ns) / 1e9 if self._ping_ns and self.open else 0.0

    def excuse(self) -> None:
        """Count the actor's silence from now on."""
        if self._ping_ns:
            self._ping_ns = time.monotonic_ns()

    def close(self) -> None:
        """Leave the actor, which then drops all its flows."""
        self._on_lost = _nobody
        if self._channel is not None:
            self._channel.close()

    def _hear(self, message: dict[str, Any]) -> None:
        if "pong" in message:
            self._answered(message)
        elif "fatal" in message:
            self._refusal = f"it says: {message['fatal']}"
        elif "hello" in message:
            if message.get("version") != VERSION:
                raise ReplayError(
                    f"host {self.host}: its actor speaks version {message.get('version')} of the control protocol, "
                    f"this coordinator {VERSION}; rebuild the actor image (or restart the actors)"
                )
            self.ready = True
        else:
            self._on_message(self, message)

    def _answered(self, message: dict[str, Any]) -> None:
        try:
            self.cpu_s = message["cpu_ns"] / 1e9
        except (KeyError, TypeError, OverflowError) as error:
            raise not_understood(self.host, message, error) from None
        if self._ping_ns:  # an answer to no question tells nothing
            self.ping_s.append(self.silent_s())
            self._ping_ns = 0

    def _lost(self, reason: str) -> None:
        self._on_lost(self, self._refusal or reason or "the control connection was closed")


def not_understood(host: str, message: Any, error: Exception) -> ReplayError:
    """The error for what a host's actor has said and should not have."""
    return ReplayError(f"host {host}: its actor sent what is not understood: {str(message)[:120]} ({error!r})")


def _nobody(_link: ActorLink, _reason: str) -> None:
    """Hears of an actor that was left on purpose."""
