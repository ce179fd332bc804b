"""Meters at the ingress edge switches: what a flow sends beyond its rate is dropped there.

They are OpenFlow's, or what Linux routers have in their place.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np

from testbed.errors import ReplayError
from testbed.replay.edge_control import EdgeControl
from testbed.replay.enforcement.base import Enforcer, Reach
from testbed.rules.meters import Meter, meter_for, stopping_meter
from testbed.scheduling.base import Allocation, View

SAME_RATE = 0.02
"""A meter is left alone while its rate would change by less than this share: each change fills its bucket, so that
another burst passes."""
IMITATED = (
    "by shaping: what comes beyond the rate waits in a queue of the ingress router, and is dropped when that is full"
)


class Metering(Enforcer):
    """A meter per flow, or per coflow and the switch where its flows enter, with the sum of their rates.

    A flow without a cap passes no meter. One that is stopped while it runs may still send a frame now and then: where
    all of it is dropped, TCP waits longer and longer and goes on late, by as much as it was stopped. A flow that was
    never let go does not start. Flows without a label are left alone.
    """

    name: ClassVar[str] = "meter"
    holds_starts: ClassVar[bool] = True

    def __init__(self, reach: Reach) -> None:
        super().__init__(reach)
        if reach.edges is None:
            raise ReplayError("enforcement meter: there are no switches to meter at; expected an emulated network")
        self._edges: EdgeControl = reach.edges
        self._per_coflow = reach.plan.metering == "per-coflow"
        self._paced = "pacing" in reach.plan.enforcement
        self._mtu = reach.plan.fabric.mtu
        self._numbers = _Numbers()
        self._meters: dict[tuple[str, Hashable], Meter] = {}  # (switch, flow or coflow) -> its meter
        self._passes: dict[int, tuple[str, Hashable]] = {}  # flow -> the meter that it passes
        self._let_go = np.zeros(len(reach.plan.flows), dtype=np.bool_)
        self._set = 0
        self._burst_bytes = 0.0

    def extend(self, reach: Reach) -> None:
        """See Enforcer.extend."""
        super().extend(reach)
        added = len(reach.plan.flows) - len(self._let_go)
        self._let_go = np.concatenate((self._let_go, np.zeros(added, dtype=np.bool_)))

    def enforce(self, view: View, allocation: Allocation) -> None:
        """Bring meters and flows' ways through them to what the allocation says."""
        flows, cap_Bps = view.flow[: view.labelled], allocation.cap_Bps[: view.labelled]
        if not self._paced:
            self._let_go[flows[cap_Bps > 0]] = True
            self.reach.control.cap(flows, np.where(self._let_go[flows], np.inf, 0.0))
        members: dict[tuple[str, Hashable], list[tuple[int, float]]] = defaultdict(list)
        coflows = view.coflow[view.flow_coflow[: view.labelled]].tolist()
        for flow, cap, coflow in zip(flows.tolist(), cap_Bps.tolist(), coflows, strict=True):
            if cap < np.inf:
                members[self._edges.ingress[flow], coflow if self._per_coflow else flow].append((flow, cap))
        for key, rates in members.items():
            self._meter(key, [cap for _, cap in rates])
        passes = {flow: key for key, rates in members.items() for flow, _ in rates}
        for flow, key in passes.items():
            if self._passes.get(flow) != key:
                self._edges.send_through(flow, self._numbers.of(key))
        for flow in self._passes.keys() - passes.keys():
            self._edges.send_through(flow, None)
        for key in self._meters.keys() - members.keys():
            del self._meters[key]
            self._edges.remove_meter(key[0], self._numbers.give_back(key))
        self._passes = passes

    def facts(self) -> dict[str, Any]:
        """How often meters were set, and how much that may have let pass at once in bursts."""
        facts = {"metering": self.reach.plan.metering, "set": self._set, "burst_bytes": self._burst_bytes}
        if self.reach.plan.datapath == "router":
            facts["imitated"] = IMITATED
        return {"meter": facts}

    def _meter(self, key: tuple[str, Hashable], caps_Bps: list[float]) -> None:
        total_Bps = sum(caps_Bps)
        meter = meter_for(total_Bps, self._mtu) if total_Bps > 0 else stopping_meter(len(caps_Bps), self._mtu)
        old = self._meters.get(key)
        if old is None or abs(meter.rate_bps - old.rate_bps) > SAME_RATE * min(meter.rate_bps, old.rate_bps):
            self._meters[key] = meter
            self._edges.set_meter(key[0], self._numbers.of(key), meter)
            self._set += 1
            self._burst_bytes += meter.burst_bytes


class _Numbers:
    """Numbers of meters: small ones, used again."""

    def __init__(self) -> None:
        self._of: dict[Hashable, int] = {}
        self._free: list[int] = []

    def of(self, key: Hashable) -> int:
        """The number of a meter."""
        if key not in self._of:
            self._of[key] = heapq.heappop(self._free) if self._free else len(self._of) + 1
        return self._of[key]

    def give_back(self, key: Hashable) -> int:
        """The number that a meter had; another may have it next."""
        number = self._of.pop(key)
        heapq.heappush(self._free, number)
        return number
