"""SRPT from event to event, compiled, for fabrics whose links are all alike.

There a flow that is served has its links to itself, so the greedy choice by remaining bytes is the one set in which
every waiting flow has a link whose owner comes before it. A completion or an arrival disturbs that set in few
places: what was freed goes to the first flow that may have it, which may free other links in turn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel
from testbed.scheduling.orders import rounded
from testbed.simulation.inner_state import CLOCK, DONE


class Queues(NamedTuple):
    """Flows are numbered by their home: their place in the order that breaks ties."""

    path_ptr: Ints
    path_links: Ints
    size: Floats
    remaining: Floats
    """As of `since_s` for a flow that is served, else now."""
    key: Floats
    """Rounded remaining bytes of a flow that waits, which its lists are in the order of."""
    since_s: Floats
    owner: Ints
    """Per link: the flow that is served there, or -1."""
    owner_left: Floats
    """Per link: the bytes its owner would have left at instant 0, had it been served since; inf without an owner.
    One more, always free, stands for no link; and one more, never free, see listed_other."""
    list_begin: Ints
    """Per link: where the list of its flows begins in `listed`, by key, then home."""
    list_length: Ints
    list_over: Ints
    """How many in the list have finished."""
    listed: Ints
    listed_key: Floats
    """Its key, beside each flow in a list."""
    listed_other: Ints
    """The other links of each flow in a list, `others` of them. One beyond the fabric's stands for no link; two
    beyond, never free, in the first place marks a flow that does not wait: it is served, or has finished."""
    others: Ints
    served: Ints
    """The flows that are served, in no order; served_count[0] of them."""
    served_count: Ints
    served_at: Ints
    """Per flow: where it is in `served`."""
    freed: NDArray[np.bool_]
    """Per link: whether it is in freed_links, the links to be handed out, freed_count[0] of them."""
    freed_links: Ints
    freed_count: Ints
    candidate: Ints
    """Per freed link: the flow that may have it, -1 where it has to be looked for, -2 where none may."""
    finish_s: Floats
    first_byte_s: Floats
    finished: Ints
    finished_count: Ints


def make_queues(path_ptr: Ints, path_links: Ints, size: Floats, n_links: int) -> Queues:
    """Nothing has started."""
    n, others = len(size), int(np.max(np.diff(path_ptr), initial=2)) - 1
    list_begin = np.zeros(n_links + 1, dtype=np.int64)
    np.cumsum(np.bincount(path_links, minlength=n_links), out=list_begin[1:])
    return Queues(
        path_ptr=path_ptr,
        path_links=path_links,
        size=size,
        remaining=size.copy(),
        key=np.zeros(n),
        since_s=np.zeros(n),
        owner=np.full(n_links, -1, dtype=np.int64),
        owner_left=np.array([np.inf] * (n_links + 1) + [-np.inf]),
        list_begin=list_begin,
        list_length=np.zeros(n_links, dtype=np.int64),
        list_over=np.zeros(n_links, dtype=np.int64),
        listed=np.zeros(len(path_links), dtype=np.int64),
        listed_key=np.zeros(len(path_links)),
        listed_other=np.full(len(path_links) * others, n_links, dtype=np.int64),
        others=np.array([others]),
        served=np.zeros(n, dtype=np.int64),
        served_count=np.zeros(1, dtype=np.int64),
        served_at=np.zeros(n, dtype=np.int64),
        freed=np.zeros(n_links, dtype=np.bool_),
        freed_links=np.zeros(n_links, dtype=np.int64),
        freed_count=np.zeros(1, dtype=np.int64),
        candidate=np.full(n_links, -1, dtype=np.int64),
        finish_s=np.full(n, np.nan),
        first_byte_s=np.full(n, np.nan),
        finished=np.zeros(n, dtype=np.int64),
        finished_count=np.zeros(1, dtype=np.int64),
    )


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
                _drop_finished(q, link)
            q.listed[q.list_begin[link] + q.list_length[link]] = f
            q.list_length[link] += 1
    for link in range(len(touched)):
        if touched[link]:
            begin, end = q.list_begin[link], q.list_begin[link] + q.list_length[link]
            part = q.listed[begin:end]
            part.sort()  # by home, which the stable sort by key keeps
            part[:] = part[np.argsort(q.key[part], kind="mergesort")]
            for at in range(begin, end):
                _enlist(q, q.listed[at], link, at, q.owner[link] == q.listed[at])
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
                        _drop_finished(q, link)
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
        q.listed_other[_place(q, f, link) * q.others[0]] = len(q.owner) + 1
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
def _place(q: Queues, f: int, link: int) -> int:
    """Where in a link's list a flow is or belongs, by its key."""
    low, high = q.list_begin[link], q.list_begin[link] + q.list_length[link]
    while low < high:
        middle = (low + high) // 2
        key = q.listed_key[middle]
        if key < q.key[f] or (key == q.key[f] and q.listed[middle] < f):
            low = middle + 1
        else:
            high = middle
    return int(low)


@kernel
def _enlist(q: Queues, f: int, link: int, at: int, served: bool) -> None:
    """Write a flow into its place on a link's list."""
    q.listed[at] = f
    q.listed_key[at] = q.key[f]
    other = at * q.others[0]
    for k in range(q.path_ptr[f], q.path_ptr[f + 1]):
        if q.path_links[k] != link:
            q.listed_other[other] = q.path_links[k]
            other += 1
    for rest in range(other, (at + 1) * q.others[0]):
        q.listed_other[rest] = len(q.owner)
    if served:
        q.listed_other[at * q.others[0]] = len(q.owner) + 1


@kernel
def _wait_again(q: Queues, f: int) -> None:
    """Have a flow that was served wait in the place that its remaining bytes now give it (no later than it was)."""
    old, new = q.key[f], rounded(q.remaining[f])
    for k in range(q.path_ptr[f], q.path_ptr[f + 1]):
        link = q.path_links[k]
        q.key[f] = old
        was = _place(q, f, link)
        q.key[f] = new
        at = _place(q, f, link)
        _move_later(q, at, was)
        _enlist(q, f, link, at, False)


@kernel
def _drop_finished(q: Queues, link: int) -> None:
    """Take the flows that have finished off a link's list."""
    begin, others = q.list_begin[link], q.others[0]
    end = begin
    for at in range(begin, begin + q.list_length[link]):
        if np.isnan(q.finish_s[q.listed[at]]):
            if at > end:
                q.listed[end] = q.listed[at]
                q.listed_key[end] = q.listed_key[at]
                for k in range(others):
                    q.listed_other[end * others + k] = q.listed_other[at * others + k]
            end += 1
    q.list_length[link] = end - begin
    q.list_over[link] = 0


@kernel
def _move_later(q: Queues, first: int, last: int) -> None:
    """Move the entries from `first` up to `last`, one place on."""
    for at in range(last, first, -1):
        q.listed[at] = q.listed[at - 1]
        q.listed_key[at] = q.listed_key[at - 1]
    for k in range((last + 1) * q.others[0] - 1, (first + 1) * q.others[0] - 1, -1):
        q.listed_other[k] = q.listed_other[k - q.others[0]]
