"""The flow-level simulator: exact fluid semantics, event by event, with the scheduler that a live run has.

Between events every rate is constant, so there is no time step: the next event is the earliest of the next start,
the next completion at the current rates, the next threshold that a coflow's received bytes cross, and the instant
the scheduler asked for. At an event the scheduler is asked, and the network model says what each flow gets of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np

from testbed.broken import Broken
from testbed.coflow import ENDLESS, Floats, FlowTable, Ints
from testbed.faults import Fault
from testbed.growth import grow, with_flows
from testbed.outcome import Decision, Outcome, empty_outcome
from testbed.plan import Plan
from testbed.scheduling import registry
from testbed.scheduling.base import Allocation, Scheduler, View
from testbed.scheduling.check import decide
from testbed.scheduling.classes import classes
from testbed.scheduling.composed import Composed
from testbed.scheduling.view import ViewBuilder
from testbed.simulation import network, srpt_run
from testbed.simulation.closing import RECORDED_ROWS, close, refuse_to_stall
from testbed.simulation.composed_run import ComposedRun, core_of
from testbed.simulation.inner_state import CLOCK, DONE
from testbed.simulation.timeline import Timeline


class Driver(Protocol):
    """A program that takes part in the run: it may inject and cut flows, change links and set alarms."""

    def begin(self, run: Simulation) -> None:
        """Called before the run starts, with `run.now_s` 0."""

    def finished(self, run: Simulation, flows: Ints) -> None:
        """Called when flows have finished, at `run.now_s`."""


def last_multiple(now_s: float, period_s: float) -> float:
    """The last multiple of the period that is not after now (an instant within rounding of one is on it)."""
    return float(np.floor(now_s / period_s + 1e-9)) * period_s


def simulate(
    plan: Plan,
    *,
    resolution_s: float = 0.0,
    scheduler: Scheduler | None = None,
    driver: Driver | None = None,
    compiled: bool = True,
) -> Outcome:
    """Run a plan to its end and return what happened.

    `resolution_s`: re-allocate at most this often (0: at every event, exact); the outcome's facts say so.
    `scheduler`: in place of the one the plan names. `driver`: a program that takes part. `compiled`: use the inner
    loop where it serves (the answer is the same, much sooner). SchedulerError and SimulationError name instant and
    flow.
    """
    chosen = scheduler or registry.make(plan.scheduler.name, plan.scheduler.parameters)
    if compiled and driver is None and not plan.faults:
        core = core_of(plan, chosen)
        if core is not None and isinstance(chosen, Composed):
            return ComposedRun(plan, chosen, core, resolution_s).run()
        if srpt_run.serves(plan, chosen):
            return srpt_run.SrptRun(plan, chosen, resolution_s).run()
    return Simulation(plan, resolution_s=resolution_s, scheduler=chosen, driver=driver).run()


class Simulation:
    """One run. `plan` grows by the flows that are injected; all per-flow arrays are by flow id."""

    def __init__(
        self,
        plan: Plan,
        *,
        resolution_s: float = 0.0,
        scheduler: Scheduler | None = None,
        driver: Driver | None = None,
    ) -> None:
        self.plan = plan
        self.now_s = 0.0
        self.scheduler = scheduler or registry.make(plan.scheduler.name, plan.scheduler.parameters)
        self.capacity_Bps: Floats = plan.fabric.capacity_Bps.copy()
        self._driver = driver
        self._resolution_s = resolution_s
        self._timeline = Timeline(plan)
        self._views = ViewBuilder(plan, self.scheduler)
        self._outcome = empty_outcome(plan, "simulation")
        self._size = plan.flows.bytes.astype(np.float64)
        self._received = np.zeros(len(plan.flows))
        self._rate = np.zeros(len(plan.flows))
        self._started = np.zeros(len(plan.flows), dtype=np.bool_)
        self._known = self._received  # what the scheduler has heard of
        self._active: Ints = np.empty(0, dtype=np.int64)
        self._broken = Broken(plan)
        for fault in plan.faults:
            self._timeline.call(fault.at_s, partial(self._fault, fault))
        self._reasons: set[str] = set()
        self._allocation: Allocation | None = None
        self._view: View | None = None
        self._allocate_at_s = np.inf
        self._events = 0
        self._decisions = 0
        self._recorded_rows = 0

    # ---- what a driver may do while the run goes on

    def at(self, at_s: float, call: Callable[[], None]) -> None:
        """Have `call` called at an instant (now, if that is past)."""
        self._timeline.call(max(at_s, self.now_s), call)

    def inject(self, flows: FlowTable) -> Ints:
        """Add flows, and return their ids. A `start_s` that is past is now; `after` may name any flow known so far."""
        first = len(self.plan.flows)
        self.plan = with_flows(self.plan, replace(flows, start_s=np.maximum(flows.start_s, self.now_s)))
        self._timeline.extend(self.plan)
        self._views = ViewBuilder(self.plan, self.scheduler)
        added = len(flows)
        self._size = self.plan.flows.bytes.astype(np.float64)
        same = self._known is self._received
        self._received = np.concatenate((self._received, np.zeros(added)))
        self._known = self._received if same else np.concatenate((self._known, np.zeros(added)))
        self._rate = np.concatenate((self._rate, np.zeros(added)))
        self._started = np.concatenate((self._started, np.zeros(added, dtype=np.bool_)))
        grow(self._outcome, self.plan)
        self._lay_out()
        self._reasons.add("injected")
        return np.arange(first, first + added)

    def cut(self, flows: Ints, reason: str = "cut") -> None:
        """Stop flows where they are; those that are not running are left as they are."""
        stopped = self._active[np.isin(self._active, flows)]
        self._active = self._active[~np.isin(self._active, flows)]
        self._rate[stopped] = 0.0
        for flow in stopped.tolist():
            self._outcome.reason[flow] = reason
        self._timeline.abandon(stopped)
        self._reasons.add("cut")

    def set_capacity(self, link: int, capacity_Bps: float) -> None:
        """Change the goodput capacity of a link (0: it has failed)."""
        self.capacity_Bps = self.capacity_Bps.copy()
        self.capacity_Bps[link] = capacity_Bps
        self._reasons.add("link")

    # ---- the run

    def run(self) -> Outcome:
        """Go from event to event until nothing is left to do."""
        if self._driver:
            self._driver.begin(self)
        while True:
            self._start(self._timeline.due(self.now_s))
            self._end_background()
            if not len(self._broken.moving(self._active)):
                self._stand_still()
            elif self._reasons:
                self._decide_or_defer()
            next_s = min(self._timeline.next_s(), self._next_completion_s(), self._next_asked_s())
            if not np.isfinite(next_s):
                break
            self._advance(max(next_s, float(np.nextafter(self.now_s, np.inf))))
            self._events += 1
        return self._finish()

    def _fault(self, fault: Fault) -> None:
        last = self._broken.condition
        self._broken.happens(fault)
        self._lay_out()
        self.capacity_Bps = self._broken.capacity_Bps(self.capacity_Bps, last)
        self._allocate_at_s = self.now_s
        for flow in self._active[self._broken.killed[self._active]].tolist():
            self.cut(np.array([flow]), self._broken.why_killed(flow))
        self._reasons.add("fault")

    def _lay_out(self) -> None:
        self._broken.lay_out(self.plan)
        self._views.plan = self._broken.plan

    def _stand_still(self) -> None:
        """Nothing can move: there is nothing to decide."""
        self._rate[self._active] = 0.0
        self._reasons.clear()
        if len(self._active):
            self._allocation = self._view = None

    def _without_killed(self, flows: Ints) -> Ints:
        gone = flows[self._broken.killed[flows]]
        for flow in gone.tolist():
            self._outcome.reason[flow] = self._broken.why_killed(flow)
        self._timeline.abandon(gone)
        return flows[~self._broken.killed[flows]]

    def _start(self, flows: Ints) -> None:
        flows = self._without_killed(flows)
        if not len(flows):
            return
        self._started[flows] = True
        self._outcome.start_s[flows] = self.now_s
        empty = self.plan.flows.bytes[flows] == 0
        self._active = np.union1d(self._active, flows[~empty])
        if empty.any():
            self._outcome.first_byte_s[flows[empty]] = self.now_s
            self._complete(flows[empty])
        self._reasons.add("arrival")

    def _end_background(self) -> None:
        if self._timeline.coflows_pending() and not self._stands_for_good():
            return
        endless = self._active[self.plan.flows.bytes[self._active] >= ENDLESS]
        if len(endless):
            self.cut(endless, "cut: background, ended with the last coflow")

    def _stands_for_good(self) -> bool:
        """Whether faults have left nothing that could still finish a coflow."""
        if not self.plan.faults or np.isfinite(self._timeline.next_s()):
            return False
        moving = self._broken.moving(self._active)
        return not (self.plan.flows.bytes[moving] < ENDLESS).any()

    def _decide_or_defer(self) -> None:
        if self._allocation is None or self.now_s >= self._allocate_at_s * (1 - CLOCK):
            self._decide()
            self._allocate_at_s = self.now_s + self._resolution_s

    def _decide(self) -> None:
        reasons, self._reasons = "+".join(sorted(self._reasons)), set()
        sync = self.scheduler.sync_s
        if sync and (self._view is None or last_multiple(self.now_s, sync) > last_multiple(self._view.now_s, sync)):
            self._known = self._received.copy()
        self._rate[self._active] = 0.0
        view = self._views.build(
            self.now_s,
            self._broken.moving(self._active),
            self._known,
            self._started,
            self._timeline.coflow_arrival_s,
            self.capacity_Bps,
        )
        self._view = view
        self._allocation = allocation = decide(self.scheduler, view)
        self._decisions += 1
        if self._recorded_rows + len(view.flow) <= RECORDED_ROWS:
            self._record(view, allocation, reasons)
        if len(allocation.reject) or len(allocation.cut):
            self._dismiss(view, allocation)
        enforcement = self.plan.enforcement
        folded = (
            classes(view, allocation, self.plan.unlabelled_class, self.plan.flows.coflow[view.flow])
            if network.carries_classes(enforcement)
            else None
        )
        rate = network.resulting_rates(
            view.path_ptr,
            view.path_links,
            self.capacity_Bps,
            allocation.cap_Bps if network.carries_caps(enforcement) else None,
            folded,
        )
        self._rate[view.flow] = rate
        first = view.flow[(rate > 0) & np.isnan(self._outcome.first_byte_s[view.flow])]
        self._outcome.first_byte_s[first] = self.now_s

    def _record(self, view: View, allocation: Allocation, reason: str) -> None:
        self._recorded_rows += len(view.flow)
        self._outcome.decisions.append(Decision.of(view, allocation, reason, np.nan, self._broken.condition.faults))

    def _dismiss(self, view: View, allocation: Allocation) -> None:
        for rows, reason in ((allocation.reject, "rejected"), (allocation.cut, "cut")):
            gone = view.flow[np.isin(view.flow_coflow, rows) & (view.flow_coflow >= 0)]
            self.cut(gone, reason)
            if reason == "rejected":
                known = np.isin(self.plan.coflows.coflow, view.coflow[rows])
                self._outcome.coflow_admitted[known] = False

    def _next_completion_s(self) -> float:
        rate = self._rate[self._active]
        moving = self._active[rate > 0]
        if not len(moving):
            return np.inf
        left = self._size[moving] - self._received[moving]
        return self.now_s + float(np.min(left / self._rate[moving]))

    def _next_asked_s(self) -> float:
        """When the scheduler wants to be asked: its tick, a threshold, or the end of the resolution."""
        if self._allocation is None or self._view is None or not len(self._active):
            return np.inf
        if self._reasons:
            return self._allocate_at_s
        asked = self._allocation.ask_again_s
        thresholds = self._allocation.ask_at_received
        if thresholds is not None and len(thresholds):
            rate, missing = self._coflow_progress(self._view, thresholds)
            with np.errstate(divide="ignore", invalid="ignore"):
                soonest = np.nanmin(np.where(rate > 0, missing / rate, np.inf))
            asked = min(asked, self.now_s + float(soonest))
        return max(asked, self._allocate_at_s) if self._resolution_s else asked

    def _coflow_progress(self, view: View, thresholds: Floats) -> tuple[Floats, Floats]:
        rows = view.flow_coflow[: view.labelled]
        mine = view.flow[: view.labelled]
        rate = np.bincount(rows, self._rate[mine], minlength=len(view.coflow)).astype(np.float64)
        since = np.bincount(rows, self._received[mine] - view.received[: view.labelled], minlength=len(view.coflow))
        return rate, thresholds - view.coflow_received - since

    def _advance(self, to_s: float) -> None:
        active = self._active
        self._received[active] += self._rate[active] * (to_s - self.now_s)
        asked = self._next_asked_s() if not self._reasons else np.inf
        self.now_s = to_s
        left = self._size[active] - self._received[active]
        slack = np.maximum(self._size[active] * DONE, self._rate[active] * to_s * CLOCK)
        done = active[left <= slack]
        if len(done):
            self._complete(done)
        if self._allocation is not None and asked <= to_s * (1 + CLOCK) and self._allocation.ask_again_s <= to_s:
            self._reasons.add("tick")
        self._reasons |= self._threshold_reason()

    def _threshold_reason(self) -> set[str]:
        if self._allocation is None or self._view is None or self._allocation.ask_at_received is None:
            return set()
        _, missing = self._coflow_progress(self._view, self._allocation.ask_at_received)
        crossed = missing <= np.maximum(self._allocation.ask_at_received, 0) * DONE
        return {"threshold"} if np.any(crossed & np.isfinite(missing)) else set()

    def _complete(self, done: Ints) -> None:
        self._received[done] = self._size[done]
        self._rate[done] = 0.0
        self._outcome.finish_s[done] = self.now_s
        self._active = self._active[np.isin(self._active, done, invert=True)]
        coflow = self._timeline.finished(done, self.now_s)
        self._reasons.add("coflow-finished" if coflow else "flow-finished")
        if self._driver:
            self._driver.finished(self, done)

    def _finish(self) -> Outcome:
        for flow in self._active[self._broken.standing[self._active]].tolist():
            self._outcome.reason[flow] = self._broken.why_standing(flow)
        if len(moving := self._broken.moving(self._active)):
            refuse_to_stall(self.scheduler, self.now_s, moving)
        if self.plan.faults:
            self._outcome.samples["faults"] = self._broken.table()
        facts = {"events": self._events, "decisions": self._decisions, "end_s": self.now_s}
        return close(self._outcome, self._timeline, self._received, self._resolution_s, facts)
