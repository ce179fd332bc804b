"""The emulated network as a Mininet object, for Mininet's API and command line on top of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mininet.net

from testbed.emulation.containers import HostHandle
from testbed.emulation.docker_host import DockerHost
from testbed.emulation.link import ShapedLink
from testbed.emulation.mininet_topo import FabricTopo
from testbed.emulation.switches import Switches
from testbed.plan import Plan


class CoflowMininet(mininet.net.Mininet):  # type: ignore[misc]  # mininet has no types
    """Our hosts, switches and links as Mininet nodes: `net.get("h0").cmd("ip route")`, `net.pingAll()`, `CLI(net)`.

    Constructing it touches nothing on the machine; EmulatedNetwork makes what it stands for, and takes it away.
    """

    def __init__(self, plan: Plan, switches: Switches, handles: Mapping[str, HostHandle]) -> None:
        self._switches = switches
        self._handles = handles
        self._switch_numbers = {node.name: number for number, node in enumerate(plan.fabric.switches)}
        # Mininet would raise machine-wide sysctls and limits at its first use, and not put them back.
        mininet.net.Mininet.inited = True
        super().__init__(
            topo=FabricTopo(fabric=plan.fabric),
            host=DockerHost,
            link=ShapedLink,
            controller=None,
            build=True,
        )
        for host in self.hosts:
            interface = host.defaultIntf()
            interface.ip, interface.prefixLen = host.handle.address.primary, "32"
            interface.mac = host.handle.address.mac

    def addHost(self, name: str, cls: Any = None, **params: Any) -> Any:
        """Add the host whose container runs under that name."""
        return super().addHost(name, cls, **{**params, "handle": self._handles[name]})

    def addSwitch(self, name: str, cls: Any = None, **params: Any) -> Any:
        """Add the switch of that name of the plan's fabric."""
        kind, ours = self._switches.mininet_switch(self._switch_numbers[name])
        return super().addSwitch(name, kind, **{**params, **ours})

    def configHosts(self) -> None:
        """Nothing: hosts are configured in one batch each."""

    def close(self) -> None:
        """End the shells that were opened."""
        for node in (*self.hosts, *self.switches):
            node.terminate()
