"""Ask a run's scheduler again, about what it saw then, and compare the answers with those on record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from testbed.errors import RecordsError
from testbed.faults import Condition, conditions
from testbed.outcome import Decision
from testbed.plan import Plan
from testbed.records import files
from testbed.records.decision_log import read_decisions
from testbed.records.run_directory import Run
from testbed.scheduling.base import Scheduler
from testbed.scheduling.check import decide
from testbed.scheduling.registry import make
from testbed.scheduling.view import ViewBuilder
from testbed.topology.rerouting import reroute

INNER_LOOP_TOLERANCE = 1e-6
"""Relative, of caps that the simulator's compiled loop decided. It keeps loads and remaining bytes from event to event
where a scheduler that is asked sums them anew, so the two differ by rounding; of a flow that is nearly done, what is
left is the small difference of two large numbers. All other decisions must come out the same to the bit.
"""
_BY_FLOW = ("cap_Bps", "queue")
_BY_COFLOW = ("ask_at_received",)


@dataclass(frozen=True)
class Difference:
    """A decision that came out otherwise."""

    decision: int
    """Its row in the log."""
    at_s: float
    reason: str
    what: str
    """The first thing that differs: which, on record and computed."""

    def __str__(self) -> str:
        """'decision 3 at 0.2 s (arrival): queue of flow 7 is 1 on record, 2 computed'."""
        return f"decision {self.decision} at {self.at_s:.9g} s ({self.reason}): {self.what}"


@dataclass(frozen=True)
class Recomputation:
    """What came of asking again."""

    compared: int
    different: int
    tolerance: float
    """Relative, of caps; 0: the same to the bit."""
    first: Difference | None

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def recompute(run: Run) -> Recomputation:
    """Make every decision of a run again, from its plan and its log. RecordsError where they do not fit together."""
    tolerance = INNER_LOOP_TOLERANCE if run.facts.get("inner_loop") else 0.0
    compared = different = 0
    first: Difference | None = None
    for number, then, now in decided_again(run):
        compared += 1
        what = difference(then, now, tolerance)
        if what is not None:
            different += 1
            first = first or Difference(number, then.at_s, then.reason, what)
    return Recomputation(compared, different, tolerance, first)


def decided_again(run: Run) -> Iterator[tuple[int, Decision, Decision]]:
    """Number, decision on record and decision made now, one after another."""
    plan, where = run.plan, str(run.path / "decisions.parquet")
    scheduler = make(plan.scheduler.name, plan.scheduler.parameters)
    again = _Again(plan, scheduler)
    for number, then in enumerate(read_decisions(files.read_parquet(run.path / "decisions.parquet"), where)):
        yield number, then, again.decide(then, f"{where}: decision {number}")


class _Again:
    """Rebuilds what the scheduler saw, and asks it."""

    def __init__(self, plan: Plan, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._plan = plan
        self._views = ViewBuilder(plan, scheduler)
        self._flows = len(plan.flows)
        self._conditions = conditions(plan.faults)
        self._known = self._conditions[0]
        self._row = {int(coflow): row for row, coflow in enumerate(plan.coflows.coflow)}

    def decide(self, then: Decision, where: str) -> Decision:
        if len(then.flows) and then.flows.max() >= self._flows:
            raise RecordsError(f"{where}: flow {then.flows.max()} is not in the plan, which has {self._flows} flows")
        unknown = [coflow for coflow in then.coflows.tolist() if coflow not in self._row]
        if unknown:
            raise RecordsError(f"{where}: coflow {unknown[0]} is not in the plan")
        rows = [self._row[coflow] for coflow in then.coflows.tolist()]
        received = np.zeros(self._flows)
        received[then.flows] = then.received
        coflow_received, arrival_s = np.zeros(len(self._row)), np.full(len(self._row), np.nan)
        width = np.zeros(len(self._row), dtype=np.int64)
        coflow_received[rows], arrival_s[rows], width[rows] = (
            then.coflow_received, then.coflow_arrival_s, then.coflow_width)  # fmt: skip
        if then.faults >= len(self._conditions):
            raise RecordsError(f"{where}: {then.faults} faults; the plan has {len(self._conditions) - 1}")
        self._know(self._conditions[then.faults])
        capacity_Bps = self._known.capacity_Bps(self._views.plan.fabric) if then.faults else None
        view = self._views.restore(then.at_s, then.flows, received, coflow_received, width, arrival_s, capacity_Bps)
        return Decision.of(view, decide(self._scheduler, view), then.reason, then.latency_s, then.faults)

    def _know(self, condition: Condition) -> None:
        """Lay the paths as they were in a condition of the network."""
        if condition is self._known:
            return
        self._known = condition
        fabric, flows = self._plan.fabric, self._plan.flows
        path_ptr, path_links, _ = reroute(fabric, flows, condition.usable(fabric))
        self._views.plan = replace(self._plan, flows=replace(flows, path_ptr=path_ptr, path_links=path_links))


def difference(then: Decision, now: Decision, tolerance: float) -> str | None:
    """The first thing in which two decisions differ, in words; None where they are the same."""
    if now.coflows.tolist() != then.coflows.tolist():
        return f"the order of coflows is {then.coflows.tolist()} on record, {now.coflows.tolist()} computed"
    if now.flows.tolist() != then.flows.tolist():
        return f"the flows are {then.flows.tolist()} on record, {now.flows.tolist()} computed"
    for names, kind, ids in ((_BY_FLOW, "flow", then.flows), (_BY_COFLOW, "coflow", then.coflows)):
        for name in names:
            recorded, computed = getattr(then, name), getattr(now, name)
            same = _same(recorded, computed, tolerance)
            if not same.all():
                at = int(np.argmin(same))
                return f"{name} of {kind} {ids[at]} is {recorded[at]} on record, {computed[at]} computed"
    for name in ("reject", "cut", "queue_weight"):
        if getattr(then, name).tolist() != getattr(now, name).tolist():
            return f"{name} is {getattr(then, name).tolist()} on record, {getattr(now, name).tolist()} computed"
    if then.ask_again_s != now.ask_again_s:
        return f"ask_again_s is {then.ask_again_s} on record, {now.ask_again_s} computed"
    return None


def _same(recorded: np.ndarray[Any, Any], computed: np.ndarray[Any, Any], tolerance: float) -> np.ndarray[Any, Any]:
    if not tolerance:
        return np.asarray(recorded == computed)
    # relative to the largest: a flow that is given nothing may be given a rounding's worth
    scale = np.max(np.abs(recorded[np.isfinite(recorded)]), initial=0.0)
    return np.asarray(np.isclose(recorded, computed, rtol=tolerance, atol=tolerance * scale))
