"""A fabric as a Mininet topology; also a custom file for Mininet's own program:

mn --custom testbed/emulation/mininet_topo.py --topo coflow,4 --controller none
"""

from __future__ import annotations

from typing import Any

from mininet.topo import Topo

from testbed.fabric import Fabric


class FabricTopo(Topo):  # type: ignore[misc]  # mininet has no types
    """Nodes, ports and datapath ids of a fabric (datapath id = 1 + the switch's place in `fabric.switches`)."""

    def build(self, fabric: Fabric, **options: Any) -> None:
        """Add every host, switch and cable; `fabric` is the plan's, `options` go to each cable."""
        for host in fabric.hosts:
            self.addHost(host.name)
        for number, switch in enumerate(fabric.switches):
            self.addSwitch(switch.name, dpid=f"{number + 1:x}")
        seen = set()
        for link in fabric.links:
            if (link.target, link.target_port) not in seen:
                seen.add((link.source, link.source_port))
                self.addLink(link.source, link.target, port1=link.source_port, port2=link.target_port, **options)


class FatTreeTopo(FabricTopo):
    """The k-ary fat-tree of this testbed for Mininet's own program: `--topo coflow,K`.

    `--topo coflow,K,BW --link tc` has Mininet's own shaping, in Mbit/s; the testbed's own is only in EmulatedNetwork.
    """

    def build(self, k: int = 4, bw: float | None = None, **_: Any) -> None:  # type: ignore[override]
        """Add the nodes and cables of a fat-tree of `k`-port switches (k even)."""
        from testbed.topology.fat_tree import FatTree
        from testbed.topology.shape import LinkSetting

        rate_bps = (bw or 1000) * 1e6
        setting = LinkSetting(rate_bps, rate_bps / 8, buffer_bytes=0)  # figures that Mininet does not see
        fabric = FatTree(int(k)).build(setting, setting, mtu=1500)
        super().build(fabric, **({} if bw is None else {"bw": bw}))


topos = {"coflow": FatTreeTopo}
"""What Mininet's program looks for in a custom file."""
