"""The queueing of one port as data: the link's rate, and its traffic classes with their queues.

A port has one class, or one for each of the priority classes that the run enforces. Each class has a queue of the
link's whole buffer: flows see the same buffer in a class as alone on the port, and one class cannot push out what
another has standing.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.fabric import ETHERNET_HEADER, Link
from testbed.scheduling.sharing import ONE_CLASS, Sharing
from testbed.segments import burst_bytes

FIRST_CLASS = 0x10
"""Number of the first class in tc, which reads and writes such numbers as hexadecimal."""
HOST_QUEUE_BYTES = 4 << 20
"""Least queue of a host's own interface, per class. TCP bounds what each flow has in it (two segments or so). A queue
that drops there makes the sender wait half a second for each try, and in the end its connection times out: losses
belong in switches."""
_LEAST_RATE_BPS = 8_000
_PROMISED = 1e-4
"""Share of the link that a class under strict priority is promised: HTB wants a rate, and orders only what is
borrowed beyond it by priority."""


@dataclass(frozen=True)
class TrafficClass:
    """A leaf of the tree: what it is promised, what it may borrow up to, and its queue."""

    rate_bps: float
    ceil_bps: float
    buffer_bytes: int
    priority: int = 0
    """0 (borrows first) to 7; HTB takes higher numbers silently as 7."""
    turn_frames: float = 1.0
    """Full frames that it sends at a turn, where classes of one priority take turns in borrowing."""


@dataclass(frozen=True)
class PortTree:
    """The whole queueing of one interface. Class k takes the packets of DSCP k, the first also those of no class."""

    interface: str
    rate_bps: float
    frame_bytes: int
    """Of a full frame, Ethernet header included."""
    classes: tuple[TrafficClass, ...]
    delay_s: float = 0.0
    loss: float = 0.0
    flow_queues: tuple[int, ...] = ()
    """Numbers of the flow queues that each class has, taking turns; none where a class has one queue for all."""

    @property
    def burst_bytes(self) -> int:
        """What may leave at once after idling."""
        return burst_bytes(self.rate_bps, self.frame_bytes)


def port_tree(
    interface: str, link: Link, mtu: int, sharing: Sharing = ONE_CLASS, flow_queues: tuple[int, ...] = ()
) -> PortTree:
    """The tree of the interface that a link leaves from."""
    from_host = link.source_port == 0
    buffer_bytes = max(link.buffer_bytes, HOST_QUEUE_BYTES) if from_host else link.buffer_bytes
    classes = tuple(_class(number, sharing, link.rate_bps, buffer_bytes) for number in range(sharing.classes))
    frame_bytes = mtu + ETHERNET_HEADER
    return PortTree(interface, link.rate_bps, frame_bytes, classes, link.delay_s, link.loss, flow_queues)


def _class(number: int, sharing: Sharing, link_bps: float, buffer_bytes: int) -> TrafficClass:
    """One of a port's classes: the whole link where it is alone, else by priority, or by weight."""
    if sharing.classes == 1:
        return TrafficClass(link_bps, link_bps, buffer_bytes)
    if not sharing.weight:
        promised_bps = max(_PROMISED * link_bps, _LEAST_RATE_BPS)
        return TrafficClass(promised_bps, link_bps, buffer_bytes, priority=number)
    weight = sharing.weight[number]
    promised_bps = link_bps * weight / sum(sharing.weight)
    return TrafficClass(promised_bps, link_bps, buffer_bytes, turn_frames=weight / min(sharing.weight))
