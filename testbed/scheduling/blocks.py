"""Flows grouped in blocks (one per coflow), laid out so that rates follow from numbers per link.

Whatever the filling rule, flows of one block differ in rate only by their links and their remaining bytes:

    rate = pace[block] * remaining + min of level[0] over its links + min of level[1] over its links

(`pace` is MADD's 1 / Gamma, a `level` is where a link filled up in a max-min filling). So rules work on links, of
which there are few, and one pass over a block's flows turns their answer into rates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel

Hops = NDArray[np.uint32]


class Blocks(NamedTuple):
    """Places hold flows, block after block; slots hold the links that a block uses, block after block.

    Block c has places begin[c] to begin[c + 1], of which the first live[c] are in use, and slots
    slot_begin[c] to slot_begin[c + 1], by link number, the last of which stands for "no further hop".
    """

    flow: Ints
    """Per place: the caller's number of the flow."""
    hop: Hops
    """[hop, place]: which of the block's slots the flow crosses, counted from slot_begin; shorter paths are padded."""
    remaining: Floats
    size: Floats
    rate: Floats
    begin: Ints
    live: Ints
    slot_begin: Ints
    link: Ints
    """Per slot: the link's number in the fabric; -1 in the slot that stands for no further hop."""
    users: Ints
    """Per slot: flows in use on the link."""
    load: Floats
    """Per slot: bytes they have left."""
    level: Floats
    """[2, slot]: where the link filled up, in the two fillings a rule may make; inf where it did not."""
    drain: Floats
    """Per slot: the sum of the rates on the link, where the rule knows it."""
    pace: Floats
    """Per block."""
    moving: NDArray[np.bool_]
    """[2, block]: whether the filling gives any of the block's flows a rate above 0."""
    stale: NDArray[np.bool_]
    """Per block: pace or a level is not what the flows' rates were computed from."""
    fresh: NDArray[np.bool_]
    """Per block: its flows are not those that it was last filled alone with."""
    counted: NDArray[np.bool_]
    """[2, block]: `full` and `rising` are those of its flows."""
    full: NDArray[np.bool_]
    """[2, slot]: whether the link was full from the outset of the last filling."""
    rising: Floats
    """[2, slot]: its flows that crossed no full link then."""
    before: Floats
    """Per slot: what was free when the block was last filled alone, and in `after` what that left."""
    after: Floats
    entry_begin: Ints
    """Per slot: where the list of its flows begins in `entry`."""
    entry: Hops
    """Lists of flows per slot, each flow as the fabric's numbers of the *other* links it crosses (hops - 1 of them)."""


class Scratch(NamedTuple):
    """Working memory of the filling rules; nothing in it outlives a call. One item per link of the fabric and one
    more, which stands for "no further hop", except where said."""

    open: Floats
    """1 while the link's flows rise, 0 once it has filled."""
    left: Floats
    """Capacity left."""
    rising: Floats
    """Flows that still rise."""
    level: Floats
    seen: NDArray[np.bool_]
    first_slot: Ints
    slot: Ints
    """The slot of the block in hand."""
    next_slot: Ints
    """Per slot of the blocks: the next slot of the same link."""
    touched: Ints
    keys: Floats
    items: Ints


def make_scratch(n_links: int, n_slots: int) -> Scratch:
    """Working memory for blocks of so many slots on a fabric of so many links."""
    n = n_links + 1
    return Scratch(
        open=np.zeros(n),
        left=np.zeros(n),
        rising=np.zeros(n),
        level=np.zeros(n),
        seen=np.zeros(n, dtype=np.bool_),
        first_slot=np.zeros(n, dtype=np.int64),
        slot=np.zeros(n, dtype=np.int64),
        next_slot=np.zeros(n_slots, dtype=np.int64),
        touched=np.zeros(n, dtype=np.int64),
        keys=np.zeros(n),
        items=np.zeros(n, dtype=np.int64),
    )


def make_blocks(
    path_ptr: Ints, path_links: Ints, flow: Ints, begin: Ints, remaining: Floats, size: Floats, n_links: int
) -> Blocks:
    """Blocks of flows that are not yet in use (see `enter`).

    `flow` lists the rows of the path table block by block, in the order that rows have inside a block; block c has
    flow[begin[c]] to flow[begin[c + 1]]. `remaining` and `size` are per entry of `flow`.
    """
    hops = _most_hops(path_ptr, flow)
    hop = np.empty((hops, len(flow)), dtype=np.uint32)
    slot_begin, link = _lay_out_links(path_ptr, path_links, flow, begin, n_links, hop)
    n_blocks, n_slots = len(begin) - 1, len(link)
    return Blocks(
        flow=flow.copy(),
        hop=hop,
        remaining=remaining.copy(),
        size=size.copy(),
        rate=np.zeros(len(flow)),
        begin=begin,
        live=np.zeros(n_blocks, dtype=np.int64),
        slot_begin=slot_begin,
        link=link,
        users=np.zeros(n_slots, dtype=np.int64),
        load=np.zeros(n_slots),
        level=np.where(link >= 0, 0.0, np.full((2, 1), np.inf)),
        drain=np.zeros(n_slots),
        pace=np.zeros(n_blocks),
        moving=np.zeros((2, n_blocks), dtype=np.bool_),
        stale=np.ones(n_blocks, dtype=np.bool_),
        fresh=np.ones(n_blocks, dtype=np.bool_),
        counted=np.zeros((2, n_blocks), dtype=np.bool_),
        full=np.zeros((2, n_slots), dtype=np.bool_),
        rising=np.zeros((2, n_slots)),
        before=np.zeros(n_slots),
        after=np.zeros(n_slots),
        entry_begin=np.zeros(n_slots, dtype=np.int64),
        entry=np.empty(hops * (hops - 1) * len(flow), dtype=np.uint32),
    )


