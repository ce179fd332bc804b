"""Rules that put coflows in order, over blocks: by a key, or by BSSI."""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.blocks import Blocks
from testbed.scheduling.compiled import kernel

TIE = 1e-9
"""Keys that differ by less than about this share are equal: what rounding tells apart must not decide."""


@kernel
def rounded(key: float) -> float:
    """A key to 31 significant bits, so that keys that should be equal are (Dekker's splitting)."""
    if not np.isfinite(key):
        return key
    spread = key * (2.0**22 + 1.0)
    return spread - (spread - key)


@kernel
def by_key(active: Ints, key: Floats) -> Ints:
    """`active` by key (per entry of `active`), least first; ties stay in the order of `active`: arrival, then id."""
    order = active.copy()
    if len(order) > 64:
        near = np.empty(len(key), np.float64)
        for i in range(len(key)):
            near[i] = rounded(key[i])
        return order[np.argsort(near, kind="mergesort")]
    near = key.copy()
    for i in range(len(order)):
        c, value = order[i], rounded(key[i])
        at = i
        while at > 0 and near[at - 1] > value:
            near[at], order[at] = near[at - 1], order[at - 1]
            at -= 1
        near[at], order[at] = value, c
    return order


@kernel
def bssi(b: Blocks, active: Ints, weight: Floats, capacity: Floats) -> Ints:
    """The bottleneck-select-scale-iterate order of the blocks `active`, first to be served first.

    Last is, on the most loaded link (seconds to carry what is left; the lowest numbered on ties), the coflow of
    least weight / load (on ties, the last of `active`); its weight is charged to the others there in proportion to
    their load; and so on among the rest. `weight` is per block.
    """
    n, n_links = len(active), len(capacity)
    total = np.zeros(n_links, np.float64)
    begin = np.zeros(n_links + 1, np.int64)
    for c in active:
        for slot in range(b.slot_begin[c], b.slot_begin[c + 1] - 1):
            g = b.link[slot]
            if b.load[slot] > 0.0 and capacity[g] > 0.0:
                begin[g + 1] += 1
                total[g] += b.load[slot] / capacity[g]
    for g in range(n_links):
        begin[g + 1] += begin[g]
    user = np.empty(begin[n_links], np.int64)  # per link, the entries of `active` with bytes there
    load = np.empty(begin[n_links], np.float64)
    end = begin[:-1].copy()
    for i in range(n):
        for slot in range(b.slot_begin[active[i]], b.slot_begin[active[i] + 1] - 1):
            g = b.link[slot]
            if b.load[slot] > 0.0 and capacity[g] > 0.0:
                user[end[g]] = i
                load[end[g]] = b.load[slot] / capacity[g]
                end[g] += 1
    left = np.empty(n, np.float64)
    for i in range(n):
        left[i] = weight[active[i]]
    placed = np.zeros(n, np.bool_)
    order = np.empty(n, np.int64)
    unplaced = n - 1
    for place in range(n - 1, -1, -1):
        busiest = 0
        for g in range(1, n_links):
            if total[g] > total[busiest] * (1.0 + TIE):
                busiest = g
        last, least = -1, np.inf
        for e in range(begin[busiest], end[busiest]):
            i = user[e]
            if not placed[i] and left[i] / load[e] <= least * (1.0 + TIE):
                last, least = i, left[i] / load[e]
        if last < 0:  # nothing that can be carried is left: the later arrival goes last
            while placed[unplaced]:
                unplaced -= 1
            last = unplaced
        else:
            for e in range(begin[busiest], end[busiest]):
                if not placed[user[e]]:
                    left[user[e]] = max(left[user[e]] - least * load[e], 0.0)
        placed[last] = True
        order[place] = active[last]
        for slot in range(b.slot_begin[active[last]], b.slot_begin[active[last] + 1] - 1):
            g = b.link[slot]
            if b.load[slot] > 0.0 and capacity[g] > 0.0:
                total[g] = max(total[g] - b.load[slot] / capacity[g], 0.0)
    return order
