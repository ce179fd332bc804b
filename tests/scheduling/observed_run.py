"""A simulated run of which every decision is kept, with the rates that the network made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from testbed.coflow import Floats
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.scheduling import registry
from testbed.scheduling.base import Allocation, Scheduler, View
from testbed.scheduling.classes import classes
from testbed.simulation.engine import simulate
from testbed.simulation.network import carries_caps, carries_classes, resulting_rates


class Watched(Scheduler):
    """A scheduler that keeps what it was shown and what it answered."""

    def __init__(self, inner: Scheduler) -> None:
        self.inner = inner
        self.name = inner.name
        self.clairvoyant = inner.clairvoyant
        self.sync_s = inner.sync_s
        self.minimum_size = inner.minimum_size
        self.decisions: list[tuple[View, Allocation]] = []

    def allocate(self, view: View) -> Allocation:
        allocation = self.inner.allocate(view)
        self.decisions.append((view, allocation))
        return allocation


@dataclass(frozen=True)
class Moment:
    """One decision: its view, its allocation, and the rate of each flow row until the next."""

    view: View
    allocation: Allocation
    rate: Floats

    def link_rates(self) -> Floats:
        """Sum of the rates per link."""
        hops = np.diff(self.view.path_ptr)
        n_links = len(self.view.capacity_Bps)
        return np.bincount(self.view.path_links, np.repeat(self.rate, hops), minlength=n_links).astype(np.float64)


@dataclass(frozen=True)
class ObservedRun:
    """A run of the plain event loop."""

    plan: Plan
    outcome: Outcome
    moments: list[Moment]

    def delivered(self) -> Floats:
        """Bytes per flow: the integral of its rate, from decision to decision, or to its end."""
        total = np.zeros(len(self.plan.flows))
        ends = [moment.view.now_s for moment in self.moments[1:]] + [np.inf]
        for moment, end_s in zip(self.moments, ends, strict=True):
            until_s = np.minimum(end_s, self.outcome.finish_s[moment.view.flow])
            total[moment.view.flow] += moment.rate * (until_s - moment.view.now_s)
        return total


def observe(plan: Plan) -> ObservedRun:
    """Simulate the plan, event by event, and work out the resulting rates of every decision again."""
    watched = Watched(registry.make(plan.scheduler.name, plan.scheduler.parameters))
    outcome = simulate(plan, scheduler=watched, compiled=False)
    moments = [Moment(view, allocation, _rates(plan, view, allocation)) for view, allocation in watched.decisions]
    return ObservedRun(plan, outcome, moments)


def _rates(plan: Plan, view: View, allocation: Allocation) -> Floats:
    folded = (
        classes(view, allocation, plan.unlabelled_class, plan.flows.coflow[view.flow])
        if carries_classes(plan.enforcement)
        else None
    )
    caps = allocation.cap_Bps if carries_caps(plan.enforcement) else None
    return resulting_rates(view.path_ptr, view.path_links, view.capacity_Bps, caps, folded)
