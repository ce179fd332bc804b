"""Before the clock starts: listeners, connections of all flows, and a probe of the idle network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from testbed.coflow import Ints
from testbed.errors import ReplayError
from testbed.plan import Plan
from testbed.replay.actor_link import ActorLink
from testbed.replay.crew import Crew
from testbed.rules.flow_key import FlowKey
from testbed.rules.flow_queues import sender_ports

DATA_PORT = 5000
"""TCP port of the flows, and UDP port of the echo, on every host."""

CONTROL_PORT = 5001
"""TCP port on which actors listen for the coordinator, where control is in-band."""

_LISTEN_S = 10.0
_OPEN_S = 30.0
_OPEN_PER_FLOW_S = 0.01
_PROBES = 10
_PROBE_EVERY_NS = 5_000_000
_PROBE_S = 5.0


class Connections:
    """Which flows are connected: the sender says so, and the receiver has read the header."""

    def __init__(self, plan: Plan, crew: Crew, port: int, congestion: str) -> None:
        self._plan = plan
        self._crew = crew
        self._port = port
        self._congestion = congestion
        self._listening: set[int] = set()
        self.own_port: Ints = np.zeros(len(plan.flows), dtype=np.int64)
        """TCP port of each flow's sender, 0 until it is connected."""
        self._accepted = np.zeros(len(plan.flows), dtype=np.bool_)
        self._injected: dict[int, FlowKey] = {}

    def listen(self) -> None:
        """Have every actor accept flows on all its addresses."""
        for link, address in zip(self._crew.links, self._plan.addresses, strict=True):
            link.tell({"op": "listen", "addresses": [address.primary, *address.via], "port": self._port})

        def missing() -> str:
            silent = next(link for link in self._crew.links if link.number not in self._listening)
            return f"host {silent.host}: its actor does not listen on the data port {self._port}"

        self._crew.until(lambda: len(self._listening) == len(self._crew.links), _LISTEN_S, missing)

    def open(self) -> None:
        """Connect all flows, each along its planned path; ReplayError names one that cannot be."""
        plan = self._plan
        rows: dict[int, list[Any]] = defaultdict(list)
        columns = (plan.flows.src.tolist(), plan.flows.bytes.tolist(), sender_ports(plan).tolist())
        for flow, (source, size, own_port) in enumerate(zip(*columns, strict=True)):
            own, peer = self._ends(flow)
            rows[source].append((flow, size, own, own_port, peer, self._port))
        for source, flows in rows.items():
            self._crew.links[source].tell_of("open", flows, congestion=self._congestion)

        def missing() -> str:
            flow = int(np.flatnonzero(~((self.own_port > 0) & self._accepted))[0])
            return f"{flow_words(plan, flow)}: not connected ({' -> '.join(self._ends(flow))}); is there a route?"

        limit_s = _OPEN_S + _OPEN_PER_FLOW_S * len(plan.flows)
        self._crew.until(lambda: bool(np.all((self.own_port > 0) & self._accepted)), limit_s, missing)

    def extend(self, plan: Plan, keys: Sequence[FlowKey]) -> None:
        """Take in flows, behind those known so far, that applications have connected by themselves."""
        self._injected.update(enumerate(keys, len(self._accepted)))
        self._plan = plan
        self.own_port = np.concatenate((self.own_port, np.array([key.source_port for key in keys], dtype=np.int64)))
        self._accepted = np.concatenate((self._accepted, np.ones(len(keys), dtype=np.bool_)))

    def on_listening(self, link: ActorLink, _port: int) -> None:
        """An actor listens."""
        self._listening.add(link.number)

    def on_opened(self, _link: ActorLink, rows: list[tuple[int, int]]) -> None:
        """A sender has connected flows, each from a port of its own."""
        for flow, port in rows:
            self.own_port[flow] = port

    def on_accepted(self, link: ActorLink, flows: list[int]) -> None:
        """A receiver has seen flows' headers; ReplayError where it is not their receiver."""
        for flow in flows:
            if self._plan.flows.dst[flow] != link.number:
                raise ReplayError(f"{flow_words(self._plan, flow)}: it arrived at host {link.host}; a route is wrong")
        self._accepted[flows] = True

    def key(self, flow: int) -> FlowKey:
        """What tells a connected flow's packets from all others."""
        if flow in self._injected:
            return self._injected[flow]
        own, peer = self._ends(flow)
        return FlowKey(own, int(self.own_port[flow]), peer, self._port)

    def _ends(self, flow: int) -> tuple[str, str]:
        """Own and peer address: those of the planned core where the plan chose one, else the primary ones."""
        flows, addresses = self._plan.flows, self._plan.addresses
        source, target, via = addresses[flows.src[flow]], addresses[flows.dst[flow]], int(flows.via[flow])
        if via >= 0 and self._plan.ecmp == "per-flow":
            return source.via[via], target.via[via]
        return source.primary, target.primary


class IdleProbe:
    """Round-trip times of small datagrams across the idle network, from each host to one half-way round."""

    def __init__(self, plan: Plan, crew: Crew, port: int) -> None:
        self._plan = plan
        self._crew = crew
        self._port = port
        self._rows: list[tuple[str, str, str, float]] = []
        self._answers = 0
        self._when = ""
        self.lost = 0
        """Datagrams without an answer."""

    def measure(self, when: str) -> None:
        """Probe from all hosts at once; `when` (before, after) names the rows."""
        hosts = len(self._crew.links)
        if hosts < 2:
            return
        self._when, self._answers = when, 0
        addresses = self._plan.addresses
        for link in self._crew.links:
            peer = addresses[self._peer(link.number)].primary
            link.tell({"op": "probe", "probe": link.number, "bind": addresses[link.number].primary, "peer": peer,
                       "port": self._port, "count": _PROBES, "every_ns": _PROBE_EVERY_NS})  # fmt: skip
        self._crew.until(lambda: self._answers == hosts, _PROBE_S, lambda: "idle probe: not all actors have answered")

    def on_probed(self, link: ActorLink, probed: tuple[int, list[int]]) -> None:
        """An actor has probed: the probe's number, and the times of those answered."""
        _, times_ns = probed
        self._answers += 1
        self.lost += _PROBES - len(times_ns)
        peer = self._crew.links[self._peer(link.number)].host
        self._rows += [(self._when, link.host, peer, time_ns / 1e9) for time_ns in times_ns]

    def table(self) -> pd.DataFrame:
        """One row per answer: when, source, target, rtt_s."""
        return pd.DataFrame(self._rows, columns=["when", "source", "target", "rtt_s"])

    def _peer(self, host: int) -> int:
        hosts = len(self._crew.links)
        return (host + hosts // 2) % hosts


def flow_words(plan: Plan, flow: int) -> str:
    """'flow 3 of coflow 1 (h0 -> h5)'."""
    hosts, flows = plan.fabric.hosts, plan.flows
    coflow = f" of coflow {flows.coflow[flow]}" if flows.coflow[flow] >= 0 else ""
    return f"flow {flow}{coflow} ({hosts[flows.src[flow]].name} -> {hosts[flows.dst[flow]].name})"
