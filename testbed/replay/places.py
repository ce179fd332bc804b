"""Where an application's connection goes: hosts by name, number or address, and the path that each pair takes next."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from testbed.coflow import NONE
from testbed.plan import Plan
from testbed.topology.build import shape_of
from testbed.topology.routing import choose


class RefusedError(Exception):
    """An application's request that cannot be met; the text goes to the application."""


class Places:
    """Hosts, their addresses, and whose turn it is among the paths between two hosts."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._host_of = {host.name: number for number, host in enumerate(plan.fabric.hosts)}
        self._end_of: dict[str, tuple[int, int]] = {}
        for number, address in enumerate(plan.addresses):
            self._end_of[address.primary] = (number, NONE)
            self._end_of.update({one: (number, via) for via, one in enumerate(address.via)})
        shape = shape_of(plan.fabric)
        self._turn = shape.turn
        self._group: list[int] = shape.group(np.arange(len(plan.addresses), dtype=np.int64)).tolist()
        self._taken: Counter[tuple[int, int]] = Counter()
        """Connections so far between two groups of hosts (pods): they take the cores in turn, as planned flows do."""

    def route(self, source: int, to: Any) -> tuple[str, str]:
        """Own and peer address of the next connection from a host to another. RefusedError: there is no such host."""
        target = self._host(to)
        self._two_hosts(source, target)
        own, peer = self._plan.addresses[source], self._plan.addresses[target]
        first = self._via(source, target)
        if first == NONE or self._plan.ecmp != "per-flow":
            return own.primary, peer.primary
        groups = self._group[source], self._group[target]
        via = self._turn[(self._turn.index(first) + self._taken[groups]) % len(self._turn)]
        self._taken[groups] += 1
        return own.via[via], peer.via[via]

    def of_connection(self, source: int, own: str, peer: str) -> tuple[int, int]:
        """Target and `via` of a connection by its two addresses; RefusedError for one that crosses no emulated link."""
        if own not in self._end_of or peer not in self._end_of or self._end_of[own][0] != source:
            raise RefusedError(f"connection {own} -> {peer}: not between this host and another of the emulated network")
        target, via = self._end_of[peer]
        self._two_hosts(source, target)
        planned = self._via(source, target)  # without a core of its own: stands in for what the switches' hash does
        return target, planned if NONE in (via, planned) else via

    def _via(self, source: int, target: int) -> int:
        ends = np.array([source], dtype=np.int64), np.array([target], dtype=np.int64)
        return int(choose(self._plan.fabric, *ends, self._plan.ecmp, self._plan.seed)[0])

    def _host(self, to: Any) -> int:
        if isinstance(to, int) and not isinstance(to, bool) and 0 <= to < len(self._host_of):
            return to
        if isinstance(to, str) and to in self._host_of:
            return self._host_of[to]
        if isinstance(to, str) and to in self._end_of:
            return self._end_of[to][0]
        last = len(self._host_of) - 1
        names = list(self._host_of)
        raise RefusedError(
            f"destination {to!r:.60}: no such host; expected a number from 0 to {last}, a name from {names[0]!r} to "
            f"{names[-1]!r}, or an address"
        )

    def _two_hosts(self, source: int, target: int) -> None:
        if source == target:
            name = self._plan.fabric.hosts[source].name
            raise RefusedError(f"flow from {name} to itself: it crosses no link; use a plain connection to 127.0.0.1")
