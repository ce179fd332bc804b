"""From the paces and levels that the rules have set to rates of flows, and to the instant of the next completion."""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats
from testbed.scheduling.blocks import Blocks
from testbed.scheduling.compiled import inlined, kernel, vector_kernel
from testbed.simulation.inner_state import State, bring_flows

NEVER_S = 1e250
"""Longer than anything takes: what dividing by a rate of 0 gives, which the loops below put at 1e-300."""


@vector_kernel
def _sum(values: Floats, begin: int, end: int) -> float:
    total = 0.0
    for p in range(begin, end):
        total += values[p]
    return total


@vector_kernel
def _soonest(remaining: Floats, rate: Floats, begin: int, end: int) -> float:
    soonest = np.inf
    for p in range(begin, end):
        soonest = min(soonest, remaining[p] / max(rate[p], 1e-300))
    return soonest


@vector_kernel
def _rate_two_hops(b: Blocks, c: int, elapsed_s: float) -> float:
    begin, end, lo, hi = b.begin[c], b.begin[c] + b.live[c], b.slot_begin[c], b.slot_begin[c + 1]
    remaining, rate = b.remaining, b.rate
    first, second = b.hop[0], b.hop[1]
    level, pace = b.level[0, lo:hi], b.pace[c]
    soonest = np.inf
    for p in range(begin, end):
        left = remaining[p] - rate[p] * elapsed_s
        new = min(level[first[p]], level[second[p]]) + pace * left
        remaining[p] = left
        rate[p] = new
        soonest = min(soonest, left / max(new, 1e-300))
    return soonest


@vector_kernel
def _rate_two_hops_twice(b: Blocks, c: int, elapsed_s: float) -> float:
    begin, end, lo, hi = b.begin[c], b.begin[c] + b.live[c], b.slot_begin[c], b.slot_begin[c + 1]
    remaining, rate = b.remaining, b.rate
    first, second = b.hop[0], b.hop[1]
    one, two, pace = b.level[0, lo:hi], b.level[1, lo:hi], b.pace[c]
    soonest = np.inf
    for p in range(begin, end):
        left = remaining[p] - rate[p] * elapsed_s
        new = min(one[first[p]], one[second[p]]) + min(two[first[p]], two[second[p]]) + pace * left
        remaining[p] = left
        rate[p] = new
        soonest = min(soonest, left / max(new, 1e-300))
    return soonest


@vector_kernel
def _rate_any_hops(b: Blocks, c: int, elapsed_s: float) -> float:
    begin, end, lo, hi = b.begin[c], b.begin[c] + b.live[c], b.slot_begin[c], b.slot_begin[c + 1]
    remaining, rate = b.remaining, b.rate
    one, two, pace = b.level[0, lo:hi], b.level[1, lo:hi], b.pace[c]
    soonest = np.inf
    for p in range(begin, end):
        left = remaining[p] - rate[p] * elapsed_s
        least, more = np.inf, np.inf
        for k in range(b.hop.shape[0]):
            least = min(least, one[b.hop[k, p]])
            more = min(more, two[b.hop[k, p]])
        new = least + more + pace * left
        remaining[p] = left
        rate[p] = new
        soonest = min(soonest, left / max(new, 1e-300))
    return soonest


@kernel
def _rate(b: Blocks, c: int, elapsed_s: float) -> float:
    """Bring the flows up to date and give them new rates, in one pass; returns the time to the next completion."""
    if b.hop.shape[0] > 2:
        return _rate_any_hops(b, c, elapsed_s)
    if b.moving[1, c]:
        return _rate_two_hops_twice(b, c, elapsed_s)
    return _rate_two_hops(b, c, elapsed_s)


@kernel
def _instant(now_s: float, in_s: float) -> float:
    """The instant of the next completion; inf where none of the flows moves."""
    return np.inf if in_s > NEVER_S else now_s + in_s


@inlined
def set_new_rates(b: Blocks, st: State, c: int, now_s: float, total: bool) -> None:
    """Turn block c's pace and levels into rates, from now on, where they have changed; find its next completion.

    `total`: whether the sum of its rates is wanted too.
    """
    if b.stale[c]:
        b.stale[c] = False
        if b.pace[c] > 0.0 or b.moving[0, c] or b.moving[1, c] or not st.idle[c]:
            _set_new_rates(b, st, c, now_s, total)
    if np.isnan(st.next_s[c]):
        find_next(b, st, c, now_s, total)


@kernel
def _set_new_rates(b: Blocks, st: State, c: int, now_s: float, total: bool) -> None:
    st.next_s[c] = _instant(now_s, _rate(b, c, now_s - st.flows_s[c]))
    st.flows_s[c] = now_s
    if total:
        st.total[c] = _sum(b.rate, b.begin[c], b.begin[c] + b.live[c])
    st.idle[c] = not (b.pace[c] > 0.0 or b.moving[0, c] or b.moving[1, c])
    if st.unseen[c] > 0 and not st.idle[c]:
        _note_first_bytes(b, st, c, now_s)


@kernel
def find_next(b: Blocks, st: State, c: int, now_s: float, total: bool) -> None:
    """Find block c's next completion at unchanged rates."""
    bring_flows(b, st, c, now_s)
    begin, end = b.begin[c], b.begin[c] + b.live[c]
    st.next_s[c] = np.inf if st.idle[c] else _instant(now_s, _soonest(b.remaining, b.rate, begin, end))
    if total:
        st.total[c] = _sum(b.rate, begin, end)


@kernel
def _note_first_bytes(b: Blocks, st: State, c: int, now_s: float) -> None:
    for p in range(b.begin[c], b.begin[c] + b.live[c]):
        if b.rate[p] > 0.0 and np.isnan(st.first_byte_s[b.flow[p]]):
            st.first_byte_s[b.flow[p]] = now_s
            st.unseen[c] -= 1
