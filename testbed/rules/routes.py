"""From a plan to the routes of every switch: path by address, static and complete before the first packet.

A host has the address 10.CORE.EDGE.HOST for each core switch (or spine) beside its primary one, 10.255.EDGE.HOST.
Four kinds of route, none of them per flow, carry everything; where something is broken, a fifth leads around it:

    last hop   10.*.EDGE.HOST, exactly    the host's port, its MAC written in
    detour     10.CORE.EDGE.*             the port that `testbed.topology.rerouting` takes in place of the planned one
    down       10.*.EDGE.*                the port towards that edge; on the edge itself: drop, there is no such host
    up         10.CORE.*.*                the port towards that core
    spread     10.255.*.*                 one of all ports that lead up, by a hash of the flow

A packet that has turned downwards always meets a `down` or `last hop` route, which come before the others, so it
never goes up again: there is no loop, although nothing counts hops.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

from testbed.errors import EmulationError
from testbed.fabric import Fabric, Link, Node
from testbed.faults import WHOLE, Condition
from testbed.plan import Address, Plan
from testbed.rules.model import Route, Rules, SwitchRules
from testbed.topology.rerouting import LEVEL, TOP, Rerouting

LAST_HOP, DETOUR, DOWN, UP, SPREAD = 400, 350, 300, 200, 100
"""Priorities."""
HOST_MASK, DETOUR_MASK, EDGE_MASK, CORE_MASK = "255.0.255.255", "255.255.255.0", "255.0.255.0", "255.255.0.0"
PRIMARY = 255
"""Stands in a primary address where the others have the number of their core."""


def make_rules(plan: Plan, condition: Condition = WHOLE) -> Rules:
    """The rules that carry every flow of the plan along its planned path, and nothing to unknown destinations.

    Where `plan.ecmp` is per-flow or hash, primary addresses are spread over all ports that lead up; where it is
    single-path they all take the path through the first core, as they would where a spanning tree closed the others.
    In any other `condition` of the network they take the paths that are left: each flow the one that
    `testbed.topology.rerouting` gives it. EmulationError where the plan's addresses do not follow the scheme above.
    """
    return _RouteMaker(plan, condition).rules()


class _RouteMaker:
    """Looks up what the routes need: the links of each node, the edge and host octets, the ways up and down."""

    def __init__(self, plan: Plan, condition: Condition) -> None:
        self.fabric: Fabric = plan.fabric
        self.condition = condition
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
        usable = self.condition.usable(self.fabric)
        detours = {} if usable.all() else self.detours(Rerouting(self.fabric, usable))
        return Rules(
            tuple(self.switch_rules(i, node, detours.get(node.name, ())) for i, node in enumerate(self.fabric.switches))
        )

    def switch_rules(self, number: int, switch: Node, detours: Iterable[Route]) -> SwitchRules:
        links = self.links[switch.name]
        return SwitchRules(
            name=switch.name,
            dpid=number + 1,
            hash_basis=self.bases[number],
            neighbours=tuple(sorted((link.source_port, link.target) for link in links)),
            routes=(*self.downwards(switch), *self.upwards(switch), *detours),
        )

    def detours(self, around: Rerouting) -> dict[str, list[Route]]:
        """Switch -> its routes that differ from the planned ones, of those that packets come by."""
        found: dict[str, list[Route]] = {}
        octets: dict[str, set[int]] = {}
        for link in self.fabric.links:
            if self.nodes[link.target].is_host:
                octets.setdefault(link.source, set()).add(self.octets[link.target][0])
        cores = len(next(iter(self.addresses.values())).via) if self.addresses else 0
        for edge, via in itertools.product(octets, (*range(cores), PRIMARY)):
            for switch, links in self.deviations(around, [name for name in octets if name != edge], edge, via):
                ports = tuple(self.fabric.links[link].source_port for link in links)
                found.setdefault(switch, []).extend(
                    Route(DETOUR, f"10.{via}.{octet}.0", DETOUR_MASK, ports) for octet in sorted(octets[edge])
                )
        return found

    def deviations(
        self, around: Rerouting, sources: list[str], edge: str, via: int
    ) -> Iterable[tuple[str, tuple[int, ...]]]:
        """Switches on the way from edge switches to another where packets take other links than planned: those."""
        spread, todo, seen = via == PRIMARY and not self.single_path, list(sources), {edge}
        while todo:
            switch = todo.pop()
            if switch in seen:
                continue
            seen.add(switch)
            way = around.way(switch, edge, 0 if via == PRIMARY else via)
            links = around.ways(switch, edge) if spread else () if way is None else (way,)
            todo += [self.fabric.links[link].target for link in links]
            if links and set(links) != self.planned(around, switch, edge, via):
                yield switch, links

    def planned(self, around: Rerouting, switch: str, edge: str, via: int) -> set[int]:
        """The links that the routes without detours have packets take."""
        down = around.planned_descent(switch, edge)
        if down is not None:
            return {down}
        if via == PRIMARY:
            return set(around.ups(switch)[:1] if self.single_path else around.ups(switch))
        up = around.planned(switch, via)
        return set() if up is None else {up}

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
        return LEVEL[self.nodes[link.target].layer] > LEVEL[self.nodes[link.source].layer]

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
                found = [target.index] if target.layer in TOP else list(self.cores_above(target))
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
