"""The socket of a flow, as the actor and the programs beside it make it."""

from __future__ import annotations

import socket

TCP_NOTSENT_LOWAT = 25
UNSENT_SMALLEST, UNSENT_LARGEST = 16 << 10, 1 << 20
"""Bounds of the bytes that the kernel holds unsent, per flow: little, so that a stop takes effect at once."""
_IP_BIND_ADDRESS_NO_PORT = 24  # the port is chosen by connect: one port may serve several peers


def flow_socket(own: tuple[str, int], congestion: str) -> socket.socket:
    """A TCP socket bound to an own address; port 0 is left to connect, `congestion` is '' for the route's. OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        if congestion:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
        made.bind(own)
    except BaseException:
        made.close()
        raise
    return made
