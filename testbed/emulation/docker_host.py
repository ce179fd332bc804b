"""A host of the emulated network as Mininet knows it: the container's network namespace with the machine's tools."""

from __future__ import annotations

from typing import Any

from mininet.node import Host

from testbed.emulation.containers import HostHandle
from testbed.emulation.lazy_shell import LazyShell
from testbed.emulation.wiring import HOST_INTERFACE


class DockerHost(LazyShell, Host):  # type: ignore[misc]  # mininet has no types
    """Commands run as root with the machine's programs and files, in the container's network: `h0 ping h1`.

    The actor inside the container is not reached this way but through its control socket; programs of the image are
    run with `docker exec`.
    """

    def __init__(self, name: str, handle: HostHandle, **params: Any) -> None:
        self.handle = handle
        self.enter = ("nsenter", "--target", str(handle.pid), "--net", "--")
        super().__init__(name, **{**params, "inNamespace": False})  # the namespace is there already
        self.pid = handle.pid
        self.constructed = True

    def interface_name(self, port: int) -> str:
        """The one interface."""
        return HOST_INTERFACE
