"""What every topology can tell: its fabric, and the links of any path, in arithmetic on host numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from testbed.coflow import Ints
from testbed.fabric import Fabric, Link


@dataclass(frozen=True)
class LinkSetting:
    """What both directions of a cable have in common."""

    rate_bps: float
    """Ethernet frames."""
    capacity_Bps: float
    """TCP payload."""
    buffer_bytes: int
    delay_s: float = 0.0
    loss: float = 0.0

    def divided(self, factor: float) -> LinkSetting:
        """The same link with its rate divided (oversubscription)."""
        return LinkSetting(
            self.rate_bps / factor, self.capacity_Bps / factor, self.buffer_bytes, self.delay_s, self.loss
        )


class Shape(ABC):
    """The shape of a topology. Hosts are numbered 0..n-1; `via` is the core switch or spine that a path crosses."""

    kind: ClassVar[str]
    path_lengths: ClassVar[tuple[int, ...]]
    """Links on a path, by level."""

    @abstractmethod
    def build(self, hosts: LinkSetting, switches: LinkSetting, mtu: int) -> Fabric:
        """The fabric, with one setting for the hosts' links and one for the links between switches.

        Links 0..n-1 lead from the hosts up, n..2n-1 down to the hosts. Switch ports count from 1, those that lead
        down first.
        """

    @abstractmethod
    def level(self, src: Ints, dst: Ints) -> Ints:
        """How high the path between two hosts climbs, from 0 for a shared switch; a `via` matters from 1 on."""

    @abstractmethod
    def hops(self, level: int, src: Ints, dst: Ints, via: Ints) -> list[Ints]:
        """The links crossed by flows that are all of one level: one array (a link per flow) for each hop."""

    @abstractmethod
    def group(self, hosts: Ints) -> Ints:
        """What shares its ways up: the pod (or leaf switch) of each host. Ways are balanced between two groups."""

    @abstractmethod
    def edge(self, hosts: Ints) -> Ints:
        """The switch that each host hangs on, numbered from 0."""

    @property
    @abstractmethod
    def turn(self) -> tuple[int, ...]:
        """All `via`s in the order in which the flows between two groups take them; empty where there is no choice."""


Cable = tuple[str, int, str, int]
"""Lower node and its port, upper node and its port."""


def both_directions(cables: Iterable[Cable], setting: LinkSetting) -> list[Link]:
    """The links up every cable, in order, and after them the links down every cable."""
    ends = list(cables)
    return [
        *(_link(setting, low, low_port, high, high_port) for low, low_port, high, high_port in ends),
        *(_link(setting, high, high_port, low, low_port) for low, low_port, high, high_port in ends),
    ]


def _link(setting: LinkSetting, source: str, source_port: int, target: str, target_port: int) -> Link:
    return Link(
        name=f"{source}->{target}",
        source=source,
        target=target,
        source_port=source_port,
        target_port=target_port,
        rate_bps=setting.rate_bps,
        capacity_Bps=setting.capacity_Bps,
        buffer_bytes=setting.buffer_bytes,
        delay_s=setting.delay_s,
        loss=setting.loss,
    )
