"""Linux routers as the network's switches: a network namespace each, forwarding by static routes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from testbed.emulation import cleanup
from testbed.emulation.capabilities import HASH_SEED, has_hash_seed
from testbed.emulation.command import batch
from testbed.emulation.containers import HostHandle
from testbed.emulation.netns import NAMED, inside
from testbed.emulation.offloads import LARGE_SEGMENTS, switch_off
from testbed.emulation.parallel import in_parallel
from testbed.emulation.router_edges import RouterEdges
from testbed.emulation.router_rules import cores_in_use, route_commands
from testbed.emulation.router_tables import Table, change_commands, restored_neighbours, table_of, without
from testbed.emulation.shaping import shape
from testbed.emulation.state import RunState
from testbed.emulation.switches import Switches, TreeOf
from testbed.emulation.wiring import Cable, End, ends_by_switch, has_ipv6, ports_of, routed_link_commands
from testbed.errors import EmulationError
from testbed.faults import Condition
from testbed.plan import Plan
from testbed.rules.model import SwitchRules
from testbed.rules.routes import make_rules
from testbed.segments import frames_together

_SYSCTLS = Path("/proc/sys/net")
_SETTINGS = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",  # replies may come by another port
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/ip_early_demux": "0",  # no packet is for a socket of a router's: it is not looked for at each hop
    "ipv4/conf/all/accept_local": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv4/fib_multipath_hash_policy": "1",  # addresses, protocol and ports
}
_SETTINGS_IPV6 = {"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1"}


class Routers(Switches):
    """One network namespace per switch, all its ports inside, nothing in the root namespace and no process at all."""

    phases: ClassVar[tuple[str, str]] = ("namespaces", "routes")

    def __init__(
        self,
        plan: Plan,
        state: RunState,
        cables: Sequence[Cable],
        services: contextlib.ExitStack,
        log: Callable[[str], None],
    ) -> None:
        super().__init__(plan, state, cables, services, log)
        self._rules = make_rules(plan).switches
        self._frames = frames_together(plan.fabric)
        self._seeded = has_hash_seed()
        self._tables: list[Table] = []
        self._names = [state.names.namespace(node.name) for node in plan.fabric.switches]

    @property
    def frames_per_segment(self) -> int:
        """By the rate of the links."""
        return self._frames

    def prepare(self) -> None:
        """Make the namespaces in one batch, and let each forward as it shall before it has a port."""
        self.state.namespaces = self._names
        self.state.save()
        batch("ip", (f"netns add {name}" for name in self._names))
        for name, rules in zip(self._names, self._rules, strict=True):
            inside(NAMED / name, partial(_write, self._settings(rules)))
        if self.plan.ecmp == "hash" and not self._seeded:
            self.log(
                "routing.ecmp hash: this kernel hashes alike in all routers (a seed for each came with Linux 6.11), so "
                "paths polarise: above the first switch a flow has no choice left; prefer per-flow"
            )

    def _settings(self, rules: SwitchRules) -> dict[Path, str]:
        settings = {_SYSCTLS / name: value for name, value in _SETTINGS.items()}
        if has_ipv6():
            settings |= {_SYSCTLS / name: value for name, value in _SETTINGS_IPV6.items()}
        if self._seeded:
            settings[HASH_SEED] = str(rules.hash_basis + 1)  # 0 would mean the kernel's own, the same for all
        return settings

    def connect(self, hosts: Sequence[HostHandle]) -> None:
        """Make all cables in one batch, each end where it belongs."""
        pids, macs = [host.pid for host in hosts], [host.address.mac for host in hosts]
        batch("ip", routed_link_commands(self.cables, self.plan.fabric.mtu, self._names, pids, macs))

    def prepare_host(self, interface: str, pid: int) -> None:
        """Switch large segments off where hosts send single frames."""
        if self._frames == 1:
            switch_off([interface], pid, LARGE_SEGMENTS)

    def install(self, controller: tuple[str, int] | None) -> None:
        """Put all ports up and give every router its neighbours and routes, in one batch each."""
        ports, cores = ports_of(self.cables, len(self._names)), cores_in_use(self.plan.addresses)

        self._tables = [
            table_of(rules, cores, interfaces) for rules, interfaces in zip(self._rules, ports, strict=True)
        ]

        def install(rules: SwitchRules) -> None:
            interfaces = ports[rules.dpid - 1]
            lines = ["link set dev lo up"]  # without it no next hop counts as one
            lines += [f"link set dev {interface} up" for interface in interfaces.values()]
            batch("ip", [*lines, *route_commands(rules, cores, interfaces)], netns_of=self.namespace(rules.dpid - 1))

        in_parallel(install, self._rules)

    def set_ports(self, down: Sequence[End], up: Sequence[End]) -> None:
        """As everywhere; ports that are up again have their neighbours back, and routes with the next `set_routes`."""
        super().set_ports(down, up)
        ports = ports_of(self.cables, len(self._names))
        for switch in {end.switch for end in (*down, *up) if end.switch is not None}:
            gone, back = ({end.interface for end in ends if end.switch == switch} for ends in (down, up))
            self._tables[switch] = without(self._tables[switch], gone)
            lines = restored_neighbours(self._rules[switch], ports[switch], back)
            batch("ip", lines, netns_of=self.namespace(switch))

    def set_routes(self, condition: Condition) -> None:
        """Change the routing tables to what the rules for this condition say, each in one batch."""
        rules, cores = make_rules(self.plan, condition).switches, cores_in_use(self.plan.addresses)
        ports, usable = ports_of(self.cables, len(self._names)), condition.usable(self.plan.fabric)
        dead = {(end.switch, end.interface) for cable in self.cables for end in cable.ends if not usable[end.link]}

        def change(switch: int) -> None:
            gone = {interface for number, interface in dead if number == switch}
            wanted = table_of(rules[switch], cores, ports[switch], gone)
            batch("ip", change_commands(self._tables[switch], wanted), netns_of=self.namespace(switch))
            self._tables[switch] = wanted

        in_parallel(change, range(len(rules)))

    def shape(self, tree_of: TreeOf) -> None:
        """Shape the ports of each router in one batch."""
        ends = ends_by_switch(self.cables, len(self._names))
        in_parallel(
            lambda switch: shape([tree_of(end) for end in ends[switch]], self.namespace(switch)), range(len(ends))
        )

    def namespace(self, switch: int) -> Path:
        """The namespace that is the router."""
        return NAMED / self._names[switch]

    def edges(self) -> RouterEdges:
        """What changes meters and marks where hosts' packets come in."""
        ports: dict[str, dict[str, str]] = {}
        for cable in self.cables:
            if cable.second.host is not None:
                address = self.plan.addresses[cable.second.host]
                here = ports.setdefault(cable.first.node, {})
                here |= dict.fromkeys((address.primary, *address.via), cable.first.interface)
        namespaces = {node.name: self.namespace(number) for number, node in enumerate(self.plan.fabric.switches)}
        return RouterEdges(self.plan, ports, namespaces.__getitem__)

    def mininet_switch(self, switch: int) -> tuple[type[Any], dict[str, Any]]:
        """A node whose commands run in the router's namespace."""
        from testbed.emulation.router_node import RouterSwitch

        return RouterSwitch, {"number": switch, "names": self.state.names, "namespace": self.namespace(switch)}

    def check_alive(self) -> None:
        """EmulationError if a namespace was deleted."""
        for switch, name in enumerate(self._names):
            if not self.namespace(switch).exists():
                node = self.plan.fabric.switches[switch].name
                raise EmulationError(
                    f"switch {node}: its network namespace {name} was deleted while the network was up"
                )

    def facts(self) -> dict[str, Any]:
        """How large segments may be, and whether each router hashes in its own way."""
        return {"frames_per_segment": self._frames, "hash_seed_per_switch": self._seeded}

    def stop(self) -> None:
        """Nothing runs."""

    def remove(self) -> None:
        """Delete the namespaces, and with them all ports."""
        cleanup.remove_namespaces(self.state)


def _write(settings: dict[Path, str]) -> None:
    for path, value in settings.items():
        try:
            path.write_text(value)
        except OSError as error:
            raise EmulationError(f"{path} in a router: {error.strerror}; expected to set it to {value}") from None
