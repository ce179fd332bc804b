"""Leaf-spine: every leaf switch carries hosts and is connected to every spine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from testbed.coflow import Ints
from testbed.fabric import Fabric, Node
from testbed.topology.shape import LinkSetting, Shape, both_directions


@dataclass(frozen=True)
class LeafSpine(Shape):
    """Leaf switches l0.., spines s0... Links stand in four blocks: host to leaf, leaf to host, leaf to spine, spine
    to leaf."""

    leaves: int
    spines: int
    hosts_per_leaf: int
    kind: ClassVar[str] = "leaf-spine"
    path_lengths: ClassVar[tuple[int, ...]] = (2, 4)

    @classmethod
    def of(cls, fabric: Fabric) -> LeafSpine:
        """The shape of a fabric that it built."""
        leaves = sum(node.layer == "leaf" for node in fabric.switches)
        return cls(leaves, len(fabric.switches) - leaves, len(fabric.hosts) // leaves)

    def build(self, hosts: LinkSetting, switches: LinkSetting, mtu: int) -> Fabric:
        """See Shape.build."""
        each, n_hosts = self.hosts_per_leaf, self.leaves * self.hosts_per_leaf
        nodes = [
            *(Node(f"h{i}", "host", i) for i in range(n_hosts)),
            *(Node(f"l{i}", "leaf", i) for i in range(self.leaves)),
            *(Node(f"s{i}", "spine", i) for i in range(self.spines)),
        ]
        below = [(f"h{i}", 0, f"l{i // each}", 1 + i % each) for i in range(n_hosts)]
        above = [
            (f"l{leaf}", 1 + each + spine, f"s{spine}", 1 + leaf)
            for leaf in range(self.leaves)
            for spine in range(self.spines)
        ]
        links = both_directions(below, hosts) + both_directions(above, switches)
        return Fabric(self.kind, tuple(nodes), tuple(links), mtu)

    def level(self, src: Ints, dst: Ints) -> Ints:
        """0 under one leaf switch, 1 between leaf switches."""
        return np.asarray(self.edge(src) != self.edge(dst), dtype=np.int64)

    def hops(self, level: int, src: Ints, dst: Ints, via: Ints) -> list[Ints]:
        """See Shape.hops."""
        n = self.leaves * self.hosts_per_leaf
        if level == 0:
            return [src, n + dst]
        up = 2 * n + self.edge(src) * self.spines + via
        down = 2 * n + self.leaves * self.spines + self.edge(dst) * self.spines + via
        return [src, up, down, n + dst]

    def group(self, hosts: Ints) -> Ints:
        """The leaf switch of each host."""
        return self.edge(hosts)

    def edge(self, hosts: Ints) -> Ints:
        """The leaf switch of each host."""
        return hosts // self.hosts_per_leaf

    @property
    def turn(self) -> tuple[int, ...]:
        """The spines by number."""
        return tuple(range(self.spines))
