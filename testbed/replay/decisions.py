"""Asks the scheduler when something has happened, has its allocation enforced, and keeps the log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from testbed.actor.loop import Loop, Timer
from testbed.broken import Broken
from testbed.coflow import Floats, Ints
from testbed.growth import with_some_flow
from testbed.outcome import Decision
from testbed.plan import Plan
from testbed.replay.edge_control import EdgeControl
from testbed.replay.enforcement.base import Enforcer, Reach
from testbed.replay.flow_control import FlowControl
from testbed.replay.ledger import Ledger
from testbed.scheduling.base import Allocation, Scheduler, View
from testbed.scheduling.check import decide
from testbed.scheduling.view import ViewBuilder

_SETTLE_NS = 1_000_000
"""Events that come this close together are one decision."""
_LAZY = "flow-finished"
"""Others of its coflow go on: what it leaves may wait a little, where decisions are about many hosts."""
_LEAST_LEAD_NS = 5_000_000
_LEAD_PER_HOST_NS = 250_000  # a wide coflow's senders are told one by one, and take it in on the same processors
_MOST_LEAD_NS = 50_000_000
_REHEARSED_COFLOWS = 20
_NO_STARTS: Mapping[int, int] = {}


class Decisions:
    """The scheduler's side of a replay. `on_cut(flows, reason)` is told which flows it refuses or gives up.

    That a flow has finished, but not its coflow, may wait for `patience_ns`, so that more such are one decision.
    """

    def __init__(
        self,
        plan: Plan,
        scheduler: Scheduler,
        ledger: Ledger,
        control: FlowControl,
        enforcers: Sequence[Enforcer],
        loop: Loop,
        on_cut: Callable[[Ints, str], None],
        edges: EdgeControl | None = None,
        patience_ns: int = 0,
    ) -> None:
        self._row = _rows(plan)
        self._scheduler = scheduler
        self._ledger = ledger
        self._control = control
        self._enforcers = enforcers
        self._loop = loop
        self._on_cut = on_cut
        self._edges = edges
        self._patience_ns = max(patience_ns, _SETTLE_NS)
        self._views = ViewBuilder(plan, scheduler)
        self.registered = self._views.label_row >= 0
        """Per flow, whether the scheduler is told of it."""
        self._closed = False
        self._reasons: set[str] = set()
        self._soon: Timer | None = None
        self._ask_again: Timer | None = None
        self._ask_at: Floats = np.full(len(plan.coflows), np.inf)
        self._seen = np.zeros(len(plan.flows), dtype=np.bool_)  # was in a view before
        self._in_force_ns = 0
        self._free_ns = 0
        self._latencies_s: deque[float] = deque([0.0], maxlen=20)
        self._injected: list[int] = []
        self._broken = Broken(plan)
        self._put_off: dict[int, int] = {}
        """Flows that stood still at their start -> that instant: they start with the first decision that sees them."""

    def network(self, broken: Broken) -> None:
        """The network is in another condition: other capacities, and other paths of flows."""
        self._broken = broken
        self._views.plan = broken.plan

    def extend(self, reach: Reach) -> None:
        """Take in the flows and coflows that the plan has beyond those known so far."""
        plan = reach.plan
        self._row = _rows(plan)
        self._views = ViewBuilder(plan, self._scheduler)
        self.registered = self._views.label_row >= 0
        self._ask_at = np.concatenate((self._ask_at, np.full(len(plan.coflows) - len(self._ask_at), np.inf)))
        self._seen = np.concatenate((self._seen, np.zeros(len(plan.flows) - len(self._seen), dtype=np.bool_)))
        for enforcer in self._enforcers:
            enforcer.extend(reach)

    @property
    def holds_starts(self) -> bool:
        """Whether registered flows start only when a decision that includes them is in force."""
        return any(enforcer.holds_starts for enforcer in self._enforcers)

    @property
    def lead_ns(self) -> int:
        """How long before a planned arrival its decision is begun, so that it is in force at that very instant."""
        slowest_ns = 2 * int(max(self._latencies_s) * 1e9) + (self._edges.lead_ns if self._edges is not None else 0)
        telling_ns = max(_LEAST_LEAD_NS, _LEAD_PER_HOST_NS * len(self._views.plan.fabric.hosts))
        return min(telling_ns + slowest_ns, _MOST_LEAD_NS)

    @property
    def asked_for(self) -> bool:
        """Whether a decision is due without any further event."""
        return self._soon is not None or (self._ask_again is not None and not self._ask_again.cancelled)

    def close(self) -> None:
        """Ask no more, whatever happens."""
        self._closed = True

    def rehearse(self) -> None:
        """Ask once about the first coflows, for nothing: what is compiled at first use is compiled before the run."""
        views = ViewBuilder(with_some_flow(self._views.plan), self._scheduler)
        rows = views.label_row
        first = np.flatnonzero(rows < _REHEARSED_COFLOWS)
        arrival_s = np.nan_to_num(views.plan.coflows.arrival_s)
        received, begun = np.zeros(len(rows)), rows < _REHEARSED_COFLOWS
        now_s = float(np.max(arrival_s[:_REHEARSED_COFLOWS], initial=0.0))
        for _ in range(2):
            began = time.monotonic()
            decide(self._scheduler, views.build(now_s, first, received, begun, arrival_s))
            self._latencies_s.append(time.monotonic() - began)
        self._latencies_s.popleft()

    def event(self, reason: str) -> None:
        """Something has happened: decide soon, once for all that happens until then."""
        self._reasons.add(reason)
        if self._closed:
            return
        due_ns = max(time.monotonic_ns() + (self._patience_ns if reason == _LAZY else _SETTLE_NS), self._free_ns)
        if self._soon is not None:
            if self._soon.due_ns <= due_ns:
                return
            self._soon.cancel()
        self._soon = self._loop.call_at(due_ns, self._decide)

    def received(self, flows: Ints) -> None:
        """Bytes of these flows have come: a coflow may have crossed a threshold of the scheduler."""
        rows = self._views.label_row[flows]
        rows = np.unique(rows[rows >= 0])
        if not np.isfinite(self._ask_at[rows]).any():
            return
        counted = np.flatnonzero(self._ledger.begun & self.registered)
        sums = np.bincount(self._views.label_row[counted], self._ledger.received[counted], minlength=len(self._ask_at))
        crossed = rows[sums[rows] >= self._ask_at[rows]]
        if len(crossed):
            self._ask_at[crossed] = np.inf
            self.event("threshold")

    def arrival(self, starts_ns: dict[int, int]) -> None:
        """Decide now about flows that have just been marked as begun, and start those that wait for a decision.

        `starts_ns`: flow -> instant of its start, which may lie ahead. The decision is in force from the first of
        them on, and sees the state at the last.
        """
        self._reasons.add("arrival")
        self._decide(min(starts_ns.values(), default=0), max(starts_ns.values(), default=0), starts_ns)

    def injected(self, flows: Sequence[int]) -> None:
        """Decide soon about flows that have begun just now, and start those that wait for a decision."""
        self._injected += flows
        self._seen[flows] = True  # no decision could be made ahead of them: they were allowed when the next one is
        self.event("injected")

    def _decide(self, force_ns: int = 0, view_ns: int = 0, starts_ns: Mapping[int, int] = _NO_STARTS) -> None:
        """Ask the scheduler and have its allocation enforced from `force_ns` on, at the earliest now.

        Decisions come into force in the order in which they are made: after one for an instant ahead, the next is
        for that instant too.
        """
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._closed:
            return
        began = time.monotonic_ns()
        force_ns = max(force_ns, self._in_force_ns)
        now_ns = max(force_ns, view_ns, began)
        self._in_force_ns = force_ns
        reason = "+".join(sorted(self._reasons))
        self._reasons.clear()
        starts_ns = {**self._put_off, **starts_ns, **dict.fromkeys(self._injected, began)}
        self._injected.clear()
        self._put_off = {flow: at_ns for flow, at_ns in starts_ns.items() if self._ledger.standing[flow]}
        self._seen[list(self._put_off)] = True  # they are allowed when they can move
        starts_ns = {flow: at_ns for flow, at_ns in starts_ns.items() if flow not in self._put_off}
        active = np.flatnonzero(self._ledger.active & ~self._ledger.standing)
        if not len(active):
            self._forget_questions()
            return
        view = self._views.build(
            self._ledger.seconds(now_ns),
            active,
            self._ledger.received,
            self._ledger.begun,
            self._ledger.outcome.coflow_arrival_s,
            self._broken.capacity_now_Bps,
        )
        allocation = decide(self._scheduler, view)
        latency_s = (time.monotonic_ns() - began) / 1e9
        self._latencies_s.append(latency_s)
        faults = self._broken.condition.faults
        self._ledger.outcome.decisions.append(Decision.of(view, allocation, reason, latency_s, faults))
        for enforcer in self._enforcers:
            enforcer.enforce(view, allocation)
        if self.holds_starts:
            self._cut(view, allocation)
            held = [flow for flow in starts_ns if self.registered[flow] and not self._ledger.over[flow]]
            self._start({flow: starts_ns[flow] for flow in held}, force_ns)
        self._control.flush(force_ns)
        self._note_allowed(view, self._ledger.seconds(max(force_ns, began)))
        self._ask_as_told(view, allocation)
        self._free_ns = time.monotonic_ns() + max(_SETTLE_NS, int(latency_s * 1e9))

    def _start(self, starts_ns: Mapping[int, int], force_ns: int) -> None:
        """Have flows start at their instants, or as soon as the edge of the network is ready for them."""

        def start() -> None:
            waiting = [flow for flow in starts_ns if not self._ledger.over[flow]]
            self._control.start(waiting, [starts_ns[flow] for flow in waiting])
            self._control.flush(force_ns)

        if self._edges is None:
            start()
        else:
            self._edges.flush(self._ledger.over)
            self._edges.when_in_force(start)

    def _cut(self, view: View, allocation: Allocation) -> None:
        for rows, reason in ((allocation.reject, "rejected"), (allocation.cut, "cut")):
            for coflow in view.coflow[rows].tolist():
                row = self._row[coflow]
                if reason == "rejected":
                    self._ledger.outcome.coflow_admitted[row] = False
                self._on_cut(np.flatnonzero((self._views.label_row == row) & ~self._ledger.over), reason)

    def _note_allowed(self, view: View, force_s: float) -> None:
        """A flow let go by the decision in force at its start was allowed as planned, however late it came."""
        allowed_s, planned_s = self._ledger.allowed_s, self._ledger.outcome.planned_start_s
        at_start = ~self._seen[view.flow] | (planned_s[view.flow] >= force_s)
        first, later = view.flow[at_start], view.flow[~at_start]
        allowed_s[first] = np.where(self._control.released(first), planned_s[first], np.nan)
        waiting = later[np.isnan(allowed_s[later])]
        allowed_s[waiting[self._control.released(waiting)]] = view.now_s
        self._seen[first] = True

    def _ask_as_told(self, view: View, allocation: Allocation) -> None:
        self._forget_questions()
        if np.isfinite(allocation.ask_again_s):
            due_ns = self._ledger.instant_ns(allocation.ask_again_s)
            self._ask_again = self._loop.call_at(due_ns, lambda: self.event("tick"))
        if allocation.ask_at_received is not None:
            self._ask_at[[self._row[coflow] for coflow in view.coflow.tolist()]] = allocation.ask_at_received

    def _forget_questions(self) -> None:
        self._ask_at[:] = np.inf
        if self._ask_again is not None:
            self._ask_again.cancel()
            self._ask_again = None


def _rows(plan: Plan) -> dict[int, int]:
    return {int(coflow): row for row, coflow in enumerate(plan.coflows.coflow)}
