"""A router's routing table as data, and the lines that make one table of another while packets flow.

The kernel takes the routes of a port away that is set down, and its neighbour; both have to be made again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping, Sequence

from testbed.emulation.host_network import GATEWAY
from testbed.emulation.router_rules import neighbour_commands, prefixes
from testbed.rules.model import SwitchRules

Table = dict[ipaddress.IPv4Network, tuple[str, ...]]
"""Prefix -> the interfaces of its next hops; none where packets are dropped."""


def table_of(
    rules: SwitchRules, cores: Sequence[int], interfaces: Mapping[int, str], dead: Collection[str] = ()
) -> Table:
    """What a router is to have while some of its interfaces are dead: no route leads there."""
    table: Table = {}
    for prefix, route in prefixes(rules, cores).items():
        hops = tuple(interfaces[port] for port in route.ports if interfaces[port] not in dead)
        if hops or not route.ports:
            table[prefix] = hops
    return table


def without(table: Table, down: Collection[str]) -> Table:
    """What the kernel leaves of a table when interfaces are set down: not what led there only."""
    return {prefix: hops for prefix, hops in table.items() if not hops or not set(hops) <= set(down)}


def change_commands(found: Table, wanted: Table) -> list[str]:
    """Lines that make the table that is wanted of the one that is found; routes come before others go."""
    lines = []
    for prefix, hops in wanted.items():
        if found.get(prefix) == hops:
            continue
        ways = [f"via {GATEWAY} dev {interface} onlink" for interface in hops]
        if not ways:
            lines.append(f"route replace blackhole {prefix}")
        elif len(ways) == 1:
            lines.append(f"route replace {prefix} {ways[0]}")
        else:
            lines.append(f"route replace {prefix} " + " ".join(f"nexthop {way}" for way in ways))
    lines += [
        f"route del {'' if hops else 'blackhole '}{prefix}" for prefix, hops in found.items() if prefix not in wanted
    ]
    return lines


def restored_neighbours(rules: SwitchRules, interfaces: Mapping[int, str], up: Collection[str]) -> list[str]:
    """Lines that make the neighbours of interfaces that have come up again."""
    back = {port: interface for port, interface in interfaces.items() if interface in up}
    return neighbour_commands(rules, back)
