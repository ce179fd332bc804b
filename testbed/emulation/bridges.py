"""Open vSwitch as the network's switches: one bridge each, on the userspace or the kernel datapath."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from testbed.emulation import cleanup, sysctls
from testbed.emulation.command import batch
from testbed.emulation.containers import HostHandle
from testbed.emulation.offloads import switch_off
from testbed.emulation.open_vswitch import OpenVSwitch, bridge_commands
from testbed.emulation.ovs_service import private_open_vswitch, system_open_vswitch, userspace_turn
from testbed.emulation.shaping import shape
from testbed.emulation.state import RunState
from testbed.emulation.switches import Switches, TreeOf
from testbed.emulation.taps import SHARED_TAP, is_tap, require_taps
from testbed.emulation.wiring import Cable, has_ipv6, link_commands, ports_of, switch_ends
from testbed.errors import EmulationError
from testbed.plan import Plan


class Bridge(NamedTuple):
    """A switch of the plan in Open vSwitch."""

    name: str
    dpid: int
    """Datapath id: 1 + the switch's place in `fabric.switches`."""
    management: str
    """What ovs-ofctl is given to reach it."""


class Bridges(Switches):
    """Bridges of a private Open vSwitch (userspace datapath) or of the machine's own (kernel datapath)."""

    phases: ClassVar[tuple[str, str]] = ("switch daemon", "bridges")

    def __init__(
        self,
        plan: Plan,
        state: RunState,
        cables: Sequence[Cable],
        services: contextlib.ExitStack,
        log: Callable[[str], None],
        datapath: str,
        wait_s: float,
    ) -> None:
        """`wait_s`: how long to wait for another run to let go of the userspace datapath."""
        super().__init__(plan, state, cables, services, log)
        self._datapath = datapath
        self._wait_s = wait_s
        self._daemon = contextlib.ExitStack()

    @property
    def frames_per_segment(self) -> int:
        """One: larger segments would be cut up behind a host's queue, and leave it in bursts."""
        return 1

    @property
    def open_vswitch(self) -> OpenVSwitch:
        """The Open vSwitch that holds the bridges."""
        return self._open_vswitch

    def by_switch(self) -> dict[str, Bridge]:
        """The bridge of each switch, by the switch's name in the plan."""
        return {
            node.name: Bridge(name, number + 1, self._open_vswitch.management(name))
            for number, node in enumerate(self.plan.fabric.switches)
            for name in [self.state.names.bridge(number)]
        }

    def prepare(self) -> None:
        """Start the private Open vSwitch when it is this run's turn, or use the machine's own."""
        self._open_vswitch = self._start()

    def _start(self) -> OpenVSwitch:
        if self._datapath == "ovs-kernel":
            return self._daemon.enter_context(system_open_vswitch(self.state, self.log))
        require_taps()
        run_id, owner = self.state.run_id, self.state.owner
        user = f"{run_id} ({os.getpid()})"
        self.services.callback(sysctls.release_sysctl, sysctls.WMEM_DEFAULT, user)
        sysctls.raise_sysctl(sysctls.WMEM_DEFAULT, sysctls.WMEM_BYTES, user, owner)
        self.services.enter_context(userspace_turn(run_id, self._wait_s, self.log))
        return self._daemon.enter_context(private_open_vswitch(self.state))

    def connect(self, hosts: Sequence[HostHandle]) -> None:
        """Make all cables in one batch, their switches' ends in the root namespace."""
        self.state.interfaces = [end.interface for end in switch_ends(self.cables)]
        self.state.save()
        pids, macs = [host.pid for host in hosts], [host.address.mac for host in hosts]
        batch("ip", link_commands(self.cables, self.plan.fabric.mtu, self.state.group, pids, macs, has_ipv6()))
        switch_off(self.state.interfaces)

    def prepare_host(self, interface: str, pid: int) -> None:
        """Switch a host's offloads off: the userspace datapath passes on neither large segments nor half checksums."""
        switch_off([interface], pid)

    def install(self, controller: tuple[str, int] | None) -> None:
        """Make all bridges with their ports in one transaction, and check the ports' numbers."""
        bridges = self.by_switch()
        if self._datapath == "ovs-user":
            taps = [bridge.name for bridge in bridges.values()]
            self.state.taps = taps if is_tap(SHARED_TAP) else [*taps, SHARED_TAP]
            self.state.save()
        ports = ports_of(self.cables, len(bridges))
        described = [(bridge.name, bridge.dpid, ports[i]) for i, bridge in enumerate(bridges.values())]
        target = None if controller is None else "tcp:{}:{}".format(*controller)
        self._open_vswitch.vsctl(*bridge_commands(self._open_vswitch, described, target, self.state.run_id))
        wanted = {interface: number for numbers in ports for number, interface in numbers.items()}
        for row in self._open_vswitch.table("Interface", "name", "ofport", "error"):
            number = wanted.pop(row["name"], row["ofport"])
            if row["ofport"] != number:
                raise EmulationError(
                    f"switch port {row['name']}: OpenFlow port is {row['ofport']}, expected {number} "
                    f"({row['error'] or 'no reason given'}){self._open_vswitch.log_tail()}"
                )

    def shape(self, tree_of: TreeOf) -> None:
        """Shape all ports in one batch: they share a namespace."""
        shape([tree_of(end) for end in switch_ends(self.cables)])

    def namespace(self, switch: int) -> Path | None:
        """The root namespace."""
        return None

    def mininet_switch(self, switch: int) -> tuple[type[Any], dict[str, Any]]:
        """A bridge that Mininet takes for one of its own."""
        from testbed.emulation.switch import BridgeSwitch

        return BridgeSwitch, {"number": switch, "names": self.state.names, "open_vswitch": self._open_vswitch}

    def check_alive(self) -> None:
        """EmulationError if a switch daemon has died."""
        self._open_vswitch.check_alive()

    def pids(self) -> list[int]:
        """The daemons of a private Open vSwitch."""
        return self._open_vswitch.pids()

    def forwarding_thread(self) -> int | None:
        """The main thread of a private ovs-vswitchd."""
        return self._open_vswitch.forwarding_thread()

    def stop(self) -> None:
        """End the private Open vSwitch, or take the bridges out of the machine's own."""
        self._daemon.close()

    def remove(self) -> None:
        """Delete the run's interfaces."""
        cleanup.remove_interfaces(self.state)
