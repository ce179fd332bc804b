"""Following the rules through a fabric, hop by hop, without a network: the check that they say what the plan says."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from testbed.errors import EmulationError, unknown_name
from testbed.fabric import Fabric
from testbed.rules.model import Rules, SwitchRules

Choose = Callable[[str, tuple[int, ...]], int]
"""Which of several ports a switch's flow hash picks: switch name, ports -> port."""


@dataclass(frozen=True)
class Walk:
    """How far a packet came."""

    links: tuple[int, ...]
    """Numbers of the links it crossed, in order."""
    end: str
    """Name of the host that it reached, or of the switch that dropped it."""
    mac: str
    """The Ethernet destination it was last given; empty if none."""


def first_port(switch: str, ports: tuple[int, ...]) -> int:
    """A flow hash that always picks the first port."""
    return ports[0]


def walk(rules: Rules, fabric: Fabric, source: int, destination: str, choose: Choose = first_port) -> Walk:
    """Where a packet from host number `source` to an IPv4 address goes; EmulationError if it never ends."""
    by_port = {(link.source, link.source_port): number for number, link in enumerate(fabric.links)}
    links = [int(fabric.uplink[source])]
    mac = ""
    while (place := fabric.links[links[-1]].target) in rules.by_name:
        if len(links) > len(fabric.links):
            names = " ".join(fabric.links[number].name for number in links[-4:])
            raise EmulationError(f"rules: a packet from host {source} to {destination} loops: ... {names}")
        route = rules.by_name[place].route(destination)
        if route is None or not route.ports:
            break
        mac = route.mac or mac
        links.append(by_port[place, choose(place, route.ports) if len(route.ports) > 1 else route.ports[0]])
    return Walk(tuple(links), place, mac)


def node_paths(switches: Iterable[SwitchRules], source: str, destination: str) -> list[list[str]]:
    """Every way that packets from a host to an IPv4 address may take, as names of nodes, by the rules alone.

    Several where a switch spreads flows over ports. The last node is the host that is reached, or the switch that drops
    them. EmulationError where the source is attached to no switch, the address is none, or the rules loop.
    """
    by_name = {switch.name: switch for switch in switches}
    edge = next((switch for switch in by_name.values() if source in dict(switch.neighbours).values()), None)
    if edge is None or source in by_name:
        hosts = {name for switch in by_name.values() for _, name in switch.neighbours} - set(by_name)
        raise EmulationError(unknown_name("host", source, hosts))
    try:
        ipaddress.IPv4Address(destination)
    except ValueError:
        raise EmulationError(f"destination '{destination}'; expected an IPv4 address, such as 10.0.1.2") from None
    found: list[list[str]] = []
    open_ends = [[source, edge.name]]
    while open_ends:
        path = open_ends.pop()
        route = by_name[path[-1]].route(destination) if path[-1] in by_name else None
        if route is None or not route.ports:
            found.append(path)
            continue
        neighbours = dict(by_name[path[-1]].neighbours)
        for port in route.ports:
            if neighbours[port] in path:
                raise EmulationError(f"rules: a packet from {source} to {destination} loops: {' '.join(path)}")
            open_ends.append([*path, neighbours[port]])
    return sorted(found)
