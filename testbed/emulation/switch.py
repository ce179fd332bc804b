"""A switch of the emulated network as Mininet knows it: a bridge of the run's Open vSwitch."""

from __future__ import annotations

import shlex
from typing import Any

from mininet.node import OVSSwitch

from testbed.emulation.lazy_shell import LazyShell
from testbed.emulation.names import Names
from testbed.emulation.open_vswitch import OpenVSwitch


class BridgeSwitch(LazyShell, OVSSwitch):  # type: ignore[misc]  # mininet has no types
    """Its bridge and ports are made with all others in one transaction, not by Mininet's start and attach."""

    def __init__(self, name: str, number: int, names: Names, open_vswitch: OpenVSwitch, **params: Any) -> None:
        self.number = number
        self.names = names
        self.open_vswitch = open_vswitch
        self.bridge = names.bridge(number)
        kind = "user" if open_vswitch.datapath_type == "netdev" else "kernel"
        super().__init__(name, datapath=kind, **{**params, "inNamespace": False})
        self.constructed = True

    def interface_name(self, port: int) -> str:
        """The interface of a port, which bears the run's tag."""
        return self.names.port(self.number, port)

    def vsctl(self, *args: Any, **_: Any) -> str:
        """Output of ovs-vsctl on the database that holds this bridge."""
        return self.open_vswitch.vsctl(*shlex.split(" ".join(str(arg) for arg in args)))

    def dpctl(self, *args: Any) -> str:
        """Output of ovs-ofctl on this bridge: `sw.dpctl("dump-flows")`."""
        command, *rest = shlex.split(" ".join(str(arg) for arg in args))
        return self.open_vswitch.ofctl(command, self.bridge, *rest)

    def connected(self) -> bool:
        """Whether a controller has accepted this switch."""
        answer = self.open_vswitch.vsctl("--bare", "--columns=is_connected", "find", "Controller", "is_connected=true")
        return bool(answer.split()) and "true" in self.open_vswitch.vsctl(
            "--bare", "--columns=is_connected", "list", "Controller", self.bridge
        )

    def start(self, controllers: Any) -> None:
        """The bridge has been there since the bring-up."""

    def stop(self, deleteIntfs: bool = True) -> None:
        """The bridge goes at the tear-down, with all others."""

    @classmethod
    def batchStartup(cls, switches: Any, run: Any = None) -> Any:
        """Every bridge has been there since the bring-up."""
        return switches

    @classmethod
    def batchShutdown(cls, switches: Any, run: Any = None) -> Any:
        """Close the switches' shells; the bridges go at the tear-down."""
        for switch in switches:
            switch.terminate()
        return switches
