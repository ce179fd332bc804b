"""A switch of the emulated network that is a Linux router, as Mininet knows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mininet.node import Switch

from testbed.emulation.lazy_shell import LazyShell
from testbed.emulation.names import Names


class RouterSwitch(LazyShell, Switch):  # type: ignore[misc]  # mininet has no types
    """Commands run in the router's network namespace: `net["e0"].cmd("ip route")`. It speaks no OpenFlow."""

    def __init__(self, name: str, number: int, names: Names, namespace: Path, **params: Any) -> None:
        self.number = number
        self.names = names
        self.enter = ("nsenter", f"--net={namespace}", "--")
        super().__init__(name, **{**params, "inNamespace": False})  # the namespace is there already
        self.constructed = True

    def interface_name(self, port: int) -> str:
        """The interface of a port, which bears the run's tag."""
        return self.names.port(self.number, port)

    def connected(self) -> bool:
        """Always: its rules have been there since the bring-up."""
        return True

    def start(self, controllers: Any) -> None:
        """The router has forwarded since the bring-up."""

    def stop(self, deleteIntfs: bool = True) -> None:
        """The router goes at the tear-down, with all others."""
