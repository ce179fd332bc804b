"""What the kernel knows about a connection: the part of `struct tcp_info` (linux/tcp.h) that the records use."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios

_SIZE = 224
_U32 = struct.Struct("=I")
_U64_TIMES_4 = struct.Struct("=QQQQ")
_U64 = struct.Struct("=Q")
_INT = struct.Struct("=i")
_RTT, _TOTAL_RETRANS, _BYTES_ACKED, _MIN_RTT, _DELIVERY_RATE, _DUPLICATES = 68, 100, 120, 148, 160, 216
"""Offsets; busy and limited times follow the delivery rate."""
_CLOSED = 7  # the first byte is the connection's state


def tcp_info(connection: socket.socket) -> tuple[int, int, int, int, int, int, int, int]:
    """Retransmitted segments, round-trip time and its minimum in us, delivery rate in bytes/s, and for how many us the
    connection was busy, was limited by the receiver's window, and by the send buffer; and how many segments came twice,
    as the receiver said (they were sent again although they were not lost). 0 for what the kernel lacks.
    """
    raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE).ljust(_SIZE, b"\0")
    delivery, busy, window_limited, buffer_limited = _U64_TIMES_4.unpack_from(raw, _DELIVERY_RATE)
    return (
        _U32.unpack_from(raw, _TOTAL_RETRANS)[0],
        _U32.unpack_from(raw, _RTT)[0],
        _U32.unpack_from(raw, _MIN_RTT)[0],
        delivery,
        busy,
        window_limited,
        buffer_limited,
        _U32.unpack_from(raw, _DUPLICATES)[0],
    )


def acknowledged(connection: socket.socket) -> tuple[int, int, bool]:
    """Bytes that the peer's kernel has acknowledged, bytes written that it has not, and whether the connection lives.

    The first counts the opening of the connection as well, so only differences of it mean anything.
    """
    raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    (waiting,) = _INT.unpack(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(_INT.size)))
    return _U64.unpack_from(raw, _BYTES_ACKED)[0], waiting, raw[0] != _CLOSED
