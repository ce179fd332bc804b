"""How the ports of a network share their links between priority classes: known before a run starts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from testbed.growth import with_some_flow
from testbed.plan import Plan
from testbed.scheduling.base import Scheduler
from testbed.scheduling.check import decide
from testbed.scheduling.classes import CLASSES, class_weights
from testbed.scheduling.registry import make
from testbed.scheduling.view import ViewBuilder

_ASKED_FLOWS = 20


class Sharing(NamedTuple):
    """The classes of every port."""

    classes: int
    weight: tuple[float, ...] = ()
    """Per class, what it gets of a link in proportion to the others; empty for strict priority, class 0 first."""

    @property
    def words(self) -> str:
        """'one class', '8 classes, strict' or '8 classes, weighted 10:9:8:7:6:5:4:3'."""
        if self.classes == 1:
            return "one class"
        weights = ":".join(f"{weight:g}" for weight in self.weight)
        return f"{self.classes} classes, {f'weighted {weights}' if weights else 'strict'}"


ONE_CLASS = Sharing(1)


def sharing_of(plan: Plan) -> Sharing:
    """What a plan needs of its ports: one class, or with `queue` among its enforcement all of them.

    Strict or by weight is the scheduler's to say. It is asked about the first flows of the plan, as if they had just
    arrived (or about one that could come, where only applications bring any); a scheduler whose weights change later
    cannot be enforced by queues.
    """
    if "queue" not in plan.enforcement:
        return ONE_CLASS
    scheduler = make(plan.scheduler.name, plan.scheduler.parameters)
    return Sharing(CLASSES, _weights(plan, scheduler))


def _weights(plan: Plan, scheduler: Scheduler) -> tuple[float, ...]:
    plan = with_some_flow(plan) if plan.applications.programs else plan
    views = ViewBuilder(plan, scheduler)
    first = np.flatnonzero(views.label_row >= 0)[:_ASKED_FLOWS]
    if not len(first):
        return ()
    arrival_s = np.nan_to_num(plan.coflows.arrival_s)
    begun = np.zeros(len(plan.flows), dtype=np.bool_)
    begun[first] = True
    now_s = float(arrival_s[views.label_row[first]].max())
    view = views.build(now_s, first, np.zeros(len(plan.flows)), begun, arrival_s)
    weight = class_weights(decide(scheduler, view).queue_weight)
    return () if weight is None else tuple(weight.tolist())
