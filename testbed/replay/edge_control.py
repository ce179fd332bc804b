"""What the network's edge has been told about each flow: meters at the switch where it enters, and marks.

Only changes are sent. They are carried out in a thread of their own, one batch at a time, since a switch takes
milliseconds to confirm; what changes meanwhile goes into the next batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from testbed.actor.loop import Loop
from testbed.coflow import Ints
from testbed.plan import Plan
from testbed.replay.setup import Connections
from testbed.replay.worker import Worker
from testbed.rules.edge import Change, EdgeState, difference
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import Meter

ChangeEdges = Callable[[Mapping[str, Change]], Mapping[str, float]]
"""Carries out a change at each node named (an edge switch, or a host's own interface); node -> seconds until it has
confirmed. Called in one thread. What it raises ends the run."""

_REMEMBERED = 20


class Install(NamedTuple):
    """One batch, from the decision that asked for it to its confirmation by every node."""

    asked_at_ns: int
    """Of CLOCK_MONOTONIC."""
    nodes: int
    entries: int
    """Meters, flows' ways through them and marks that were set or removed."""
    switch_s: float
    """From sending to the slowest node's confirmation."""
    total_s: float
    """From the decision to the coordinator's hearing of it."""


class EdgeControl:
    """Gathers what the edge shall do with flows between `flush`es, and says when it does so."""

    def __init__(self, plan: Plan, loop: Loop, connections: Connections, change: ChangeEdges) -> None:
        self._connections = connections
        self._change = change
        self._host: list[str] = []
        self.ingress: list[str] = []
        """Per flow, the switch where it enters the network."""
        self._dscp: Ints = np.empty(0, dtype=np.int64)
        self.extend(plan)
        self._wanted: dict[str, EdgeState] = {}
        self._told: dict[str, EdgeState] = {}
        self._touched: set[str] = set()
        self._to_mark: set[int] = set()  # flows whose DSCP has changed since the last flush
        self._marked: set[int] = set()
        self._waiting: list[Callable[[], None]] = []  # for what has been flushed and not been sent yet
        self._under_way: list[Callable[[], None]] | None = None  # for the batch that the thread carries out
        self._asked_ns = 0
        self.installs: list[Install] = []
        self._recent_s: deque[float] = deque([0.0], maxlen=_REMEMBERED)
        self._worker = Worker(loop, "edge", self._carry_out, self._heard)

    @property
    def lead_ns(self) -> int:
        """How long a batch may take, by the slowest of the last ones."""
        return int(max(self._recent_s) * 1e9)

    def extend(self, plan: Plan) -> None:
        """Take in the flows that the plan has beyond those known so far."""
        flows, links, known = plan.flows, plan.fabric.links, len(self.ingress)
        first = [links[number] for number in flows.path_links[flows.path_ptr[known:-1]].tolist()]
        self._host += [link.source for link in first]
        self.ingress += [link.target for link in first]
        self._dscp = np.concatenate((self._dscp, np.full(len(first), -1, dtype=np.int64)))

    def key(self, flow: int) -> FlowKey:
        """The connected flow's addresses and ports."""
        return self._connections.key(flow)

    def set_meter(self, switch: str, number: int, meter: Meter) -> None:
        """Have a meter, or change it (which fills its bucket)."""
        self._at(switch).meters[number] = meter

    def remove_meter(self, switch: str, number: int) -> None:
        """Have a meter no more; no flow may pass it then."""
        self._at(switch).meters.pop(number, None)

    def send_through(self, flow: int, number: int | None) -> None:
        """Have a flow pass a meter of its ingress switch, or none."""
        metered = self._at(self.ingress[flow]).metered
        if number is None:
            metered.pop(self.key(flow), None)
        else:
            metered[self.key(flow)] = number

    def mark(self, flows: Ints, dscp: Ints) -> None:
        """Set the class of flows' packets from outside: at the host's own interface, and as DSCP at the ingress switch.

        Flows that are not connected yet are marked at the first flush after they are.
        """
        changed = self._dscp[flows] != dscp
        self._dscp[flows[changed]] = dscp[changed]
        self._to_mark.update(flows[changed].tolist())

    def flush(self, over: NDArray[np.bool_]) -> None:
        """Have the changes carried out that were gathered; flows that are `over` lose their marks."""
        self._place_marks(over)
        if not self._asked_ns:
            self._asked_ns = time.monotonic_ns()
        self._send()

    def when_in_force(self, then: Callable[[], None]) -> None:
        """Call back when all that was flushed is in force; at once where it is already."""
        if self._under_way is None:
            then()
        else:
            self._waiting.append(then)
            if not self._touched:  # nothing to come after the batch under way
                self._under_way += self._waiting
                self._waiting = []

    def table(self, start_ns: int) -> pd.DataFrame:
        """One row per batch: at_s (asked for, seconds since the start), nodes, entries, switch_s, total_s."""
        table = pd.DataFrame(self.installs, columns=Install._fields)
        table["asked_at_ns"] = (table["asked_at_ns"] - start_ns) / 1e9
        return table.rename(columns={"asked_at_ns": "at_s"})

    def facts(self) -> dict[str, Any]:
        """How long batches took."""
        table = self.table(0)
        return {
            "batches": len(table),
            "entries": int(table.entries.sum()),
            **{
                f"{column}_{name}": float(table[column].quantile(share)) if len(table) else None
                for column in ("switch_s", "total_s")
                for name, share in (("p50", 0.5), ("p99", 0.99))
            },
        }

    def close(self) -> None:
        """End, after the batch that is under way; may be called again."""
        self._worker.close()

    def _at(self, node: str) -> EdgeState:
        self._touched.add(node)
        return self._wanted.setdefault(node, EdgeState())

    def _place_marks(self, over: NDArray[np.bool_]) -> None:
        for flow in [flow for flow in self._to_mark if self._connections.own_port[flow] and not over[flow]]:
            self._to_mark.remove(flow)
            self._marked.add(flow)
            for node in (self._host[flow], self.ingress[flow]):
                self._at(node).marks[self.key(flow)] = int(self._dscp[flow])
        for flow in [flow for flow in self._marked if over[flow]]:
            self._marked.remove(flow)
            for node in (self._host[flow], self.ingress[flow]):
                self._at(node).marks.pop(self.key(flow), None)

    def _send(self) -> None:
        """Hand the differences to the thread, unless it is still busy with the last ones."""
        if self._under_way is not None:
            return
        changes: dict[str, Change] = {}
        for node in self._touched:
            told = self._told.setdefault(node, EdgeState())
            change = difference(told, self._wanted[node])
            if len(change):
                changes[node] = change
                told.apply(change)
        self._touched.clear()
        if not changes:
            self._asked_ns = 0
            waiting, self._waiting = self._waiting, []
            for then in waiting:
                then()
            return
        self._under_way, self._waiting = self._waiting, []
        asked_ns, self._asked_ns = self._asked_ns, 0
        self._worker.do((asked_ns, changes))

    def _carry_out(self, batch: tuple[int, dict[str, Change]]) -> Install:
        asked_ns, changes = batch
        took_s = self._change(changes)
        return Install(
            asked_ns,
            len(changes),
            sum(map(len, changes.values())),
            max(took_s.values(), default=0.0),
            (time.monotonic_ns() - asked_ns) / 1e9,
        )

    def _heard(self, done: Install) -> None:
        """A batch is done: call those who waited for it, and send what has changed since."""
        self.installs.append(done)
        self._recent_s.append(done.total_s)
        waited, self._under_way = self._under_way or [], None
        if self._touched:
            self._asked_ns = self._asked_ns or time.monotonic_ns()
            self._send()
        for then in waited:
            then()
