"""For schedulers written in plain Python: from a view and an order of coflows to rates, and to an allocation."""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling import rates
from testbed.scheduling.base import Allocation, View
from testbed.scheduling.blocks import Blocks, make_scratch
from testbed.scheduling.composed import blocks_of, rates_of


def greedy_rates(view: View, order: Ints) -> Floats:
    """Per flow row: coflow by coflow in order, max-min inside a coflow on what is still free; 0 without a label."""
    b = blocks_of(view, clairvoyant=False, everyone=False)
    free, scratch = rates.spare(view.capacity_Bps), make_scratch(len(view.capacity_Bps), len(b.link))
    rates.greedy(b, order, free, view.capacity_Bps, scratch)
    return _per_row(view, b)


def madd_rates(view: View, order: Ints, backfill: bool = True) -> Floats:
    """Per flow row: MADD coflow by coflow in order, skipping those with a full link; then the backfill, greedily."""
    b = blocks_of(view, clairvoyant=True, everyone=False)
    free, scratch = rates.spare(view.capacity_Bps), make_scratch(len(view.capacity_Bps), len(b.link))
    rates.madd(b, order, free, view.capacity_Bps)
    if backfill:
        rates.greedy(b, order, free, view.capacity_Bps, scratch)
    return _per_row(view, b)


def coflow_gammas(view: View) -> Floats:
    """Per coflow row: Gamma of the bytes that are left, on the empty fabric (seconds)."""
    b = blocks_of(view, clairvoyant=True, everyone=False)
    return np.array([rates.bottleneck(b, c, view.capacity_Bps) for c in range(len(view.coflow))])


def ordered(view: View, order: Ints, rate: Floats) -> Allocation:
    """Labelled flows are capped at `rate` and classed by their coflow's rank; the others are left alone, in class 0."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    labelled = slice(0, view.labelled)
    queue = np.zeros(len(view.flow), dtype=np.int64)
    queue[labelled] = rank[view.flow_coflow[labelled]]
    cap = np.full(len(view.flow), np.inf)
    cap[labelled] = rate[labelled]
    return Allocation(cap_Bps=cap, queue=queue, order=order)


def _per_row(view: View, b: Blocks) -> Floats:
    rate = np.zeros(len(view.flow))
    rate[: view.labelled] = rates_of(b)
    return rate
