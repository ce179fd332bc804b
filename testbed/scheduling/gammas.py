"""Gamma of a plan's coflows: the least time in which each could end, alone on the empty fabric."""

from __future__ import annotations

import numpy as np

from testbed.coflow import NONE, Floats, Ints
from testbed.plan import Plan
from testbed.scheduling.blocks import Blocks, enter, make_blocks
from testbed.scheduling.compiled import kernel
from testbed.scheduling.rates import bottleneck


def lone_gammas(plan: Plan) -> Floats:
    """Per row of plan.coflows: Gamma of all its true flows, alone on the empty fabric (seconds).

    A coflow without flows has 0; one that crosses a link without capacity has inf.
    """
    return gammas_by_id(plan, plan.flows.coflow)


def gammas_by_id(plan: Plan, owner: Ints) -> Floats:
    """Per row of plan.coflows: Gamma of the flows whose `owner` (a coflow id per flow, or NONE) it is."""
    rank = np.argsort(plan.coflows.coflow, kind="stable")
    ids = plan.coflows.coflow[rank]
    mine = np.flatnonzero(np.isin(owner, ids) & (owner != NONE))
    row = rank[np.searchsorted(ids, owner[mine])]
    flow = mine[np.argsort(row, kind="stable")]
    begin = np.zeros(len(ids) + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=len(ids)), out=begin[1:])
    size = plan.flows.bytes[flow].astype(np.float64)
    capacity = plan.fabric.capacity_Bps
    b = make_blocks(plan.flows.path_ptr, plan.flows.path_links, flow, begin, size, size, len(capacity))
    return _all_gammas(b, capacity)


@kernel
def _all_gammas(b: Blocks, capacity: Floats) -> Floats:
    gammas = np.empty(len(b.begin) - 1, np.float64)
    for c in range(len(gammas)):
        enter(b, c, b.begin[c + 1] - b.begin[c], len(capacity))
        gammas[c] = bottleneck(b, c, capacity)
    return gammas
