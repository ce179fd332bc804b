"""What SRPT keeps from event to event: who is served on each link, and per link a list of its flows in their order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel


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
def place(q: Queues, f: int, link: int) -> int:
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
def enlist(q: Queues, f: int, link: int, at: int, served: bool) -> None:
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
def move_later(q: Queues, first: int, last: int) -> None:
    """Move the entries from `first` up to `last`, one place on."""
    for at in range(last, first, -1):
        q.listed[at] = q.listed[at - 1]
        q.listed_key[at] = q.listed_key[at - 1]
    for k in range((last + 1) * q.others[0] - 1, (first + 1) * q.others[0] - 1, -1):
        q.listed_other[k] = q.listed_other[k - q.others[0]]


@kernel
def drop_finished(q: Queues, link: int) -> None:
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
