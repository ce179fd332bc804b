"""What the simulator's inner loop keeps about the blocks of flows from event to event."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import Floats, Ints
from testbed.scheduling.blocks import Blocks, Hops, enter, strike
from testbed.scheduling.compiled import inlined, kernel, vector_kernel

DONE = 1e-10
"""A flow of which no more than this share is left has finished: flows that end together do so in one event."""
CLOCK = 8 * float(np.finfo(np.float64).eps)
"""Resolution of the clock, relative to now: what would take less than this is done now."""
CHUNK = 256
"""Flows looked through together for one that has finished."""
REBUILD = 8
"""A block's lists and loads are made anew when one in so many of its flows has gone since they last were."""


class State(NamedTuple):
    """Per block, unless said otherwise. A block is brought up to date only when something changes its rates."""

    flows_s: Floats
    """Instant as of which the remaining bytes of its flows stand."""
    links_s: Floats
    """Instant as of which the loads of its links, and the received bytes, stand."""
    next_s: Floats
    """Instant of its next completion at the current rates; NaN where that has to be found again."""
    total: Floats
    """Sum of its rates, where the order is by received bytes; else 0."""
    received: Floats
    drained: NDArray[np.bool_]
    """Whether the blocks' `drain` is true, so that loads follow from it; if not they are summed anew."""
    idle: NDArray[np.bool_]
    """Whether all its rates are 0."""
    unseen: Ints
    """How many of its flows have yet to receive a first byte."""
    gone: Ints
    """Flows that have gone since its lists were made."""
    finish_s: Floats
    """Per flow."""
    first_byte_s: Floats
    """Per flow."""
    finished: Ints
    """Flows that have finished, in order; finished_count[0] of them."""
    finished_count: Ints


def make_state(n_blocks: int, finish_s: Floats, first_byte_s: Floats) -> State:
    """Nothing has started; `finish_s` and `first_byte_s` (per flow) are written to."""
    return State(
        flows_s=np.zeros(n_blocks),
        links_s=np.zeros(n_blocks),
        next_s=np.full(n_blocks, np.inf),
        total=np.zeros(n_blocks),
        received=np.zeros(n_blocks),
        drained=np.ones(n_blocks, dtype=np.bool_),
        idle=np.ones(n_blocks, dtype=np.bool_),
        unseen=np.zeros(n_blocks, dtype=np.int64),
        gone=np.zeros(n_blocks, dtype=np.int64),
        finish_s=finish_s,
        first_byte_s=first_byte_s,
        finished=np.zeros(len(finish_s), dtype=np.int64),
        finished_count=np.zeros(1, dtype=np.int64),
    )


@kernel
def admit(
    b: Blocks, st: State, c: int, flows: Ints, home: Ints, hop: Hops, size: Floats, now_s: float, n_links: int
) -> None:
    """Start flows of block c. `home` is per flow its place in the layout of all flows; `hop` and `size`, per place."""
    bring_flows(b, st, c, now_s)
    bring_links(b, st, c, now_s)
    at = b.begin[c] + b.live[c]
    for flow in flows:
        place = home[flow]
        b.flow[at] = flow
        for k in range(hop.shape[0]):
            b.hop[k, at] = hop[k, place]
        b.size[at] = size[place]
        b.remaining[at] = size[place]
        b.rate[at] = 0.0
        at += 1
    enter(b, c, at - b.begin[c], n_links)
    st.gone[c] = 0
    st.unseen[c] += len(flows)
    st.next_s[c] = np.nan


@kernel
def _copy(b: Blocks, source: int, target: int) -> None:
    b.flow[target] = b.flow[source]
    for k in range(b.hop.shape[0]):
        b.hop[k, target] = b.hop[k, source]
    b.size[target] = b.size[source]
    b.remaining[target] = b.remaining[source]
    b.rate[target] = b.rate[source]


@vector_kernel
def _drain(remaining: Floats, rate: Floats, begin: int, end: int, elapsed_s: float) -> None:
    for p in range(begin, end):
        remaining[p] -= rate[p] * elapsed_s


@kernel
def bring_flows(b: Blocks, st: State, c: int, now_s: float) -> None:
    """Bring the remaining bytes of block c's flows up to now."""
    if not st.idle[c] and now_s > st.flows_s[c]:
        _drain(b.remaining, b.rate, b.begin[c], b.begin[c] + b.live[c], now_s - st.flows_s[c])
    st.flows_s[c] = now_s


@inlined
def bring_links(b: Blocks, st: State, c: int, now_s: float) -> None:
    """Bring the loads of block c's links, and its received bytes, up to now."""
    elapsed_s = now_s - st.links_s[c]
    if elapsed_s > 0.0 and st.drained[c]:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            b.load[slot] = max(b.load[slot] - b.drain[slot] * elapsed_s, 0.0)
    if elapsed_s > 0.0 and not st.drained[c]:
        _sum_loads(b, st, c, now_s)
    st.received[c] += st.total[c] * elapsed_s
    st.links_s[c] = now_s


@kernel
def _sum_loads(b: Blocks, st: State, c: int, now_s: float) -> None:
    """Find the loads of block c's links from its flows."""
    bring_flows(b, st, c, now_s)
    lo, hi = b.slot_begin[c], b.slot_begin[c + 1] - 1
    b.load[lo:hi] = 0.0
    for p in range(b.begin[c], b.begin[c] + b.live[c]):
        for k in range(b.hop.shape[0]):
            slot = lo + b.hop[k, p]
            if slot < hi:
                b.load[slot] += b.remaining[p]


@vector_kernel
def _drain_and_count(
    remaining: Floats, rate: Floats, size: Floats, begin: int, end: int, elapsed_s: float, instant_s: float
) -> int:
    """Take off what was received, and count the flows that have finished: nothing left but for rounding."""
    done = 0
    for p in range(begin, end):
        left = remaining[p] - rate[p] * elapsed_s
        remaining[p] = left
        done += 1 if left <= max(size[p] * DONE, rate[p] * instant_s) else 0
    return done


@kernel
def retire(b: Blocks, st: State, c: int, now_s: float, watched: NDArray[np.bool_], n_links: int) -> bool:
    """Take out the flows of block c that have finished by now; whether one of them is watched.

    The last flow in use takes the place of one that goes.
    """
    bring_links(b, st, c, now_s)
    elapsed_s = now_s - st.flows_s[c]
    st.flows_s[c] = now_s
    st.next_s[c] = np.nan
    begin = b.begin[c]
    instant_s = now_s * CLOCK
    seen = False
    first_gone = st.gone[c]
    chunk = begin + (b.live[c] - 1) // CHUNK * CHUNK
    while chunk >= begin:  # from the end, so that what takes a place has been looked at
        end = min(chunk + CHUNK, begin + b.live[c])
        n_done = _drain_and_count(b.remaining, b.rate, b.size, chunk, end, elapsed_s, instant_s)
        p = end - 1
        while n_done > 0:
            if b.remaining[p] <= max(b.size[p] * DONE, b.rate[p] * instant_s):
                flow = b.flow[p]
                st.finish_s[flow] = now_s
                st.finished[st.finished_count[0]] = flow
                st.finished_count[0] += 1
                seen |= watched[flow]
                strike(b, c, p, n_links)
                b.live[c] -= 1
                _copy(b, begin + b.live[c], p)
                st.gone[c] += 1
                n_done -= 1
            p -= 1
        chunk -= CHUNK
    if st.gone[c] > first_gone and st.gone[c] * REBUILD > b.live[c]:
        enter(b, c, b.live[c], n_links)
        st.gone[c] = 0
    return seen
