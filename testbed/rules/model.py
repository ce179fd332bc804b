"""Forwarding rules as plain data: what every switch does with a packet, with no word of any protocol.

`testbed.rules.routes` makes them from a plan; a driver turns them into OpenFlow messages (`controller`) or into Linux
routes. This module needs the standard library only, so that a driver's process starts quickly.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

from testbed.errors import EmulationError

FORMAT = 1


@lru_cache(maxsize=1 << 16)
def _number(address: str) -> int:
    return int(ipaddress.IPv4Address(address))


@dataclass(frozen=True)
class Route:
    """Packets whose IPv4 destination, under `mask`, is `network`. The highest matching priority decides."""

    priority: int
    network: str
    mask: str
    ports: tuple[int, ...]
    """Where they leave: no port drops them, several share them by the switch's hash of the flow."""
    mac: str = ""
    """The Ethernet destination written into them before they leave; empty leaves it."""

    def matches(self, destination: str) -> bool:
        """Whether a packet to this IPv4 address is one of them."""
        return _number(destination) & _number(self.mask) == _number(self.network)


@dataclass(frozen=True)
class SwitchRules:
    """All rules of one switch. What no route matches is dropped: it is never flooded and never asked about."""

    name: str
    dpid: int
    """OpenFlow datapath id, 1 + the switch's place in `fabric.switches`."""
    hash_basis: int
    """Seed of its flow hash, 0 to 65535 and different on every switch: equal hashes would polarise (two switches in a
    row would make the same choice, and half of the links above the second would carry nothing)."""
    neighbours: tuple[tuple[int, str], ...]
    """(port, name of the node at its other end)."""
    routes: tuple[Route, ...]

    def route(self, destination: str) -> Route | None:
        """The route that decides about this IPv4 destination, or None where the packet is unknown and dropped."""
        found = [route for route in self.routes if route.matches(destination)]
        return max(found, key=lambda route: route.priority, default=None)


@dataclass(frozen=True)
class Rules:
    """The rules of every switch of a fabric, in the order of `fabric.switches`."""

    switches: tuple[SwitchRules, ...]

    @cached_property
    def by_name(self) -> dict[str, SwitchRules]:
        """Switch name -> its rules."""
        return {switch.name: switch for switch in self.switches}

    def to_json(self) -> str:
        """The rules as one JSON document, the form in which a driver's process gets them."""
        return json.dumps({"format": FORMAT, **asdict(self)})


def rules_from_json(text: str) -> Rules:
    """The rules of a document of `Rules.to_json`; EmulationError where it is something else."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise EmulationError(
                f"rules: format is {document['format']!r}, expected {FORMAT}; "
                "they were written by another version of the testbed"
            )
        return Rules(tuple(_switch(entry) for entry in document["switches"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EmulationError(
            f"rules: not a rules document ({type(error).__name__}: {error}); expected what Rules.to_json writes"
        ) from None


def _switch(entry: dict[str, Any]) -> SwitchRules:
    routes = tuple(Route(**{**route, "ports": tuple(route["ports"])}) for route in entry["routes"])
    neighbours = tuple((port, name) for port, name in entry["neighbours"])
    return SwitchRules(**{**entry, "routes": routes, "neighbours": neighbours})
