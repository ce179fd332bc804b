"""The rate computations that schedulers share, written once, over links: MADD, greedy, backfill, shares, Gamma.

All work on blocks (one per coflow) and on `free`, the capacity still free per link, which every rule lowers, so that
rules follow one another: MADD, then the backfill. A big switch is two links per flow, a fat-tree the real path.
What a rule decides stands in the blocks' `pace` and `level`; see testbed.scheduling.blocks for the rates they mean.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.blocks import Blocks, Scratch
from testbed.scheduling.compiled import inlined, kernel
from testbed.scheduling.max_min import FULL, fill


@kernel
def spare(capacity: Floats) -> Floats:
    """All of the capacity, free: per link, and one more item, without bound, for a hop that is none."""
    free = np.empty(len(capacity) + 1, np.float64)
    free[:-1] = capacity
    free[-1] = np.inf
    return free


@inlined
def bottleneck(b: Blocks, c: int, free: Floats) -> float:
    """Gamma of block c on what is free: the least time in which all its flows can end, the largest load / free.

    Infinite where a link with bytes to carry is full; a link with no bytes left to carry does not count.
    """
    longest = 0.0
    for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
        if b.load[slot] > 0.0:
            if free[b.link[slot]] <= 0.0:
                return np.inf
            longest = max(longest, b.load[slot] / free[b.link[slot]])
    return longest


@inlined
def set_pace(b: Blocks, c: int, pace: float) -> None:
    """Set block c's pace; what its links carry starts from it, fillings add to that."""
    if pace > 0.0 or b.pace[c] > 0.0:
        b.stale[c] = True
    b.pace[c] = pace
    for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
        b.drain[slot] = pace * b.load[slot]


@kernel
def madd(b: Blocks, order: Ints, free: Floats, capacity: Floats) -> None:
    """Coflow by coflow in `order`: all flows end together, at Gamma of what is free, so each has remaining / Gamma.

    A coflow one of whose links is full gets nothing.
    """
    for c in order:
        longest = bottleneck(b, c, free)
        if longest == np.inf or longest == 0.0:
            set_pace(b, c, 0.0)
            continue
        set_pace(b, c, 1.0 / longest)
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            _take(b.load[slot] / longest, b.link[slot], free, capacity)


@inlined
def _take(rate: float, link: int, free: Floats, capacity: Floats) -> None:
    free[link] -= rate
    if free[link] <= FULL * capacity[link]:
        free[link] = 0.0


@kernel
def madd_together(b: Blocks, members: Ints, free: Floats, capacity: Floats) -> None:
    """MADD for all members as if they were one coflow."""
    load = np.zeros(len(capacity), np.float64)
    for c in members:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            load[b.link[slot]] += b.load[slot]
    longest = 0.0
    for g in range(len(capacity)):
        if load[g] > 0.0:
            longest = max(longest, load[g] / free[g] if free[g] > 0.0 else np.inf)
    for c in members:
        set_pace(b, c, 1.0 / longest if 0.0 < longest < np.inf else 0.0)
    if 0.0 < longest < np.inf:
        for g in range(len(capacity)):
            _take(load[g] / longest, g, free, capacity)


@kernel
def madd_in_shares(b: Blocks, members: Ints, weight: Floats, free: Floats, capacity: Floats) -> None:
    """MADD for every coflow inside its share of each link: its weight over that of all coflows with bytes there."""
    total = np.zeros(len(capacity), np.float64)
    for c in members:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            if b.load[slot] > 0.0:
                total[b.link[slot]] += weight[c]
    whole = free.copy()
    for c in members:
        longest = 0.0
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            if b.load[slot] > 0.0:
                share = whole[b.link[slot]] * weight[c] / total[b.link[slot]]
                longest = max(longest, b.load[slot] / share if share > 0.0 else np.inf)
        pace = 1.0 / longest if 0.0 < longest < np.inf else 0.0
        set_pace(b, c, pace)
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            _take(pace * b.load[slot], b.link[slot], free, capacity)


@kernel
def greedy(b: Blocks, order: Ints, free: Floats, capacity: Floats, s: Scratch) -> None:
    """Coflow by coflow in `order`: max-min over its flows on what is still free. After MADD, this is the backfill.

    A block whose flows are the same as when it was last filled, and which finds the same capacity free on its
    links, gets the same answer without any work.
    """
    for i in range(len(order)):
        c = order[i]
        same = not b.fresh[c]
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            if free[b.link[slot]] != b.before[slot]:
                same = False
                b.before[slot] = free[b.link[slot]]
        if same:
            for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
                b.drain[slot] += max(free[b.link[slot]] - b.after[slot], 0.0)
                free[b.link[slot]] = b.after[slot]
            continue
        fill(b, order[i : i + 1], 0, free, capacity, s)
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            b.after[slot] = free[b.link[slot]]
        b.fresh[c] = False


@kernel
def greedy_in_shares(
    b: Blocks, order: Ints, queue: Ints, weight: Floats, free: Floats, capacity: Floats, s: Scratch
) -> None:
    """Greedy inside each queue's weighted share of every link; then the rest, queue by queue, max-min per flow.

    `order` lists coflows queue by queue; `queue` is per block. A queue's share of a link is its weight over that
    of all queues with flows there.
    """
    n_queues = len(weight)
    begin = np.zeros(n_queues + 1, np.int64)
    for c in order:
        begin[queue[c] + 1] += 1
    for q in range(n_queues):
        begin[q + 1] += begin[q]
    holder = np.full(len(capacity), -1, np.int64)  # the last queue counted there
    total = np.zeros(len(capacity), np.float64)
    for c in order:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            g = b.link[slot]
            if b.users[slot] > 0 and holder[g] != queue[c]:
                holder[g] = queue[c]
                total[g] += weight[queue[c]]
    left = free.copy()
    for q in range(n_queues):
        members = order[begin[q] : begin[q + 1]]
        if len(members) == 0:
            continue
        share = free.copy()
        for g in range(len(capacity)):
            share[g] = free[g] * weight[q] / total[g] if total[g] > 0.0 else 0.0
        whole = share.copy()
        greedy(b, members, share, capacity, s)
        for c in members:
            for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
                g = b.link[slot]
                left[g] -= whole[g] - share[g]
                whole[g] = share[g]
    for g in range(len(capacity)):
        free[g] = 0.0 if left[g] <= FULL * capacity[g] else left[g]
    for q in range(n_queues):
        members = order[begin[q] : begin[q + 1]]
        if len(members) > 0:
            fill(b, members, 1, free, capacity, s)


@kernel
def split_equally(b: Blocks, members: Ints, capacity: Floats) -> None:
    """Every flow gets the least over its links of capacity / flows there; what that leaves is not handed out."""
    count = np.zeros(len(capacity), np.float64)
    for c in members:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            count[b.link[slot]] += b.users[slot]
    for c in members:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            g = b.link[slot]
            level = capacity[g] / max(count[g], 1.0)
            if level != b.level[0, slot]:
                b.level[0, slot] = level
                b.stale[c] = True
        b.moving[0, c] = True
