"""What waits in the queues of one network namespace and what they dropped, asked of the kernel by rtnetlink.

A `tc` process would have to be started for each namespace and each reading; a socket that stays open costs some ten
microseconds per port.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testbed.emulation.netns import Netns, inside
from testbed.errors import EmulationError

LINK_HANDLE = 0x1_0000
"""1:0, the HTB that every port of ours has (beneath a netem stage where the link has delay or loss)."""

_NEWQDISC, _GETQDISC = 36, 38
_ERROR, _DONE = 2, 3
_REQUEST, _ECHO, _DUMP = 0x1, 0x8, 0x300
_KIND, _STATS = 1, 3
_HEADER = struct.Struct("=IHHII")
"""Length, type, flags, sequence number, port of the sender."""
_TCMSG = struct.Struct("=BBHiIII")
"""Family, padding, interface, handle, parent, information."""
_ATTRIBUTE = struct.Struct("=HH")
_TC_STATS = struct.Struct("=QIIIIIII")
"""Bytes, packets, drops, overlimits, two rates, packets waiting, bytes waiting."""
_SO_RCVBUFFORCE = 33
_RECEIVE_BYTES = 8 << 20
"""All answers to one reading wait at once, at some kilobytes of kernel memory each."""
_ANSWER_BYTES = 1 << 18
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class QueueFigures:
    """Of one qdisc, since it was made."""

    interface: int
    """Its index in the namespace."""
    kind: str
    backlog_bytes: int
    drops: int


class QueueStats:
    """One namespace's queues; for one thread at a time. Close it in the end."""

    def __init__(self, namespace: Netns | None, interfaces: Sequence[str]) -> None:
        """`namespace`: None for the testbed's own. EmulationError where it, or an interface, is gone."""
        self.interfaces = tuple(interfaces)
        self._socket, self._numbers = self._open() if namespace is None else inside(namespace, self._open)

    def links(self) -> list[QueueFigures]:
        """The whole queueing of each interface (its HTB 1:), in the order in which they were named.

        All 0, and without a kind, where the interface or its HTB is gone.
        """
        self._socket.send(b"".join(_request(number, LINK_HANDLE, _ECHO) for number in self._numbers))
        found: dict[int, QueueFigures] = {}
        for _ in self._numbers:
            for figures in _Answers(self._receive()):
                found[figures.interface] = figures
        return [found.get(number, QueueFigures(number, "", 0, 0)) for number in self._numbers]

    def queues(self) -> dict[str, list[QueueFigures]]:
        """Every qdisc of each interface, by the interface's name; costs some milliseconds where flows have queues."""
        self._socket.send(_request(0, 0, _DUMP))
        names = dict(zip(self._numbers, self.interfaces, strict=True))
        found: dict[str, list[QueueFigures]] = {name: [] for name in self.interfaces}
        done = False
        while not done:
            for figures in (answers := _Answers(self._receive())):
                if figures.interface in names:
                    found[names[figures.interface]].append(figures)
            done = answers.done
        return found

    def close(self) -> None:
        """Let go of the socket (and of the namespace, which lasts while somebody has a socket of it)."""
        self._socket.close()

    def _open(self) -> tuple[socket.socket, list[int]]:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        try:
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
            opened.settimeout(_TIMEOUT_S)
            return opened, [socket.if_nametoindex(name) for name in self.interfaces]
        except OSError as error:
            opened.close()
            raise EmulationError(f"queues of {self._where}: {error.strerror or error}") from None

    @property
    def _where(self) -> str:
        more = len(self.interfaces) - 1
        return f"{self.interfaces[0]}{f' and {more} more' if more else ''}"

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_ANSWER_BYTES)
        except OSError as error:
            raise EmulationError(f"queues of {self._where}: the kernel gave no figures ({error})") from None


class _Answers:
    """The figures in one datagram of the kernel, none in one that says what is not there.

    `done` once the last part of a list has been read.
    """

    def __init__(self, datagram: bytes) -> None:
        self._datagram = datagram
        self.done = False

    def __iter__(self) -> Iterator[QueueFigures]:
        place, data = 0, self._datagram
        while place + _HEADER.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, place)
            if kind in (_DONE, _ERROR):
                self.done = True
                return
            if kind == _NEWQDISC:
                yield _figures(data, place + _HEADER.size, place + length)
            place += length + 3 & ~3


def _request(interface: int, handle: int, flags: int = 0) -> bytes:
    body = _TCMSG.pack(0, 0, 0, interface, handle, 0, 0)
    return _HEADER.pack(_HEADER.size + len(body), _GETQDISC, _REQUEST | flags, 0, 0) + body


def _figures(data: bytes, place: int, end: int) -> QueueFigures:
    interface = _TCMSG.unpack_from(data, place)[3]
    kind, drops, backlog = "", 0, 0
    place += _TCMSG.size
    while place + _ATTRIBUTE.size <= end:
        length, what = _ATTRIBUTE.unpack_from(data, place)
        if what == _KIND:
            kind = data[place + _ATTRIBUTE.size : place + length].rstrip(b"\0").decode()
        elif what == _STATS:
            figures = _TC_STATS.unpack_from(data, place + _ATTRIBUTE.size)
            drops, backlog = figures[2], figures[7]
        place += length + 3 & ~3
    return QueueFigures(interface, kind, backlog, drops)
