"""Packets between the hosts of a private network; each function returns when what it sent has been received."""

from __future__ import annotations

import contextlib
import socket
import struct

from private_network import PrivateNetwork, inside

DEADLINE_S = 20.0
PORT = 9


def send_udp(network: PrivateNetwork, sender: int, address: str, source_ports: range, receiver: int) -> None:
    """One datagram from each source port (of the primary address) to `address`; all of them arrive."""
    with _udp(network, receiver, address, PORT) as there:
        for port in source_ports:
            with _udp(network, sender, network.plan.addresses[sender].primary, port) as here:
                here.sendto(b"x", (address, PORT))
                assert there.recv(10) == b"x"


def send_astray(network: PrivateNetwork, sender: int, addresses: list[str]) -> None:
    """One datagram to each of these addresses, which nobody has."""
    with _udp(network, sender, network.plan.addresses[sender].primary, 0) as here:
        for address in addresses:
            here.sendto(b"x", (address, PORT))


def knock_tcp(network: PrivateNetwork, sender: int, address: str, source_ports: range) -> None:
    """One SYN from each source port to a closed port: exactly one packet there and one (a reset) back."""

    def knock() -> bool:
        for port in source_ports:
            with socket.socket() as here:
                here.settimeout(DEADLINE_S)
                here.bind((network.plan.addresses[sender].primary, port))
                with contextlib.suppress(ConnectionRefusedError):
                    here.connect((address, PORT))
                    raise AssertionError("nobody listens there")
        return True

    inside(network.host(sender), knock)


def transfer_tcp(network: PrivateNetwork, sender: int, source: str, receiver: int, destination: str, size: int) -> None:
    """A connection from one address to another, carrying `size` bytes."""
    listener = inside(network.host(receiver), lambda: socket.create_server((destination, PORT)))
    here = inside(network.host(sender), lambda: socket.create_connection((destination, PORT), DEADLINE_S, (source, 0)))
    there, _ = listener.accept()
    with listener, here, there:
        there.settimeout(DEADLINE_S)
        here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # one reset instead of two FINs
        left = size
        while left:
            here.sendall(bytes(min(left, 10_000)))
            for_now = min(left, 10_000)
            while for_now:
                got = len(there.recv(for_now))
                for_now, left = for_now - got, left - got
        here.close()
        with contextlib.suppress(ConnectionResetError):
            assert there.recv(1) == b""
    network.settle()


def _udp(network: PrivateNetwork, host: int, address: str, port: int) -> socket.socket:
    def make() -> socket.socket:
        made = socket.socket(type=socket.SOCK_DGRAM)
        made.settimeout(DEADLINE_S)
        made.bind((address, port))
        return made

    return inside(network.host(host), make)
