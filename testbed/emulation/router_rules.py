"""The driver that turns forwarding rules into routes of a Linux router: lines for one `ip -batch` per router.

Rules match under masks, routes under prefixes. A mask such as 255.0.255.0 leaves out the octet that names the core
switch (10.*.EDGE.*); it becomes one prefix for each core in use, and one for primary addresses. Rules have priorities;
in a routing table the longer prefix wins, and the driver checks that this comes to the same.

There is no ARP and no address on a router: the next hop of every route is the gateway that hosts have as well, and a
permanent neighbour entry on each port gives it the Ethernet address of whoever is at the other end.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from testbed.emulation.host_network import GATEWAY
from testbed.emulation.wiring import GATEWAY_MAC
from testbed.errors import EmulationError
from testbed.plan import Address
from testbed.rules.model import Route, SwitchRules
from testbed.rules.routes import PRIMARY

_CORE_OCTET = 0x00FF0000
"""The bits that a rule for all cores leaves out."""


def cores_in_use(addresses: Sequence[Address]) -> tuple[int, ...]:
    """What stands in the second octet of the hosts' addresses."""
    return (*range(len(addresses[0].via) if addresses else 0), PRIMARY)


def route_commands(rules: SwitchRules, cores: Sequence[int], interfaces: Mapping[int, str]) -> list[str]:
    """Lines that make a router's neighbours and routes; `interfaces[port]` is the interface of a port.

    What no rule knows is dropped without a word, as are packets for a rule without ports. A rule with several ports
    becomes one multipath route. EmulationError where a rule cannot be said as routes.
    """
    lines = neighbour_commands(rules, interfaces)
    for prefix, route in prefixes(rules, cores).items():
        if not route.ports:
            lines.append(f"route add blackhole {prefix}")
            continue
        hops = [f"via {GATEWAY} dev {interfaces[port]} onlink" for port in route.ports]
        lines.append(f"route add {prefix} " + (hops[0] if len(hops) == 1 else " ".join(f"nexthop {h}" for h in hops)))
    return [*lines, "route add blackhole default"]


def neighbour_commands(rules: SwitchRules, interfaces: Mapping[int, str]) -> list[str]:
    """Lines that give each port, by number, the Ethernet address of whoever is at its other end."""
    macs = {port: route.mac for route in rules.routes if route.mac for port in route.ports}
    return [
        f"neigh replace {GATEWAY} lladdr {macs.get(port, GATEWAY_MAC)} dev {interface} nud permanent"
        for port, interface in sorted(interfaces.items())
    ]


def prefixes(rules: SwitchRules, cores: Sequence[int]) -> dict[ipaddress.IPv4Network, Route]:
    """The route of each prefix, longest first; EmulationError where a longer prefix would win against a priority."""
    found: dict[ipaddress.IPv4Network, Route] = {}
    for route in sorted(rules.routes, key=lambda route: -route.priority):
        for prefix in _expand(rules.name, route, cores):
            found.setdefault(prefix, route)
    ordered = sorted(found.items(), key=lambda item: -item[0].prefixlen)
    least: tuple[int, Route] | None = None  # of all prefixes so far, which are longer or as long
    for prefix, route in ordered:
        if least is not None and least[0] > prefix.prefixlen and least[1].priority < route.priority:
            raise EmulationError(
                f"switch {rules.name}: rule {route.network}/{route.mask} of priority {route.priority} comes before "
                f"{least[1].network}/{least[1].mask} of {least[1].priority}, but a router takes the longer prefix; "
                "use an OpenFlow datapath for these rules"
            )
        if least is None or route.priority < least[1].priority:
            least = prefix.prefixlen, route
    return dict(ordered)


def _expand(switch: str, route: Route, cores: Sequence[int]) -> list[ipaddress.IPv4Network]:
    """The prefixes that together match what a route matches, of the addresses in use."""
    network, mask = ipaddress.IPv4Address(route.network), ipaddress.IPv4Address(route.mask)
    networks, whole = [int(network)], int(mask)
    if whole & _CORE_OCTET == 0:
        networks = [int(network) | core << 16 for core in cores]
        whole |= _CORE_OCTET
    length = whole.bit_count()
    if whole != 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF:
        raise EmulationError(
            f"switch {switch}: rule {route.network}/{route.mask} is no prefix, with or without its second octet; "
            "use an OpenFlow datapath for these rules"
        )
    return [ipaddress.IPv4Network((each, length)) for each in networks]
