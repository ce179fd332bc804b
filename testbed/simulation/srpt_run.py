"""Runs of SRPT over its own compiled loop, for fabrics whose links are all alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from testbed.coflow import Ints
from testbed.plan import Plan
from testbed.scheduling.base import Scheduler
from testbed.scheduling.srpt import Srpt
from testbed.scheduling.view import gather_paths
from testbed.simulation.compiled_run import CompiledRun
from testbed.simulation.composed_run import all_registered
from testbed.simulation.network import carries_caps
from testbed.simulation.srpt_loop import serve_until, start
from testbed.simulation.srpt_queues import make_queues

FEWEST_FLOWS = 1000
"""A smaller plan is run by the plain engine, which also records what was decided."""


def serves(plan: Plan, scheduler: Scheduler) -> bool:
    """Whether this loop can run the plan: SRPT, every flow registered, caps hold, and all links have one capacity."""
    capacity = plan.fabric.capacity_Bps
    return (
        type(scheduler) is Srpt
        and len(plan.flows) >= FEWEST_FLOWS
        and all_registered(plan, scheduler)
        and carries_caps(plan.enforcement)
        and bool((capacity == capacity[0]).all() and capacity[0] > 0)
        and not np.isnan(plan.coflows.arrival_s).any()
    )


class SrptRun(CompiledRun):
    """One run: a list of waiting flows per link."""

    def __init__(self, plan: Plan, scheduler: Scheduler, resolution_s: float) -> None:
        super().__init__(plan, scheduler, resolution_s)
        path_ptr, path_links = gather_paths(plan.flows.path_ptr, plan.flows.path_links, self._layout)
        size = plan.flows.bytes[self._layout].astype(np.float64)
        self._queues = make_queues(path_ptr, path_links, size, len(plan.fabric.links))
        self._watched_homes = self._watched[self._layout]
        self._capacity_Bps = float(plan.fabric.capacity_Bps[0])
        self._allocate_at_s = -np.inf
        self._pending = False
        self._events = self._decisions = 0

    def _start(self, flows: Ints) -> None:
        start(self._queues, self._home[flows])
        self._pending = True

    def _run_until(self, until_s: float) -> bool:
        q = self._queues
        self.now_s, self._allocate_at_s, self._pending, seen, events, decisions = serve_until(
            q,
            self._capacity_Bps,
            self.now_s,
            until_s,
            self._resolution_s,
            self._allocate_at_s,
            self._pending,
            self._watched_homes,
        )
        self._events += events
        self._decisions += decisions
        self._note_finished(self._layout[q.finished[: q.finished_count[0]]])
        return bool(seen or until_s < np.inf)

    def _unfinished(self) -> Ints:
        q, outcome = self._queues, self._outcome
        outcome.finish_s[self._layout] = np.where(np.isnan(q.finish_s), outcome.finish_s[self._layout], q.finish_s)
        first = np.where(np.isnan(q.first_byte_s), outcome.first_byte_s[self._layout], q.first_byte_s)
        outcome.first_byte_s[self._layout] = first
        return np.flatnonzero(~np.isnan(outcome.start_s) & np.isnan(outcome.finish_s))

    def _facts(self) -> dict[str, Any]:
        return {"events": self._events, "decisions": self._decisions}
