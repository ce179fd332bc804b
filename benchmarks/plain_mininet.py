"""The same fat-tree under plain Mininet, for comparison: its own hosts, links and start-up, a namespace per switch.

Links are shaped by Mininet's own TCLink. Switches are namespaces that forward, as the testbed's routers are, so that no
switch daemon is measured; they get no routes, and hosts are plain shells: it does less than the testbed does.
"""

from __future__ import annotations

import time
from typing import Any

from mininet.link import TCLink
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Switch

from testbed.emulation.mininet_topo import FatTreeTopo


class ForwardingSwitch(Switch):  # type: ignore[misc]  # mininet has no types
    """A namespace that forwards."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **{**options, "inNamespace": True})

    def start(self, controllers: list[Any]) -> None:
        """Let it forward."""
        self.cmd("sysctl -w net.ipv4.ip_forward=1")


def measure(k: int, rate_mbps: float = 20) -> tuple[float, float]:
    """Seconds until a k-ary fat-tree is built and started, and until it is stopped."""
    setLogLevel("critical")  # it reports the kernel's remarks on its quanta, port by port
    began = time.monotonic()
    net = Mininet(
        topo=FatTreeTopo(k=k, bw=rate_mbps), link=TCLink, switch=ForwardingSwitch, controller=None, waitConnected=False
    )
    try:
        net.start()
        up_s = time.monotonic() - began
    finally:
        began = time.monotonic()
        net.stop()
    return up_s, time.monotonic() - began
