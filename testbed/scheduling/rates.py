"""The rate computations that schedulers share, written once, over links: max-min, MADD, greedy, backfill, Gamma.

All work on blocks (one per coflow) and on `free`, the capacity still free per link, which every rule lowers, so that
rules follow one another: MADD, then the backfill. A big switch is two links per flow, a fat-tree the real path.
What a rule decides stands in the blocks' `pace` and `level`; see testbed.scheduling.blocks for the rates they mean.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import NONE, Floats, Ints
from testbed.plan import Plan
from testbed.scheduling.blocks import Blocks, Scratch, enter, make_blocks
from testbed.scheduling.compiled import inlined, kernel
from testbed.scheduling.heap import sift_down

FULL = 1e-9
"""A link of which less than this share is free counts as full: what subtraction leaves behind is not capacity."""


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


@kernel
def fill(b: Blocks, members: Ints, which: int, free: Floats, capacity: Floats, s: Scratch) -> None:
    """Max-min over all flows of the member blocks on what is free: progressive filling.

    All rates rise together, and a link's flows stop when it is full: that rate is the link's level, written to
    level[which]. Links that fill at the same level do so in order of their number. Links that are full from the
    outset have level 0. Links that never fill have level inf, and every flow crosses one that has filled.
    """
    n_touched = _gather(b, members, free, s)
    for c in members:
        _count_rising(b, c, which, len(capacity), s)
    size = 0
    for t in range(n_touched):
        g = s.touched[t]
        if s.open[g] > 0.0 and s.rising[g] > 0.0:
            s.keys[size] = s.left[g] / s.rising[g]
            s.items[size] = g
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        sift_down(s.keys, s.items, at, size)
    moving = False
    while size > 0:
        g = s.items[0]
        if s.rising[g] < 0.5:
            size -= 1
            s.keys[0], s.items[0] = s.keys[size], s.items[size]
            sift_down(s.keys, s.items, 0, size)
            continue
        level = max(s.left[g], 0.0) / s.rising[g]
        if level > s.keys[0]:  # a level only rises: a stale entry is raised when it surfaces
            s.keys[0] = level
            sift_down(s.keys, s.items, 0, size)
            continue
        level = s.keys[0]
        moving |= level > 0.0
        s.open[g] = 0.0
        s.level[g] = level
        s.left[g] = 0.0
        s.rising[g] = 0.0
        slot = s.first_slot[g]
        while slot >= 0:
            _stop_entries(b, slot, level, s)
            slot = s.next_slot[slot]
    for c in members:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            g = b.link[slot]
            if b.level[which, slot] != s.level[g]:
                b.level[which, slot] = s.level[g]
                b.stale[c] = True
            if len(members) == 1:
                b.drain[slot] += free[g] - s.left[g]
        b.moving[which, c] = moving
    for t in range(n_touched):
        g = s.touched[t]
        free[g] = s.left[g] if s.left[g] > FULL * capacity[g] else 0.0
        s.seen[g] = False


@kernel
def _gather(b: Blocks, members: Ints, free: Floats, s: Scratch) -> int:
    """List the links that the members use, and chain their slots; returns how many links."""
    n_touched = 0
    s.open[len(free) - 1] = 1.0
    for c in members:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            g = b.link[slot]
            if not s.seen[g]:
                s.seen[g] = True
                s.touched[n_touched] = g
                n_touched += 1
                s.open[g] = 1.0
                s.left[g] = free[g]
                s.rising[g] = 0.0
                s.level[g] = np.inf if free[g] > 0.0 else 0.0
                s.first_slot[g] = -1
            s.next_slot[slot] = s.first_slot[g]
            s.first_slot[g] = slot
    return n_touched


@kernel
def _count_rising(b: Blocks, c: int, which: int, n_links: int, s: Scratch) -> None:
    """Add block c's flows that cross no full link to the links' count of rising ones.

    They were counted for the last such filling; only the lists of links that are full now and were not, or the
    other way round, have to be gone through.
    """
    lo, hi = b.slot_begin[c], b.slot_begin[c + 1] - 1
    per = b.hop.shape[0] - 1
    changed, full, free = 0, 0, 0
    for slot in range(lo, hi):
        s.slot[b.link[slot]] = slot
        if s.level[b.link[slot]] == 0.0:
            full += b.users[slot]
        else:
            free += b.users[slot]
        if b.full[which, slot] != (s.level[b.link[slot]] == 0.0):
            changed += b.users[slot]
    if not b.counted[which, c] or changed > min(full, free):  # begin anew, with all links full or all free
        b.counted[which, c] = True
        for slot in range(lo, hi):
            b.full[which, slot] = full > free
            b.rising[which, slot] = 0.0 if full > free else b.users[slot]
    for slot in range(lo, hi):
        s.open[b.link[slot]] = 0.0 if b.full[which, slot] else 1.0
    for slot in range(lo, hi):
        g = b.link[slot]
        if (s.level[g] == 0.0) == b.full[which, slot]:
            continue
        b.full[which, slot] = not b.full[which, slot]
        s.open[g] = 0.0 if b.full[which, slot] else 1.0
        change = -1.0 if b.full[which, slot] else 1.0
        at = b.entry_begin[slot]
        count = 0.0
        for _ in range(b.users[slot]):
            rising = 1.0
            for other in range(at, at + per):
                rising *= s.open[b.entry[other]]
            if rising > 0.0:
                count += 1.0
                for other in range(at, at + per):
                    if b.entry[other] < n_links:
                        b.rising[which, s.slot[b.entry[other]]] += change
            at += per
        b.rising[which, slot] = count
    for slot in range(lo, hi):
        s.rising[b.link[slot]] += b.rising[which, slot]


@kernel
def _stop_entries(b: Blocks, slot: int, level: float, s: Scratch) -> None:
    """The flows of a link that has filled stop at its level: they leave their other links, and take that much there."""
    per = b.hop.shape[0] - 1
    at = b.entry_begin[slot]
    if per == 1:
        for e in range(at, at + b.users[slot]):
            g = b.entry[e]
            rising = s.open[g]
            s.left[g] -= level * rising
            s.rising[g] -= rising
        return
    for _ in range(b.users[slot]):
        rising = 1.0
        for other in range(at, at + per):
            rising *= s.open[b.entry[other]]
        if rising > 0.0:
            for other in range(at, at + per):
                g = b.entry[other]
                s.left[g] -= level
                s.rising[g] -= 1.0
        at += per


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
