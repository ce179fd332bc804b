"""SRPT from event to event, compiled, for fabrics whose links are all alike.

There a flow that is served has its links to itself, so the greedy choice by remaining bytes is the one set in which
every waiting flow has a link whose owner comes before it. A completion or an arrival disturbs that set in few
places: what was freed goes to the first flow that may have it, which may free other links in turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import Ints
from testbed.scheduling.compiled import kernel
from testbed.scheduling.orders import rounded
from testbed.simulation.inner_state import CLOCK, DONE
from testbed.simulation.srpt_queues import Queues, drop_finished, enlist, move_later, place


@kernel
def start(q: Queues, flows: Ints) -> None:
    """Put flows on the lists of their links, all of which are to be looked at."""
    touched = np.zeros(len(q.owner), np.bool_)
    for f in flows:
        q.key[f] = rounded(q.size[f])
        for k in range(q.path_ptr[f], q.path_ptr[f + 1]):
            link = q.path_links[k]
            if not touched[link]:
                touched[link] = True
                drop_finished(q, link)
            q.listed[q.list_begin[link] + q.list_length[link]] = f
            q.list_length[link] += 1
    for link in range(len(touched)):
        if touched[link]:
            begin, end = q.list_begin[link], q.list_begin[link] + q.list_length[link]
            part = q.listed[begin:end]
            part.sort()  # by home, which the stable sort by key keeps
            part[:] = part[np.argsort(q.key[part], kind="mergesort")]
            for at in range(begin, end):
                enlist(q, q.listed[at], link, at, q.owner[link] == q.listed[at])
            _free(q, link)


@kernel
def serve_until(
    q: Queues,
    capacity_Bps: float,
    now_s: float,
    until_s: float,
    resolution_s: float,
    allocate_at_s: float,
    pending: bool,
    watched: NDArray[np.bool_],
) -> tuple[float, float, bool, bool, int, int]:
    """Run to `until_s` (or to the finish of a watched flow, or till nothing is served).

    Returns the instant reached, before which instant no decision may be made, whether one is due, whether a watched
    flow finished, and how many events and decisions there were.
    """
    events, decisions = 0, 0
    while True:
        if now_s >= until_s:
            return now_s, allocate_at_s, pending, False, events, decisions
        if pending and now_s >= allocate_at_s * (1.0 - CLOCK):
            _repair(q, capacity_Bps, now_s)
            pending = False
            decisions += 1
            allocate_at_s = now_s + resolution_s
        next_s = allocate_at_s if pending else np.inf
        for i in range(q.served_count[0]):
            f = q.served[i]
            next_s = min(next_s, q.since_s[f] + q.remaining[f] / capacity_Bps)
        if next_s > until_s or next_s == np.inf:
            return (until_s if until_s < np.inf else now_s), allocate_at_s, pending, False, events, decisions
        now_s = max(next_s, np.nextafter(now_s, np.inf))
        events += 1
        seen = False
        i = 0
        while i < q.served_count[0]:
            f = q.served[i]
            left = q.remaining[f] - capacity_Bps * (now_s - q.since_s[f])
            if left <= max(q.size[f] * DONE, capacity_Bps * now_s * CLOCK):
                _release(q, f)
                q.finish_s[f] = now_s
                for k in range(q.path_ptr[f], q.path_ptr[f + 1]):
                    link = q.path_links[k]
                    q.list_over[link] += 1
                    if q.list_over[link] * 4 > q.list_length[link]:
                        drop_finished(q, link)
                q.finished[q.finished_count[0]] = f
                q.finished_count[0] += 1
                seen |= watched[f]
                pending = True
            else:
                i += 1
        if seen:
            return now_s, allocate_at_s, pending, True, events, decisions


@kernel
def _repair(q: Queues, capacity_Bps: float, now_s: float) -> None:
    """Hand the freed links out: always to the first flow that may have one, until none may."""
    while True:
        best = -1
        i = 0
        while i < q.freed_count[0]:
            link = q.freed_links[i]
            if q.candidate[link] == -1:
                q.candidate[link] = _first_that_may(q, link, capacity_Bps, now_s)
            if q.candidate[link] == -2:
                q.freed[link] = False
                q.freed_count[0] -= 1
                q.freed_links[i] = q.freed_links[q.freed_count[0]]
                continue
            f = q.candidate[link]
            if best < 0 or q.key[f] < q.key[best] or (q.key[f] == q.key[best] and f < best):
                best = f
            i += 1
        if best < 0:
            return
        for k in range(q.path_ptr[best], q.path_ptr[best + 1]):
            other = q.owner[q.path_links[k]]
            if other >= 0:
                _release(q, other)
                q.remaining[other] -= capacity_Bps * (now_s - q.since_s[other])
                _wait_again(q, other)
        _serve(q, best, capacity_Bps, now_s)
        for i in range(q.freed_count[0]):  # candidates that want a link of the flow just served
            link = q.freed_links[i]
            f = q.candidate[link]
            if f >= 0:
                for k in range(q.path_ptr[f], q.path_ptr[f + 1]):
                    if q.owner[q.path_links[k]] == best:
                        q.candidate[link] = -1


@kernel
def _first_that_may(q: Queues, link: int, capacity_Bps: float, now_s: float) -> int:
    """The first waiting flow of a link that comes before the owners of all its links, or -2.

    What is clear from `owner_left`, at hand but coarse late in a run, is decided by it.
    """
    begin, others, own = q.list_begin[link], q.others[0], q.owner[link]
    drained = capacity_Bps * now_s
    for at in range(begin, begin + q.list_length[link]):
        f, key = q.listed[at], q.listed_key[at]
        if own >= 0:
            own_key = rounded(q.remaining[own] - capacity_Bps * (now_s - q.since_s[own]))
            if own_key < key or (own_key == key and own < f):
                break  # it comes before all that follow, too
        unclear = key * 1e-8 + drained * 1e-14
        first = True
        for k in range(at * others, (at + 1) * others):
            other = q.listed_other[k]
            ahead = key - (q.owner_left[other] - drained)
            if ahead > unclear:
                first = False
                break
            if ahead >= -unclear:
                owner = q.owner[other]
                owner_key = rounded(q.remaining[owner] - capacity_Bps * (now_s - q.since_s[owner]))
                if owner_key < key or (owner_key == key and owner < f):
                    first = False
                    break
        if first:
            return int(f)
    return -2


@kernel
def _free(q: Queues, link: int) -> None:
    """Have a link looked at in the next repair."""
    q.candidate[link] = -1
    if not q.freed[link]:
        q.freed[link] = True
        q.freed_links[q.freed_count[0]] = link
        q.freed_count[0] += 1


@kernel
def _serve(q: Queues, f: int, capacity_Bps: float, now_s: float) -> None:
    """Give a flow its links."""
    for k in range(q.path_ptr[f], q.path_ptr[f + 1]):
        link = q.path_links[k]
        q.owner[link] = f
        q.owner_left[link] = q.remaining[f] + capacity_Bps * now_s
        q.candidate[link] = -2
        q.listed_other[place(q, f, link) * q.others[0]] = len(q.owner) + 1
    q.since_s[f] = now_s
    if np.isnan(q.first_byte_s[f]):
        q.first_byte_s[f] = now_s
    q.served_at[f] = q.served_count[0]
    q.served[q.served_count[0]] = f
    q.served_count[0] += 1


@kernel
def _release(q: Queues, f: int) -> None:
    """Take a flow off its links, which are freed."""
    for k in range(q.path_ptr[f], q.path_ptr[f + 1]):
        link = q.path_links[k]
        q.owner[link] = -1
        q.owner_left[link] = np.inf
        _free(q, link)
    q.served_count[0] -= 1
    last = q.served[q.served_count[0]]
    q.served[q.served_at[f]] = last
    q.served_at[last] = q.served_at[f]


@kernel
def _wait_again(q: Queues, f: int) -> None:
    """Have a flow that was served wait in the place that its remaining bytes now give it (no later than it was)."""
    old, new = q.key[f], rounded(q.remaining[f])
    for k in range(q.path_ptr[f], q.path_ptr[f + 1]):
        link = q.path_links[k]
        q.key[f] = old
        was = place(q, f, link)
        q.key[f] = new
        at = place(q, f, link)
        move_later(q, at, was)
        enlist(q, f, link, at, False)
