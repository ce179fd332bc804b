"""Faults carried out on an emulated network, from outside and while traffic flows."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from testbed.emulation.command import batch
from testbed.emulation.containers import HostHandle
from testbed.emulation.netns import Netns
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.owner import kill, processes_in_container, start_time
from testbed.emulation.shaping import retune
from testbed.emulation.wiring import Cable, End
from testbed.errors import EmulationError
from testbed.faults import HOST_EVENTS, WHOLE, Condition, Fault, ends_of
from testbed.plan import Plan
from testbed.rules.model import Rules
from testbed.rules.route_change import RouteChange, route_changes
from testbed.rules.routes import make_rules

ChangeRoutes = Callable[[Mapping[str, RouteChange]], object]
"""Has switches that speak OpenFlow change their routes, and returns when they have confirmed it."""


class FaultInjector:
    """Brings a network from one condition into the next. For one thread at a time."""

    def __init__(self, plan: Plan, network: EmulatedNetwork, change_routes: ChangeRoutes | None) -> None:
        """`change_routes` is None where the switches are routers."""
        self._plan = plan
        self._network = network
        self._change_routes = change_routes
        self._hosts = {host.name: host for host in network.hosts}
        self._condition = WHOLE
        self._rules: Rules = make_rules(plan)

    def inject(self, faults: Sequence[Fault]) -> None:
        """Have things fail, or work again, which happens at one instant."""
        before = self._condition
        for fault in faults:
            self._condition = self._condition.after(fault)
        cables = self._network.cables
        down = {end for cable in cables for end in down_ends(cable, before)}
        wanted = {end for cable in cables for end in down_ends(cable, self._condition)}
        if before.slow_bps != self._condition.slow_bps:
            self._retune(before)
        self._network.set_ports(sorted(wanted - down, key=_place), sorted(down - wanted, key=_place))
        for fault in faults:
            if fault.event in HOST_EVENTS:
                self._have_host(self._hosts[fault.nodes[0]], fault.event)

    def reroute(self) -> None:
        """Have switches take the ways that are left, or the planned ones again."""
        if not self._network.has_openflow:
            self._network.set_routes(self._condition)
            return
        rules = make_rules(self._plan, self._condition)
        changes = route_changes(self._rules, rules)
        if changes:
            assert self._change_routes is not None
            self._change_routes(changes)
        self._rules = rules

    def _retune(self, before: Condition) -> None:
        """Set the rate of every port whose link has become slower or faster than it was."""
        links, by_namespace = self._plan.fabric.links, defaultdict(list)
        for end in (end for cable in self._network.cables for end in cable.ends):
            link = links[end.link]
            ends = ends_of((link.source, link.target))
            rate_bps = self._condition.slow_bps.get(ends, link.rate_bps)
            if rate_bps != before.slow_bps.get(ends, link.rate_bps):
                tree = self._network.tree(end, replace(link, rate_bps=rate_bps))
                by_namespace[self._namespace(end)].append(tree)
        for namespace, trees in by_namespace.items():
            retune(trees, namespace)

    def _namespace(self, end: End) -> Netns | None:
        return self._network.hosts[end.host].pid if end.host is not None else self._network.namespace(end)

    def _have_host(self, host: HostHandle, event: str) -> None:
        if start_time(host.pid) != host.start:
            raise EmulationError(f"host {host.name}: its container has ended before it was to {event}")
        if event != "kill":
            _signal(processes_in_container(host.container_id), signal.SIGSTOP if event == "pause" else signal.SIGCONT)
            return
        # A host that loses its power says no more: its processes' last words must not leave it.
        self._network.expect_end(host)
        interface = next(end.interface for cable in self._network.cables for end in cable.ends if end.node == host.name)
        batch("ip", [f"link set dev {interface} down"], netns_of=host.pid)
        if left := kill([host.pid]):
            raise EmulationError(f"host {host.name}: process {left[0]} did not end when it was killed")


def down_ends(cable: Cable, condition: Condition) -> set[End]:
    """The ends of a cable that are set down: those at a crashed switch, and one of a dead link (so is the carrier)."""
    found = {end for end in cable.ends if end.node in condition.crashed}
    if ends_of((cable.first.node, cable.second.node)) in condition.down:
        found.add(cable.first)
    return found


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _place(end: End) -> tuple[str, int]:
    return end.node, end.port
