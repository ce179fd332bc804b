"""Faults as timed events of a plan, and what is left of a network after some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import Floats, FlowTable
from testbed.fabric import Fabric
from testbed.units import format_rate

Flags = NDArray[np.bool_]
Ends = tuple[str, str]
"""Names of the two nodes that a cable joins, in the order of the alphabet."""

LINK_EVENTS = ("down", "slow", "up")
SWITCH_EVENTS = ("crash", "restart")
HOST_EVENTS = ("kill", "pause", "resume")

NO_PATH = "fault: no path is left"
"""Why a flow did not finish."""


@dataclass(frozen=True)
class Fault:
    """One event: of a link (two nodes), a switch or a host (one node), named as the topology names its nodes."""

    at_s: float
    event: str
    """down, slow or up; crash or restart; pause, resume or kill."""
    nodes: tuple[str, ...]
    rate_bps: float | None = None
    """What a slow link is shaped to, Ethernet frames counted."""

    @property
    def words(self) -> str:
        """'link a0-c0 slow, 5 Mbit/s'."""
        kind = "link" if len(self.nodes) == 2 else "switch" if self.event in SWITCH_EVENTS else "host"
        rate = "" if self.rate_bps is None else f", {format_rate(self.rate_bps)}"
        return f"{kind} {'-'.join(self.nodes)} {self.event}{rate}"


@dataclass(frozen=True)
class Condition:
    """What is broken at one instant. The first condition of a run is `Condition()`: everything works."""

    down: frozenset[Ends] = frozenset()
    slow_bps: Mapping[Ends, float] = field(default_factory=dict)
    crashed: frozenset[str] = frozenset()
    """Switches."""
    paused: frozenset[str] = frozenset()
    """Hosts."""
    killed: frozenset[str] = frozenset()
    """Hosts."""
    faults: int = 0
    """How many events have led to it."""

    @property
    def is_whole(self) -> bool:
        """Whether everything works."""
        return not (self.down or self.slow_bps or self.crashed or self.paused or self.killed)

    def after(self, fault: Fault) -> Condition:
        """What is broken when a further event has happened."""
        down, crashed, paused, killed = set(self.down), set(self.crashed), set(self.paused), set(self.killed)
        slow_bps, ends, node = dict(self.slow_bps), ends_of(fault.nodes), fault.nodes[0]
        if fault.event in LINK_EVENTS:
            down.discard(ends)
            slow_bps.pop(ends, None)
            if fault.event == "down":
                down.add(ends)
            elif fault.event == "slow":
                assert fault.rate_bps is not None
                slow_bps[ends] = fault.rate_bps
        elif fault.event == "crash":
            crashed.add(node)
        elif fault.event == "restart":
            crashed.discard(node)
        else:
            paused.discard(node)
            (paused if fault.event == "pause" else killed if fault.event == "kill" else set()).add(node)
        return Condition(
            frozenset(down), slow_bps, frozenset(crashed), frozenset(paused), frozenset(killed), self.faults + 1
        )

    def usable(self, fabric: Fabric) -> Flags:
        """Per link, whether it carries anything: its cable is up, and so are the switches at its ends."""
        return np.array(
            [
                ends_of((link.source, link.target)) not in self.down
                and link.source not in self.crashed
                and link.target not in self.crashed
                for link in fabric.links
            ],
            dtype=np.bool_,
        )

    def capacity_Bps(self, fabric: Fabric) -> Floats:
        """Goodput per link: 0 where it carries nothing, less where it is slow."""
        share = np.array(
            [self.slow_bps.get(ends_of((n.source, n.target)), n.rate_bps) / n.rate_bps for n in fabric.links]
        )
        return np.where(self.usable(fabric), fabric.capacity_Bps * share, 0.0)

    def held_back(self, fabric: Fabric, flows: FlowTable) -> tuple[Flags, Flags]:
        """Per flow, whether a host of it is paused, and whether one was killed."""
        paused, killed = (
            np.array([host.name in names for host in fabric.hosts], dtype=np.bool_)
            for names in (self.paused, self.killed)
        )
        return paused[flows.src] | paused[flows.dst], killed[flows.src] | killed[flows.dst]


WHOLE = Condition()
"""Everything works."""


def ends_of(nodes: tuple[str, ...]) -> Ends:
    """The name of a cable by its two nodes; of a single node, that node twice."""
    first, last = sorted((nodes[0], nodes[-1]))
    return first, last


def conditions(faults: tuple[Fault, ...]) -> list[Condition]:
    """The condition before the first event and after each one."""
    found = [Condition()]
    for fault in faults:
        found.append(found[-1].after(fault))
    return found


def killed_words(fabric: Fabric, condition: Condition, src: int, dst: int) -> str:
    """'fault: host h3 was killed': why a flow between these hosts never finishes."""
    name = next(name for name in (fabric.hosts[src].name, fabric.hosts[dst].name) if name in condition.killed)
    return f"fault: host {name} was killed"


def standing_words(fabric: Fabric, condition: Condition, src: int, dst: int) -> str:
    """'fault: host h3 is paused', or that no path is left: why a flow stands still."""
    names = [name for name in (fabric.hosts[src].name, fabric.hosts[dst].name) if name in condition.paused]
    return f"fault: host {names[0]} is paused" if names else NO_PATH
