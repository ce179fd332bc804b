"""Max-min fairness with a cap per flow: how a network shares its links among flows that are held back."""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel
from testbed.scheduling.heap import sift_down


@kernel
def max_min(path_ptr: Ints, path_links: Ints, rows: Ints, cap: Floats, free: Floats, rate: Floats) -> None:
    """Add to the rates of `rows` their max-min fair shares of the free capacity, none above its cap.

    Progressive filling: all rates rise together; a row stops at its cap, and all rows of a link stop when the link
    is full. `cap` is per row of the table, or empty for no caps. Links that fill at the same level do so in order
    of their number, so that the answer is the same to the bit whoever asks.
    """
    n_links = len(free)
    count = np.zeros(n_links, np.int64)
    for f in rows:
        for k in range(path_ptr[f], path_ptr[f + 1]):
            count[path_links[k]] += 1
    # rows by link (a counting sort), and the links that are used
    begin = np.zeros(n_links + 1, np.int64)
    size = 0
    for link in range(n_links):
        begin[link + 1] = begin[link] + count[link]
        if count[link] > 0:
            size += 1
    users = np.empty(begin[n_links], np.int64)
    place = begin[:-1].copy()
    for i in range(len(rows)):
        f = rows[i]
        for k in range(path_ptr[f], path_ptr[f + 1]):
            link = path_links[k]
            users[place[link]] = i
            place[link] += 1
    # a heap of the levels at which links fill; a level only ever rises, so a stale entry is raised when it surfaces
    keys = np.empty(size, np.float64)
    items = np.empty(size, np.int64)
    size = 0
    for link in range(n_links):
        if count[link] > 0:
            keys[size] = max(free[link], 0.0) / count[link]
            items[size] = link
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        sift_down(keys, items, at, size)
    capped = len(cap) > 0
    by_cap = np.argsort(cap[rows], kind="mergesort") if capped else np.empty(0, np.int64)
    next_cap = 0
    stopped = np.zeros(len(rows), np.bool_)
    while size > 0:
        link = items[0]
        if count[link] == 0:
            size -= 1
            keys[0], items[0] = keys[size], items[size]
            sift_down(keys, items, 0, size)
            continue
        level = max(free[link], 0.0) / count[link]
        if level > keys[0]:
            keys[0] = level
            sift_down(keys, items, 0, size)
            continue
        level = keys[0]
        while next_cap < len(by_cap) and stopped[by_cap[next_cap]]:
            next_cap += 1
        if next_cap < len(by_cap) and cap[rows[by_cap[next_cap]]] <= level:
            i = by_cap[next_cap]
            stopped[i] = True
            f = rows[i]
            rate[f] += cap[f]
            for k in range(path_ptr[f], path_ptr[f + 1]):
                free[path_links[k]] -= cap[f]
                count[path_links[k]] -= 1
            continue
        for u in range(begin[link], begin[link + 1]):
            i = users[u]
            if stopped[i]:
                continue
            stopped[i] = True
            f = rows[i]
            rate[f] += level
            for k in range(path_ptr[f], path_ptr[f + 1]):
                free[path_links[k]] -= level
                count[path_links[k]] -= 1
        free[link] = 0.0
