"""What is due when: planned starts, starts after other flows and coflows, and calls at an instant."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import numpy as np

from testbed.coflow import NONE, Floats, Ints
from testbed.errors import SimulationError
from testbed.plan import Plan


class Timeline:
    """Instants at which flows start and calls are made, in a total order: instant, then order of entry.

    A flow that starts `after` others, or whose coflow does, is entered when the last of them has finished.
    """

    def __init__(self, plan: Plan) -> None:
        flows, coflows = plan.flows, plan.coflows
        self._plan = plan
        self.coflow_row = {int(id_): row for row, id_ in enumerate(coflows.coflow)}
        self.coflow_arrival_s: Floats = coflows.arrival_s.copy()
        self.planned_start_s: Floats = flows.start_s.copy()
        fixed = np.flatnonzero(~np.isnan(flows.start_s))
        self._fixed: Ints = fixed[np.argsort(flows.start_s[fixed], kind="stable")]
        self._fixed_s: Floats = flows.start_s[self._fixed]
        self._next_fixed = 0
        self._heap: list[tuple[float, int, Ints | Callable[[], None]]] = []
        self._entries = 0
        self._now_s = 0.0
        self._abandoned: set[int] = set()
        self._unfinished = np.zeros(len(coflows), dtype=np.int64)
        self._with_coflow: defaultdict[int, list[int]] = defaultdict(list)
        self._waits_flow: dict[int, set[int]] = {}
        self._waits_coflow: dict[int, set[int]] = {}
        self._after_flow: defaultdict[int, list[int]] = defaultdict(list)
        self._after_coflow: defaultdict[int, list[int]] = defaultdict(list)
        self._true_row = np.full(len(flows), NONE, dtype=np.int64)
        for coflow, earlier in coflows.after.items():
            self._waits_coflow[coflow] = set(earlier)
            for other in earlier:
                self._after_coflow[other].append(coflow)
        self._admit(0)
        for coflow, row in self.coflow_row.items():
            if self._unfinished[row] == 0 and not np.isnan(self.coflow_arrival_s[row]):
                self.call(float(self.coflow_arrival_s[row]), partial(self._coflow_finished, coflow))

    @property
    def plan(self) -> Plan:
        """The plan with all flows injected so far."""
        return self._plan

    def extend(self, plan: Plan) -> None:
        """Take in the flows that `plan` has beyond the ones known so far; they start at their `start_s` or after."""
        known = len(self._true_row)
        self._plan = plan
        self.planned_start_s = np.concatenate((self.planned_start_s, plan.flows.start_s[known:]))
        self._true_row = np.concatenate((self._true_row, np.full(len(plan.flows) - known, NONE)))
        self._admit(known)
        for flow in range(known, len(plan.flows)):
            if not np.isnan(plan.flows.start_s[flow]):
                self._enter(float(plan.flows.start_s[flow]), np.array([flow]))

    def call(self, at_s: float, function: Callable[[], None]) -> None:
        """Have `function` called at an instant."""
        self._enter(at_s, function)

    def next_s(self) -> float:
        """The next instant at which something is due; inf for never."""
        fixed = self._fixed_s[self._next_fixed] if self._next_fixed < len(self._fixed) else np.inf
        return min(float(fixed), self._heap[0][0] if self._heap else np.inf)

    def due(self, now_s: float) -> Ints:
        """Make the calls and take out the flows that are due by now."""
        starting: list[Ints] = []
        end = int(np.searchsorted(self._fixed_s, now_s, side="right"))
        if end > self._next_fixed:
            starting.append(self._fixed[self._next_fixed : end])
            self._next_fixed = end
        while self._heap and self._heap[0][0] <= now_s:
            _, _, due = heapq.heappop(self._heap)
            if callable(due):
                self._now_s = now_s
                due()
            else:
                starting.append(due)
        return np.concatenate(starting) if starting else np.empty(0, dtype=np.int64)

    def finished(self, flows: Ints, now_s: float) -> bool:
        """Note flows that have finished, entering what waited for them; whether a coflow finished with them."""
        self._now_s = now_s
        any_coflow = False
        if self._after_flow:
            for flow in flows.tolist():
                for later in self._after_flow.pop(flow, ()):
                    self._waits_flow[later].discard(flow)
                    if not self._waits_flow[later]:
                        del self._waits_flow[later]
                        delay = self._plan.flows.delay_s.get(later, 0.0)
                        self._start(np.array([later]), now_s + delay)
        rows = self._true_row[flows]
        rows, counts = np.unique(rows[rows >= 0], return_counts=True)
        self._unfinished[rows] -= counts
        for row in rows[self._unfinished[rows] == 0].tolist():
            any_coflow = True
            self._coflow_finished(int(self._plan.coflows.coflow[row]))
        return any_coflow

    def waiting(self) -> dict[int, str]:
        """Flows that wait for others that have not finished -> for what, in words."""
        reasons = {flow: f"flow {min(others)}" for flow, others in self._waits_flow.items()}
        for coflow, others in self._waits_coflow.items():
            for flow in self._with_coflow.get(coflow, ()):
                reasons[flow] = f"coflow {min(others)}"
        return reasons

    def awaited(self) -> Ints:
        """Flows at whose finish something else may start."""
        coflows = [self.coflow_row[coflow] for coflow in self._after_coflow if coflow in self.coflow_row]
        by_coflow = np.flatnonzero(np.isin(self._true_row, np.array(coflows, dtype=np.int64)))
        return np.union1d(by_coflow, np.array(sorted(self._after_flow), dtype=np.int64)).astype(np.int64)

    def coflows_pending(self) -> bool:
        """Whether any flow of a coflow has yet to finish."""
        return bool(self._unfinished.any())

    def abandon(self, flows: Ints) -> None:
        """Note flows that were stopped short: nothing that waits for them will start, and no coflow waits for them."""
        for row in self._true_row[flows][self._true_row[flows] >= 0].tolist():
            self._abandoned.add(row)
            self._unfinished[row] -= 1

    def _admit(self, begin: int) -> None:
        flows = self._plan.flows
        coflow = flows.coflow[begin:]
        for row_id in np.unique(coflow[coflow != NONE]).tolist():
            if row_id not in self.coflow_row:
                flow = begin + int(np.argmax(coflow == row_id))
                raise SimulationError(f"flow {flow} belongs to coflow {row_id}, which the plan does not have")
            mine = begin + np.flatnonzero(coflow == row_id)
            self._true_row[mine] = self.coflow_row[row_id]
        rows = self._true_row[begin:]
        self._unfinished += np.bincount(rows[rows >= 0], minlength=len(self._unfinished))
        for flow in (begin + np.flatnonzero(np.isnan(flows.start_s[begin:]))).tolist():
            if flow in flows.after:
                self._waits_flow[flow] = set(flows.after[flow])
                for other in flows.after[flow]:
                    self._after_flow[other].append(flow)
            elif self._true_row[flow] < 0:
                raise SimulationError(f"flow {flow} has no start: it belongs to no coflow and waits for no flow")
            elif np.isnan(self.coflow_arrival_s[self._true_row[flow]]):
                self._with_coflow[int(flows.coflow[flow])].append(flow)
            else:
                self._start(np.array([flow]), float(self.coflow_arrival_s[self._true_row[flow]]))

    def _enter(self, at_s: float, what: Ints | Callable[[], None]) -> None:
        self._entries += 1
        heapq.heappush(self._heap, (at_s, self._entries, what))

    def _start(self, flows: Ints, at_s: float) -> None:
        self.planned_start_s[flows] = at_s
        self._enter(at_s, flows)

    def _coflow_finished(self, coflow: int) -> None:
        if self.coflow_row[coflow] in self._abandoned:
            return
        for later in self._after_coflow.pop(coflow, ()):
            self._waits_coflow[later].discard(coflow)
            if not self._waits_coflow[later]:
                del self._waits_coflow[later]
                self._arrive(later, self._now_s + self._plan.coflows.delay_s.get(later, 0.0))

    def _arrive(self, coflow: int, at_s: float) -> None:
        row = self.coflow_row[coflow]
        self.coflow_arrival_s[row] = at_s
        starting = self._with_coflow.pop(coflow, [])
        if starting:
            self._start(np.array(starting, dtype=np.int64), at_s)
        if self._unfinished[row] == 0:
            self.call(at_s, partial(self._coflow_finished, coflow))
