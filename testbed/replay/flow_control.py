"""What the actors have been told about each flow: starts, caps, marks, cuts. Only changes are sent."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.replay.actor_link import ActorLink

_SAME_CAP = 1e-3
"""Caps that differ by less than this share are the same: decisions on fresher byte counts differ by that much."""


class FlowControl:
    """Commands to the senders of flows, gathered between `flush`es into one message per actor and kind.

    `spread_ns`: where flows start, hosts that start none change theirs one after another within this time.
    """

    def __init__(self, links: Sequence[ActorLink], src: Ints, spread_ns: int = 0) -> None:
        self._links = links
        self._src = src
        self._spread_ns = spread_ns
        self._in_force_ns: dict[int, int] = defaultdict(int)
        self._cap_Bps: Floats = np.full(len(src), np.inf)
        self._dscp: Ints = np.zeros(len(src), dtype=np.int64)
        self._told = np.zeros(len(src), dtype=np.bool_)  # has been sent a start
        self._starts: dict[int, list[Any]] = defaultdict(list)
        self._caps: dict[int, list[Any]] = defaultdict(list)
        self._marks: dict[int, list[Any]] = defaultdict(list)
        self._cuts: dict[int, list[int]] = defaultdict(list)

    def extend(self, src: Ints) -> None:
        """Take in further flows; `src` has the sender of every flow, those known so far first."""
        added = len(src) - len(self._src)
        self._src = src
        self._cap_Bps = np.concatenate((self._cap_Bps, np.full(added, np.inf)))
        self._dscp = np.concatenate((self._dscp, np.zeros(added, dtype=np.int64)))
        self._told = np.concatenate((self._told, np.zeros(added, dtype=np.bool_)))

    def cap(self, flows: Ints, cap_Bps: Floats) -> None:
        """Set caps in bytes/s (inf: none, 0: stop); a flow that has not been told to start takes its along."""
        old = self._cap_Bps[flows]
        changed = old != cap_Bps
        finite = changed & np.isfinite(old) & np.isfinite(cap_Bps)
        changed[finite] = np.abs(cap_Bps[finite] - old[finite]) > _SAME_CAP * np.minimum(old[finite], cap_Bps[finite])
        self._cap_Bps[flows[changed]] = cap_Bps[changed]
        for flow in flows[changed & self._told[flows]].tolist():
            self._caps[self._src[flow]].append((flow, self._wire_cap(flow)))

    def mark(self, flows: Ints, dscp: Ints) -> None:
        """Set the DSCP of flows' packets; a flow that has not been told to start takes its along."""
        changed = self._dscp[flows] != dscp
        self._dscp[flows[changed]] = dscp[changed]
        for flow in flows[changed & self._told[flows]].tolist():
            self._marks[self._src[flow]].append((flow, int(self._dscp[flow])))

    def start(self, flows: Iterable[int], at_ns: Iterable[int]) -> None:
        """Start each flow at its instant of CLOCK_MONOTONIC, under the cap and with the mark set for it."""
        for flow, instant in zip(flows, at_ns, strict=True):
            self._told[flow] = True
            self._starts[self._src[flow]].append((flow, instant, self._wire_cap(flow), int(self._dscp[flow])))

    def cut(self, flows: Iterable[int]) -> None:
        """End flows where they are."""
        for flow in flows:
            self._cuts[self._src[flow]].append(flow)

    def released(self, flows: Ints) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of the flows may send at all."""
        return np.asarray(self._cap_Bps[flows] > 0)

    def flush(self, at_ns: int = 0) -> None:
        """Send what was gathered; changed marks and caps take effect at an instant, 0 for at once."""
        instants_ns = self._instants_ns(at_ns)
        for host, flows in self._starts.items():
            self._links[host].tell_of("start", flows)
        for operation, changes in (("mark", self._marks), ("cap", self._caps)):
            for host, rows in changes.items():
                self._links[host].tell_of(operation, rows, at_ns=instants_ns[host])
        for host, over in self._cuts.items():
            self._links[host].tell_of("cut", over)
        for gathered in (self._starts, self._marks, self._caps, self._cuts):
            gathered.clear()

    def _instants_ns(self, at_ns: int) -> dict[int, int]:
        """When the changes of each host take effect: not before those that it was told of earlier."""
        instants_ns = dict.fromkeys(sorted(self._marks.keys() | self._caps.keys()), at_ns)
        if self._spread_ns and self._starts:
            others = [host for host in instants_ns if host not in self._starts]
            from_ns = max(at_ns, time.monotonic_ns())
            for number, host in enumerate(others, 1):
                instants_ns[host] = from_ns + self._spread_ns * number // len(others)
        for host, instant_ns in instants_ns.items():
            self._in_force_ns[host] = instants_ns[host] = max(instant_ns, self._in_force_ns[host])
        return instants_ns

    def _wire_cap(self, flow: int) -> float | None:
        cap = float(self._cap_Bps[flow])
        return None if cap == np.inf else cap