@kernel
def _most_hops(path_ptr: Ints, flow: Ints) -> int:
    """Hops of the longest path, at least 2."""
    most = 2
    for f in flow:
        most = max(most, path_ptr[f + 1] - path_ptr[f])
    return most


@kernel
def _lay_out_links(
    path_ptr: Ints, path_links: Ints, flow: Ints, begin: Ints, n_links: int, hop: Hops
) -> tuple[Ints, Ints]:
    n_blocks = len(begin) - 1
    slot_begin = np.zeros(n_blocks + 1, np.int64)
    link = np.empty(len(path_links) + n_blocks, np.int64)
    place_of = np.full(n_links, -1, np.int64)
    end = 0
    for c in range(n_blocks):
        slot_begin[c] = end
        for p in range(begin[c], begin[c + 1]):
            for k in range(path_ptr[flow[p]], path_ptr[flow[p] + 1]):
                g = path_links[k]
                if place_of[g] < 0:
                    place_of[g] = 0
                    link[end] = g
                    end += 1
        if (end - slot_begin[c]) * 16 > n_links:  # then looking at all links is quicker than sorting these
            end = slot_begin[c]
            for g in range(n_links):
                if place_of[g] >= 0:
                    link[end] = g
                    end += 1
        else:
            link[slot_begin[c] : end].sort()
        for slot in range(slot_begin[c], end):
            place_of[link[slot]] = slot - slot_begin[c]
        for p in range(begin[c], begin[c + 1]):
            first = path_ptr[flow[p]]
            length = path_ptr[flow[p] + 1] - first
            for k in range(hop.shape[0]):
                hop[k, p] = place_of[path_links[first + k]] if k < length else end - slot_begin[c]
        for slot in range(slot_begin[c], end):
            place_of[link[slot]] = -1
        link[end] = -1
        end += 1
    slot_begin[n_blocks] = end
    return slot_begin, link[:end].copy()


@kernel
def enter(b: Blocks, c: int, live: int, n_links: int) -> None:
    """Put the first `live` places of block c in use: count its flows per link, list them, and sum their bytes."""
    lo, hi = b.slot_begin[c], b.slot_begin[c + 1] - 1
    begin, hops = b.begin[c], b.hop.shape[0]
    b.live[c] = live
    b.fresh[c] = True
    b.stale[c] = True
    b.counted[:, c] = False
    for slot in range(lo, hi):
        b.users[slot] = 0
        b.load[slot] = 0.0
    for p in range(begin, begin + live):
        for k in range(hops):
            slot = lo + b.hop[k, p]
            if slot < hi:
                b.users[slot] += 1
                b.load[slot] += b.remaining[p]
    at = hops * (hops - 1) * begin
    for slot in range(lo, hi):
        b.entry_begin[slot] = at
        at += b.users[slot] * (hops - 1)
        b.users[slot] = 0
    for p in range(begin, begin + live):
        for k in range(hops):
            slot = lo + b.hop[k, p]
            if slot < hi:
                at = b.entry_begin[slot] + b.users[slot] * (hops - 1)
                b.users[slot] += 1
                for other in range(hops):
                    if other != k:
                        g = b.link[lo + b.hop[other, p]]
                        b.entry[at] = g if g >= 0 else n_links
                        at += 1


@kernel
def strike(b: Blocks, c: int, p: int, n_links: int) -> None:
    """Take the flow at place p of block c off the lists of its links (its place is left to the caller)."""
    lo, hi = b.slot_begin[c], b.slot_begin[c + 1] - 1
    hops = b.hop.shape[0]
    b.fresh[c] = True
    rises_first, rises_second = True, True
    for k in range(hops):
        rises_first &= not b.full[0, lo + b.hop[k, p]]
        rises_second &= not b.full[1, lo + b.hop[k, p]]
    for k in range(hops):
        slot = lo + b.hop[k, p]
        if slot >= hi:
            continue
        b.rising[0, slot] -= rises_first
        b.rising[1, slot] -= rises_second
        at = b.entry_begin[slot]
        end = at + b.users[slot] * (hops - 1)
        while True:  # flows of one path are alike: the first that fits will do
            same = True
            place = at
            for other in range(hops):
                if other != k:
                    g = b.link[lo + b.hop[other, p]]
                    if b.entry[place] != (g if g >= 0 else n_links):
                        same = False
                    place += 1
            if same:
                break
            at += hops - 1
        for e in range(hops - 1):
            b.entry[at + e] = b.entry[end - (hops - 1) + e]
        b.users[slot] -= 1
        b.load[slot] = max(b.load[slot] - b.remaining[p], 0.0) if b.users[slot] > 0 else 0.0


@kernel
def set_rates(b: Blocks, c: int) -> None:
    """Rates of block c's flows from its pace and levels."""
    lo = b.slot_begin[c]
    for p in range(b.begin[c], b.begin[c] + b.live[c]):
        first, second = np.inf, np.inf
        for k in range(b.hop.shape[0]):
            slot = lo + b.hop[k, p]
            first = min(first, b.level[0, slot])
            second = min(second, b.level[1, slot])
        b.rate[p] = b.pace[c] * b.remaining[p] + first + second
