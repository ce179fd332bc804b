"""From a plan to the routes of every switch: path by address, static and complete before the first packet.

A host has the address 10.CORE.EDGE.HOST for each core switch (or spine) beside its primary one, 10.255.EDGE.HOST.
Four kinds of route, none of them per flow, carry everything:

    last hop   10.*.EDGE.HOST, exactly    the host's port, its MAC written in
    down       10.*.EDGE.*                the port towards that edge; on the edge itself: drop, there is no such host
    up         10.CORE.*.*                the port towards that core
    spread     10.255.*.*                 one of all ports that lead up, by a hash of the flow

A packet that has turned downwards always meets a `down` or `last hop` route, which come before the others, so it
never goes up again: there is no loop, although nothing counts hops.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from testbed.errors import EmulationError
from testbed.fabric import Fabric, Link, Node
from testbed.plan import Address, Plan
from testbed.rules.model import Route, Rules, SwitchRules

LAST_HOP, DOWN, UP, SPREAD = 400, 300, 200, 100
"""Priorities."""
HOST_MASK, EDGE_MASK, CORE_MASK = "255.0.255.255", "255.0.255.0", "255.255.0.0"
PRIMARY = 255
"""Stands in a primary address where the others have the number of their core."""

_LEVEL = {"host": 0, "edge": 1, "leaf": 1, "switch": 1, "aggregation": 2, "core": 3, "spine": 3}
_TOP = ("core", "spine")


def make_rules(plan: Plan) -> Rules:
    """The rules that carry every flow of the plan along its planned path, and nothing to unknown destinations.

    Where `plan.ecmp` is per-flow or hash, primary addresses are spread over all ports that lead up; where it is
    single-path they all take the path through the first core, as they would where a spanning tree closed the others.
    EmulationError where the plan's addresses do not follow the scheme above.
    """
    return _RouteMaker(plan).rules()


class _RouteMaker:
    """Looks up what the routes need: the links of each node, the edge and host octets, the ways up and down."""

    def __init__(self, plan: Plan) -> None:
        self.fabric: Fabric = plan.fabric
        self.single_path = plan.ecmp == "single-path"
        self.nodes = {node.name: node for node in plan.fabric.nodes}
        self.links: dict[str, list[Link]] = {name: [] for name in self.nodes}
        for link in plan.fabric.links:
            self.links[link.source].append(link)
        self.addresses = {address.host: address for address in plan.addresses}
        self.octets = {address.host: _edge_and_host(address) for address in plan.addresses}
        _refuse_twins(plan.addresses)
        # Drawn without replacement: two switches of one path must not share their hash.
        self.bases = random.Random(plan.seed).sample(range(1 << 16), len(plan.fabric.switches))

    def rules(self) -> Rules:
        return Rules(tuple(self.switch_rules(i, node) for i, node in enumerate(self.fabric.switches)))

    def switch_rules(self, number: int, switch: Node) -> SwitchRules:
        links = self.links[switch.name]
        return SwitchRules(
            name=switch.name,
            dpid=number + 1,
            hash_basis=self.bases[number],
            neighbours=tuple(sorted((link.source_port, link.target) for link in links)),
            routes=(*self.downwards(switch), *self.upwards(switch)),
        )

    def downwards(self, switch: Node) -> Iterable[Route]:
        attached: set[int] = set()
        for link in self.links[switch.name]:
            if not self.nodes[link.target].is_host:
                continue
            edge, host = self.octets[link.target]
            attached.add(edge)
            yield Route(
                LAST_HOP, f"10.0.{edge}.{host}", HOST_MASK, (link.source_port,), self.addresses[link.target].mac
            )
        for edge in sorted(attached):
            yield Route(DOWN, f"10.0.{edge}.0", EDGE_MASK, ())
        for link in self.links[switch.name]:
            if self.rises(link) or self.nodes[link.target].is_host:
                continue
            for edge in sorted(self.edges_below(self.nodes[link.target])):
                yield Route(DOWN, f"10.0.{edge}.0", EDGE_MASK, (link.source_port,))

    def upwards(self, switch: Node) -> Iterable[Route]:
        ways = self.cores_above(switch)
        for core, port in sorted(ways.items()):
            yield Route(UP, f"10.{core}.0.0", CORE_MASK, (port,))
        if ways:
            ports = tuple(dict.fromkeys(port for _, port in sorted(ways.items())))
            yield Route(SPREAD, f"10.{PRIMARY}.0.0", CORE_MASK, ports[:1] if self.single_path else ports)

    def rises(self, link: Link) -> bool:
        return _LEVEL[self.nodes[link.target].layer] > _LEVEL[self.nodes[link.source].layer]

    def edges_below(self, switch: Node) -> set[int]:
        """Edge octets of the hosts that are reached from a switch by going down only."""
        edges: set[int] = set()
        for link in self.links[switch.name]:
            if self.rises(link):
                continue
            target = self.nodes[link.target]
            edges |= {self.octets[target.name][0]} if target.is_host else self.edges_below(target)
        return edges

    def cores_above(self, switch: Node) -> dict[int, int]:
        """Core (or spine) number -> the port that leads up to it."""
        ways: dict[int, int] = {}
        for link in self.links[switch.name]:
            if self.rises(link):
                target = self.nodes[link.target]
                found = [target.index] if target.layer in _TOP else list(self.cores_above(target))
                ways.update(dict.fromkeys(found, link.source_port))
        return ways


def _edge_and_host(address: Address) -> tuple[int, int]:
    """The third and fourth octet that all addresses of a host share."""
    _, _, edge, host = (int(octet) for octet in address.primary.split("."))
    expected = [f"10.{core}.{edge}.{host}" for core in range(len(address.via))]
    if address.primary != f"10.{PRIMARY}.{edge}.{host}" or list(address.via) != expected:
        raise EmulationError(
            f"host {address.host}: addresses {', '.join([address.primary, *address.via])} cannot be routed; "
            f"expected 10.{PRIMARY}.EDGE.HOST and, via core c, 10.c.EDGE.HOST with the same EDGE and HOST"
        )
    return edge, host


def _refuse_twins(addresses: Iterable[Address]) -> None:
    owner: dict[str, str] = {}
    for address in addresses:
        first = owner.setdefault(address.primary, address.host)
        if first != address.host:
            raise EmulationError(
                f"host {address.host}: primary address {address.primary} is also that of host {first}; "
                "expected one host per address: check the plan's addressing"
            )
