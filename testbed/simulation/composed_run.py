"""Runs of composed schedulers over the compiled inner loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from testbed.coflow import Ints
from testbed.outcome import Decision
from testbed.plan import Plan
from testbed.scheduling.base import Scheduler
from testbed.scheduling.blocks import make_blocks, make_scratch
from testbed.scheduling.composed import QUEUE, TOGETHER, Coflows, Composed, Core
from testbed.scheduling.fair import Fair
from testbed.simulation import inner_loop as inner
from testbed.simulation.closing import RECORDED_ROWS
from testbed.simulation.compiled_run import CompiledRun
from testbed.simulation.inner_state import admit, make_state
from testbed.simulation.network import carries_caps


def all_registered(plan: Plan, scheduler: Scheduler) -> bool:
    """Whether the scheduler is told of every flow of the plan, and there are any."""
    flows = plan.flows
    return len(flows) > 0 and bool((flows.label >= 0).all() and (flows.bytes >= scheduler.minimum_size).all())


def core_of(plan: Plan, scheduler: Scheduler) -> Core | None:
    """The rules from which the inner loop finds this run's rates, or None where it takes the scheduler itself.

    It must be a composed scheduler (and not one derived from it that answers in its own way), every flow must be
    registered with it, and the network must give each flow the rate that the rules say: where caps hold, and for
    per-flow fairness in any network.
    """
    if not isinstance(scheduler, Composed) or not all_registered(plan, scheduler):
        return None
    if type(scheduler).allocate not in (Composed.allocate, Fair.allocate):
        return None
    if scheduler.core.filling == TOGETHER:
        return scheduler.core
    return scheduler.core if carries_caps(plan.enforcement) else None


class ComposedRun(CompiledRun):
    """One run of a composed scheduler: a block per coflow."""

    def __init__(self, plan: Plan, scheduler: Composed, core: Core, resolution_s: float) -> None:
        super().__init__(plan, scheduler, resolution_s)
        self._core = core
        self._capped = scheduler.capped
        flows, coflows, views = plan.flows, plan.coflows, self._views
        n_blocks, self._n_links = len(coflows), len(plan.fabric.links)
        in_blocks = self._layout[np.argsort(self._row[self._layout], kind="stable")]
        begin = np.searchsorted(self._row[in_blocks], np.arange(n_blocks + 1))
        size = flows.bytes[in_blocks].astype(np.float64)
        self._blocks = make_blocks(flows.path_ptr, flows.path_links, in_blocks, begin, size, size, self._n_links)
        self._place = np.empty(len(flows), dtype=np.int64)
        self._place[in_blocks] = np.arange(len(flows))
        self._hop, self._size = self._blocks.hop.copy(), size
        self._scratch = make_scratch(self._n_links, len(self._blocks.link))
        self._state = make_state(n_blocks, self._outcome.finish_s, self._outcome.first_byte_s)
        self._control = inner.make_control()
        self._coflows = Coflows(
            arrival_s=coflows.arrival_s.copy(),
            weight=coflows.weight.astype(np.float64),
            size=views.coflow_size,
            width=np.zeros(n_blocks),
            length=views.coflow_length,
            gamma_s=views.coflow_gamma_s,
            received=np.zeros(n_blocks),
        )
        self._capacity = plan.fabric.capacity_Bps.copy()
        self._queue = np.zeros(n_blocks, dtype=np.int64)
        self._asked = np.full(n_blocks, np.inf)
        self._active: Ints = np.empty(0, dtype=np.int64)
        self._begun_bytes = np.zeros(n_blocks)
        self._recorded_rows = 0

    def _starting(self, flows: Ints) -> Ints:
        """Flows of no bytes count in their coflow's width too; the scheduler is asked when one has come and gone."""
        if not len(flows):
            return flows
        np.add.at(self._coflows.width, self._row[flows], 1)
        np.add.at(self._begun_bytes, self._row[flows], self.plan.flows.bytes[flows])
        reasons = self._control.reasons
        if not len(self._active):
            reasons[0] = 0  # what happened last left nothing to decide
        reasons[0] |= inner.ARRIVED
        if (self.plan.flows.bytes[flows] == 0).any():
            reasons[0] |= inner.FLOW_FINISHED
        return super()._starting(flows)

    def _start(self, flows: Ints) -> None:
        for block in np.unique(self._row[flows]).tolist():
            mine = flows[self._row[flows] == block]
            admit(self._blocks, self._state, block, mine, self._place, self._hop, self._size, self.now_s, self._n_links)
            arrival_s = self._timeline.coflow_arrival_s[block]
            self._coflows.arrival_s[block] = self.now_s if np.isnan(arrival_s) else arrival_s
        active = np.union1d(self._active, self._row[flows])
        self._active = active[np.lexsort((self.plan.coflows.coflow[active], self._coflows.arrival_s[active]))]

    def _run_until(self, until_s: float) -> bool:
        control = self._control
        why, self._active, order = inner.run_until(
            self._core,
            self._blocks,
            self._state,
            self._scratch,
            self._coflows,
            self._capacity,
            self._active,
            control,
            until_s,
            self._resolution_s,
            self._watched,
            self._queue,
            self._asked,
            self._recorded_rows < RECORDED_ROWS,
        )
        self.now_s = float(control.now_s[0])
        self._note_finished(self._state.finished[: self._state.finished_count[0]])
        if why == inner.DECIDED:
            self._record(order)
        return bool(why != inner.STUCK)

    def _unfinished(self) -> Ints:
        return self._blocks.flow[self._places()]

    def _facts(self) -> dict[str, Any]:
        control = self._control
        return {"events": int(control.events[0]), "decisions": int(control.decisions[0]), "inner_loop": True}

    def _places(self) -> Ints:
        b = self._blocks
        spans = [np.arange(b.begin[c], b.begin[c] + b.live[c]) for c in self._active]
        return np.concatenate(spans) if spans else np.empty(0, dtype=np.int64)

    def _record(self, order: Ints) -> None:
        places = self._places()
        places = places[np.argsort(self._home[self._blocks.flow[places]])]
        self._recorded_rows += len(places)
        flows = self._blocks.flow[places]
        rows, rate = self._row[flows], self._blocks.rate[places]
        size = self.plan.flows.bytes[flows].astype(np.float64)
        remaining = self._blocks.remaining[places] - rate * (self.now_s - self._state.flows_s[rows])
        if self._core.order == QUEUE:
            coflow_received = self._coflows.received
        else:
            left = np.bincount(rows, remaining, minlength=len(self._begun_bytes))
            coflow_received = np.maximum(self._begun_bytes - left, 0.0)
        by_threshold = self._core.order == QUEUE and not self._core.sync_s
        self._outcome.decisions.append(
            Decision(
                at_s=self.now_s,
                reason=inner.in_words(int(self._control.decided_for[0])),
                coflows=self.plan.coflows.coflow[order],
                flows=flows,
                cap_Bps=rate if self._capped else np.full(len(places), np.inf),
                queue=self._queue[rows],
                latency_s=np.nan,
                received=np.maximum(size - remaining, 0.0),
                coflow_received=coflow_received[order],
                coflow_width=self._coflows.width[order].astype(np.int64),
                coflow_arrival_s=self._coflows.arrival_s[order],
                ask_at_received=self._asked[order] if by_threshold else np.full(len(order), np.inf),
                ask_again_s=float(self._control.again_s[0]),
                queue_weight=self._core.queue_weight,
                reject=np.empty(0, dtype=np.int64),
                cut=np.empty(0, dtype=np.int64),
            )
        )
