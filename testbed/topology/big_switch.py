"""One big switch: only the hosts' own links limit anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from testbed.coflow import Ints
from testbed.fabric import Fabric, Node
from testbed.topology.shape import LinkSetting, Shape, both_directions


@dataclass(frozen=True)
class BigSwitch(Shape):
    """Switch s0 of n ports: link i leads from host i into it, link n + j from it to host j."""

    ports: int
    kind: ClassVar[str] = "big-switch"
    path_lengths: ClassVar[tuple[int, ...]] = (2,)

    @classmethod
    def of(cls, fabric: Fabric) -> BigSwitch:
        """The shape of a fabric that it built."""
        return cls(len(fabric.hosts))

    def build(self, hosts: LinkSetting, switches: LinkSetting, mtu: int) -> Fabric:
        """See Shape.build; no link leads between switches."""
        nodes = [*(Node(f"h{i}", "host", i) for i in range(self.ports)), Node("s0", "switch", 0)]
        cables = [(f"h{i}", 0, "s0", 1 + i) for i in range(self.ports)]
        return Fabric(self.kind, tuple(nodes), tuple(both_directions(cables, hosts)), mtu)

    def level(self, src: Ints, dst: Ints) -> Ints:
        """0: all hosts share the switch."""
        return np.zeros(len(src), dtype=np.int64)

    def hops(self, level: int, src: Ints, dst: Ints, via: Ints) -> list[Ints]:
        """See Shape.hops."""
        return [src, self.ports + dst]

    def group(self, hosts: Ints) -> Ints:
        """One group of all."""
        return np.zeros(len(hosts), dtype=np.int64)

    def edge(self, hosts: Ints) -> Ints:
        """The one switch."""
        return np.zeros(len(hosts), dtype=np.int64)

    @property
    def turn(self) -> tuple[int, ...]:
        """Empty: there is one path."""
        return ()
