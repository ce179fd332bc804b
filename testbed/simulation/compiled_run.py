"""What runs with a compiled inner loop have in common: Python starts the flows, the loop does the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.outcome import Outcome, empty_outcome
from testbed.plan import Plan
from testbed.scheduling.base import Scheduler
from testbed.scheduling.view import ViewBuilder
from testbed.simulation.closing import close, refuse_to_stall
from testbed.simulation.timeline import Timeline


class CompiledRun(ABC):
    """One run, from start to start.

    Flows have a *home*: their place in the order of (coflow, source, destination, id) of all the plan's flows. What
    is done flow by flow is done in that order, so that the input's order changes nothing.
    """

    def __init__(self, plan: Plan, scheduler: Scheduler, resolution_s: float) -> None:
        self.plan = plan
        self.scheduler = scheduler
        self.now_s = 0.0
        self._resolution_s = resolution_s
        self._outcome = empty_outcome(plan, "simulation")
        self._timeline = Timeline(plan)
        self._views = ViewBuilder(plan, scheduler)
        self._row = self._views.label_row
        flows, rows = plan.flows, plan.coflows
        rank = np.empty(len(rows), dtype=np.int64)
        rank[np.lexsort((rows.coflow, rows.arrival_s))] = np.arange(len(rows))
        self._layout: Ints = np.lexsort((np.arange(len(flows)), flows.dst, flows.src, rank[self._row]))
        self._home = np.empty(len(flows), dtype=np.int64)
        self._home[self._layout] = np.arange(len(flows))
        self._watched = np.zeros(len(flows), dtype=np.bool_)
        self._watched[self._timeline.awaited()] = True
        self._noted = 0

    def run(self) -> Outcome:
        """Go from start to start until nothing is left to do."""
        timeline = self._timeline
        while True:
            flows = self._starting(timeline.due(self.now_s))
            if len(flows):
                self._start(flows)
            until_s = timeline.next_s()
            if not self._run_until(until_s) and timeline.next_s() == np.inf:
                break
        stuck = self._unfinished()
        if len(stuck):
            refuse_to_stall(self.scheduler, self.now_s, np.sort(stuck))
        received: Floats = np.where(np.isnan(self._outcome.finish_s), 0.0, self.plan.flows.bytes)
        return close(self._outcome, timeline, received, self._resolution_s, {**self._facts(), "end_s": self.now_s})

    @abstractmethod
    def _start(self, flows: Ints) -> None:
        """Take in flows, by home, at `now_s`."""

    @abstractmethod
    def _run_until(self, until_s: float) -> bool:
        """Run the loop up to an instant, or less; false when nothing moves any more. Sets `now_s`."""

    @abstractmethod
    def _unfinished(self) -> Ints:
        """Flows in progress."""

    @abstractmethod
    def _facts(self) -> dict[str, Any]:
        """Events and decisions, for the outcome."""

    def _starting(self, flows: Ints) -> Ints:
        """Note the start of flows; those of no bytes finish at once, the others are returned by home."""
        if not len(flows):
            return flows
        self._outcome.start_s[flows] = self.now_s
        empty = self.plan.flows.bytes[flows] == 0
        done = flows[empty]
        if len(done):
            self._outcome.finish_s[done] = self._outcome.first_byte_s[done] = self.now_s
            self._timeline.finished(done, self.now_s)
        flows = flows[~empty]
        return flows[np.argsort(self._home[flows])]

    def _note_finished(self, finished: Ints) -> None:
        """Tell the timeline of flows that have finished since it was last told; `finished` lists all so far."""
        if len(finished) > self._noted:
            self._timeline.finished(finished[self._noted :], self.now_s)
            self._noted = len(finished)
