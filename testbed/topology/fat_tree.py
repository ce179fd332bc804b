"""The k-ary fat-tree: k pods, each of k/2 edge and k/2 aggregation switches, and (k/2)^2 core switches.

Source: Al-Fares, Loukissas, Vahdat, "A Scalable, Commodity Data Center Network Architecture", SIGCOMM 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from testbed.coflow import Ints
from testbed.fabric import Fabric, Node
from testbed.topology.shape import LinkSetting, Shape, both_directions


@dataclass(frozen=True)
class FatTree(Shape):
    """A fat-tree of an even k >= 2.

    Hosts h0.., edge switches e0.. and aggregation switches a0.. are numbered pod by pod. Core c attaches to
    aggregation switch c // (k/2) of every pod, so the core that a path crosses also says which aggregation switches.

    With n = k^3/4 hosts the links stand in six blocks of n: host to edge, edge to host, edge to aggregation,
    aggregation to edge, aggregation to core, core to aggregation.
    """

    k: int
    kind: ClassVar[str] = "fat-tree"
    path_lengths: ClassVar[tuple[int, ...]] = (2, 4, 6)

    @classmethod
    def of(cls, fabric: Fabric) -> FatTree:
        """The shape of a fabric that it built."""
        return cls(round((4 * len(fabric.hosts)) ** (1 / 3)))

    @property
    def half(self) -> int:
        """k/2: hosts of an edge switch, edge switches of a pod, aggregation switches of a pod."""
        return self.k // 2

    @property
    def host_count(self) -> int:
        """Number of hosts."""
        return self.k**3 // 4

    def build(self, hosts: LinkSetting, switches: LinkSetting, mtu: int) -> Fabric:
        """See Shape.build."""
        half, n_edges, n_cores = self.half, self.k * self.half, self.half**2
        nodes = [
            *(Node(f"h{i}", "host", i, i // n_cores) for i in range(self.host_count)),
            *(Node(f"e{i}", "edge", i, i // half) for i in range(n_edges)),
            *(Node(f"a{i}", "aggregation", i, i // half) for i in range(n_edges)),
            *(Node(f"c{i}", "core", i) for i in range(n_cores)),
        ]
        below = [(f"h{i}", 0, f"e{i // half}", 1 + i % half) for i in range(self.host_count)]
        middle = [
            (f"e{edge}", 1 + half + i, f"a{edge // half * half + i}", 1 + edge % half)
            for edge in range(n_edges)
            for i in range(half)
        ]
        above = [
            (f"a{agg}", 1 + half + i, f"c{agg % half * half + i}", 1 + agg // half)
            for agg in range(n_edges)
            for i in range(half)
        ]
        links = both_directions(below, hosts) + both_directions(middle, switches) + both_directions(above, switches)
        return Fabric(self.kind, tuple(nodes), tuple(links), mtu)

    def level(self, src: Ints, dst: Ints) -> Ints:
        """0 within an edge switch, 1 within a pod, 2 between pods."""
        other_edge = np.asarray(self.edge(src) != self.edge(dst), dtype=np.int64)
        return other_edge + np.asarray(self.group(src) != self.group(dst), dtype=np.int64)

    def hops(self, level: int, src: Ints, dst: Ints, via: Ints) -> list[Ints]:
        """See Shape.hops."""
        half, n = self.half, self.host_count
        if level == 0:
            return [src, n + dst]
        src_edge, dst_edge, agg = self.edge(src), self.edge(dst), via // half
        up, down = 2 * n + src_edge * half + agg, 3 * n + dst_edge * half + agg
        if level == 1:
            return [src, up, down, n + dst]
        to_core = 4 * n + (self.group(src) * half + agg) * half + via % half
        from_core = 5 * n + (self.group(dst) * half + agg) * half + via % half
        return [src, up, to_core, from_core, down, n + dst]

    def group(self, hosts: Ints) -> Ints:
        """The pod of each host."""
        return hosts // self.half**2

    def edge(self, hosts: Ints) -> Ints:
        """The edge switch of each host."""
        return hosts // self.half

    @property
    def turn(self) -> tuple[int, ...]:
        """Neighbours in it hang on different aggregation switches: consecutive flows of an edge switch do not meet."""
        return tuple(i % self.half * self.half + i // self.half for i in range(self.half**2))
