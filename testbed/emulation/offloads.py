"""Switching off what a veth would leave to hardware that is not there.

With transmit checksums left to the other end, the userspace switch passes on segments with wrong checksums and TCP
never gets through; with segmentation left to it, 64 KB segments cross shapers sized for single frames.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from collections.abc import Iterable, Sequence

from testbed.emulation.netns import Netns, inside
from testbed.errors import EmulationError

# Commands of SIOCETHTOOL, from linux/ethtool.h.
_SIOCETHTOOL = 0x8946
OFFLOADS = {  # name of ethtool(8): (get, set); segmentation first, it hangs on checksums
    "tso": (0x1E, 0x1F),
    "gso": (0x23, 0x24),
    "gro": (0x2B, 0x2C),
    "tx": (0x16, 0x17),
}
"""What is switched off for Open vSwitch, by ethtool's name for it."""
LARGE_SEGMENTS = ("tso", "gso", "gro")
"""Those that make segments of many frames."""


def switch_off(
    interfaces: Iterable[str], netns_of: Netns | None = None, which: Sequence[str] = tuple(OFFLOADS)
) -> None:
    """Switch offloads of interfaces off and read them back; EmulationError names one that stays on."""
    with _socket_in(netns_of) as door:
        for interface in interfaces:
            for name in which:
                _ethtool(door, interface, OFFLOADS[name][1], 0)
            on = [name for name in which if _ethtool(door, interface, OFFLOADS[name][0], 0)]
            if on:
                raise EmulationError(f"interface {interface}: offloads {', '.join(on)} stay on; expected them off")


def offloads(interface: str, netns_of: Netns | None = None) -> dict[str, bool]:
    """Which of the offloads are on."""
    with _socket_in(netns_of) as door:
        return {name: bool(_ethtool(door, interface, getter, 0)) for name, (getter, _) in OFFLOADS.items()}


def _ethtool(door: socket.socket, interface: str, command: int, value: int) -> int:
    data = array.array("I", [command, value])
    request = struct.pack("16sP16x", interface.encode(), data.buffer_info()[0])
    try:
        fcntl.ioctl(door, _SIOCETHTOOL, request)
    except OSError as error:
        raise EmulationError(f"interface {interface}: ethtool command {command:#x}: {error.strerror}") from None
    return int(data[1])


def _socket_in(netns_of: Netns | None) -> socket.socket:
    """A socket of a network namespace: it stays in that of the thread that made it."""
    if netns_of is None:
        return _new_socket()
    return inside(netns_of, _new_socket)


def _new_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
