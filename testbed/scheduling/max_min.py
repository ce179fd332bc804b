"""Max-min over the flows of some blocks by progressive filling, which all rules that share out capacity end in.

It works on `free`, the capacity still free per link, and lowers it. A link's level is the rate at which it filled;
see testbed.scheduling.blocks for the rates that levels mean.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.blocks import Blocks, Scratch
from testbed.scheduling.compiled import kernel
from testbed.scheduling.heap import sift_down

FULL = 1e-9
"""A link of which less than this share is free counts as full: what subtraction leaves behind is not capacity."""


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
