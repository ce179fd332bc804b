"""SRPT: flows, not coflows, by remaining bytes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.errors import SchedulerError
from testbed.scheduling.base import Allocation, Scheduler, View
from testbed.scheduling.compiled import kernel
from testbed.scheduling.max_min import FULL
from testbed.scheduling.orders import rounded


class Srpt(Scheduler):
    """Shortest remaining first: each flow in turn takes the smallest free end of its path.

    Ties fall to (arrival, coflow id, source, destination, flow id). A flow's class is its rank; coflows are ordered
    by their first flow.
    """

    name: ClassVar[str] = "srpt"

    def allocate(self, view: View) -> Allocation:
        """Order the labelled flows by remaining bytes, and serve them one by one."""
        if view.remaining is None:
            raise SchedulerError("scheduler srpt: the view holds no remaining bytes; it was made for another scheduler")
        n = view.labelled
        by_remaining: Ints = np.argsort(_rounded(view.remaining[:n]), kind="stable")
        cap = np.full(len(view.flow), np.inf)
        cap[:n] = 0.0
        one_by_one(view.path_ptr, view.path_links, by_remaining, view.capacity_Bps, cap)
        queue = np.zeros(len(view.flow), dtype=np.int64)
        queue[by_remaining] = np.arange(n)
        first = np.full(len(view.coflow), n, dtype=np.int64)
        np.minimum.at(first, view.flow_coflow[:n], queue[:n])
        return Allocation(cap_Bps=cap, queue=queue, order=np.argsort(first, kind="stable"))


@kernel
def one_by_one(path_ptr: Ints, path_links: Ints, order: Ints, capacity: Floats, rate: Floats) -> None:
    """Set the rates of flows in `order`: each takes the smallest capacity still free on its path."""
    free = capacity.copy()
    for f in order:
        least = np.inf
        for k in range(path_ptr[f], path_ptr[f + 1]):
            least = min(least, free[path_links[k]])
        rate[f] = least
        if least <= 0.0:
            continue
        for k in range(path_ptr[f], path_ptr[f + 1]):
            link = path_links[k]
            free[link] -= least
            if free[link] <= FULL * capacity[link]:
                free[link] = 0.0


@kernel
def _rounded(remaining: Floats) -> Floats:
    keys = np.empty(len(remaining), np.float64)
    for f in range(len(remaining)):
        keys[f] = rounded(remaining[f])
    return keys
