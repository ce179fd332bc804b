"""The network as schedulers and the simulator see it: nodes, directed links, goodput capacities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from testbed.coflow import Floats, Ints

ETHERNET_HEADER = 14
"""Bytes; HTB counts them, the frame check sequence and preamble it does not."""
IP_TCP_HEADERS = 20 + 20 + 12
"""IPv4, TCP and the timestamps option, on every data segment."""


def goodput_share(mtu: int) -> float:
    """Share of a shaped link's rate that TCP payload can take, both directions being busy.

    A full segment carries mtu - 52 bytes of payload in a frame of mtu + 14; every second segment of the opposite
    direction is answered on this link by an acknowledgement of 66 bytes.
    """
    acknowledgements = (ETHERNET_HEADER + IP_TCP_HEADERS) / 2
    return (mtu - IP_TCP_HEADERS) / (mtu + ETHERNET_HEADER + acknowledgements)


def frame_share(mtu: int) -> float:
    """Share of a data segment's frame that is payload: goodput over the rate of a flow's own frames."""
    return (mtu - IP_TCP_HEADERS) / (mtu + ETHERNET_HEADER)


@dataclass(frozen=True)
class Node:
    """A host or a switch. `layer`: host, edge, aggregation, core, leaf, spine, or switch (of a big switch)."""

    name: str
    layer: str
    index: int
    """Number within its layer, from 0; hosts are numbered pod by pod, edge by edge."""
    pod: int = -1
    machine: str = "local"

    @property
    def is_host(self) -> bool:
        """Whether it is a host (and not a switch)."""
        return self.layer == "host"


@dataclass(frozen=True)
class Link:
    """One direction of a cable: `source`'s interface on port `source_port` sends to `target`."""

    name: str
    """'source->target'."""
    source: str
    target: str
    source_port: int
    """Port number at the source, from 1 on a switch (the OpenFlow port), 0 on a host."""
    target_port: int
    rate_bps: float
    """What the shaper is set to (Ethernet frames)."""
    capacity_Bps: float
    """Goodput that schedulers may hand out."""
    buffer_bytes: int
    delay_s: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True)
class Fabric:
    """Nodes and directed links. Links are numbered by their place in `links`; flows' paths use these numbers."""

    kind: str
    """fat-tree, leaf-spine or big-switch."""
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    mtu: int

    @cached_property
    def hosts(self) -> tuple[Node, ...]:
        """Hosts by number."""
        return tuple(sorted((n for n in self.nodes if n.is_host), key=lambda n: n.index))

    @cached_property
    def switches(self) -> tuple[Node, ...]:
        """Every node that is not a host, in the order of `nodes`."""
        return tuple(n for n in self.nodes if not n.is_host)

    @cached_property
    def capacity_Bps(self) -> Floats:
        """Goodput capacity per link."""
        return np.array([link.capacity_Bps for link in self.links], dtype=np.float64)

    @cached_property
    def uplink(self) -> Ints:
        """Per host, the link from it into the fabric (its *in port*)."""
        return self._host_links("source")

    @cached_property
    def downlink(self) -> Ints:
        """Per host, the link from the fabric to it (its *out port*)."""
        return self._host_links("target")

    def _host_links(self, end: str) -> Ints:
        number = {getattr(link, end): i for i, link in enumerate(self.links)}
        return np.array([number[host.name] for host in self.hosts], dtype=np.int64)
