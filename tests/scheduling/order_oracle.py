"""The best order of coflows of a small plan, by trying all: an oracle for order-based schedulers."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from variant_plans import ccts

from testbed.plan import Plan
from testbed.scheduling.base import Allocation, Scheduler, View
from testbed.scheduling.filling import greedy_rates, ordered
from testbed.simulation.engine import simulate


class InOrder(Scheduler):
    """Greedy in a given order of coflow ids, from beginning to end."""

    name = "in-order"

    def __init__(self, ids: tuple[int, ...]) -> None:
        self.rank = {id_: place for place, id_ in enumerate(ids)}

    def allocate(self, view: View) -> Allocation:
        order = np.argsort([self.rank[id_] for id_ in view.coflow.tolist()])
        return ordered(view, order, greedy_rates(view, order))


def weighted_sum_s(plan: Plan, scheduler: Scheduler | None = None) -> float:
    """Sum over the coflows of weight times CCT, under the plan's scheduler or another one."""
    found = ccts(plan, simulate(plan, scheduler=scheduler).finish_s)
    weight = dict(zip(plan.coflows.coflow.tolist(), plan.coflows.weight.tolist(), strict=True))
    return sum(weight[id_] * cct_s for id_, cct_s in found.items())


def best_order(plan: Plan) -> tuple[float, tuple[int, ...]]:
    """The least weighted sum of CCTs over all orders, greedy rates in each, and the first order that has it."""
    return min((weighted_sum_s(plan, InOrder(ids)), ids) for ids in permutations(plan.coflows.coflow.tolist()))
