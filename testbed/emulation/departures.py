"""When frames leave a port: a tap behind its shaper, with the kernel's time stamps, for a bounded number of frames."""

from __future__ import annotations

import ctypes
import socket
import struct

from testbed.emulation.netns import Netns, inside
from testbed.errors import EmulationError

MOST_FRAMES = 256
"""Of one tap; reading a frame costs some microseconds."""

_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE, _SO_ATTACH_FILTER = 35, 33, 26
_RECEIVE_BYTES = 16 << 20
"""A frame waits with all its data until it is read."""
_TIMESPEC = struct.Struct("=qq")
_INSTRUCTION = struct.Struct("=HBBI")
_OUTGOING_ONLY = b"".join(
    _INSTRUCTION.pack(*line)
    for line in (
        (0x28, 0, 0, 0xFFFFF004),  # ldh  the kind of packet
        (0x15, 0, 1, _PACKET_OUTGOING),  # jeq  one that leaves, else to the last line
        (0x06, 0, 0, 0xFFFFFFFF),  # ret  all of it
        (0x06, 0, 0, 0),  # ret
    )
)


class Tap:
    """Notes frames that leave an interface, from when it is made until `take`."""

    def __init__(self, namespace: Netns | None, interface: str) -> None:
        """`namespace`: None for the testbed's own. EmulationError where it or the interface is gone."""
        self._interface = interface
        self._socket = self._open() if namespace is None else inside(namespace, self._open)

    def take(self) -> list[tuple[int, int]]:
        """The first frames, in their order and without gaps: time stamp (ns of CLOCK_REALTIME), bytes. Ends the tap."""
        frames: list[tuple[int, int]] = []
        start = [memoryview(bytearray(1))]
        space = socket.CMSG_SPACE(_TIMESPEC.size)
        with self._socket as tap:
            try:
                # What comes from now on may follow frames that found no room; what is there already does not.
                came, lost = struct.unpack("=II", tap.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
                for _ in range(min(came - lost, MOST_FRAMES)):
                    size, said, _, _ = tap.recvmsg_into(start, space, socket.MSG_TRUNC)
                    seconds, nanoseconds = _TIMESPEC.unpack(said[0][2])
                    frames.append((seconds * 1_000_000_000 + nanoseconds, size))
            except OSError as error:
                raise EmulationError(f"interface {self._interface}: frames cannot be noted ({error})") from None
        return frames

    def close(self) -> None:
        """End the tap without a look."""
        self._socket.close()

    def _open(self) -> socket.socket:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # no protocol: nothing comes before the filter is set
        try:
            tap.setblocking(False)
            tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
            tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            program = ctypes.create_string_buffer(_OUTGOING_ONLY, len(_OUTGOING_ONLY))
            lines = len(_OUTGOING_ONLY) // _INSTRUCTION.size
            tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", lines, ctypes.addressof(program)))
            tap.bind((self._interface, _ETH_P_ALL))
        except OSError as error:
            tap.close()
            raise EmulationError(f"interface {self._interface}: frames cannot be noted ({error.strerror})") from None
        return tap
