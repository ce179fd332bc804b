"""What tells one TCP connection from another on the wire, in one direction."""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple

from testbed.errors import EmulationError


class FlowKey(NamedTuple):
    """The packets of a TCP connection that its sender sends; the acknowledgements have the reversed key."""

    source: str
    """IPv4 address."""
    source_port: int
    destination: str
    destination_port: int

    def __str__(self) -> str:
        return f"{self.source}:{self.source_port} -> {self.destination}:{self.destination_port}"


def flow_key_of(value: Any) -> FlowKey:
    """The key of a JSON list [source, source port, destination, destination port]; EmulationError where it is none."""
    try:
        source, source_port, destination, destination_port = value
        for port in (source_port, destination_port):
            if type(port) is not int or not 0 < port < 1 << 16:
                raise ValueError(f"port {port!r}")
        for address in (source, destination):
            if not isinstance(address, str):
                raise ValueError(f"address {address!r}")
            ipaddress.IPv4Address(address)
    except (TypeError, ValueError) as error:
        raise EmulationError(
            f"flow {value!r}: {error}; expected [source address, source port, destination address, destination port]"
        ) from None
    return FlowKey(source, source_port, destination, destination_port)
