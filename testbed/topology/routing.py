"""Paths, for any number of flows at once, and which of several each flow takes.

A path climbs from the sender to the lowest switches that it shares with the receiver and down again. Where several
core switches or spines serve, the flow's `via` says which one it crosses, and there is exactly one path through each.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import NONE, Ints
from testbed.fabric import Fabric
from testbed.topology.build import shape_of


def paths(fabric: Fabric, src: Ints, dst: Ints, via: Ints) -> tuple[Ints, Ints]:
    """(path_ptr, path_links): flow f crosses links path_links[path_ptr[f]:path_ptr[f + 1]], in order.

    A flow from a host to itself crosses the host's two links. `via` is ignored where a path needs none.
    """
    shape = shape_of(fabric)
    level = shape.level(src, dst)
    pointers = np.zeros(len(src) + 1, dtype=np.int64)
    np.cumsum(np.array(shape.path_lengths, dtype=np.int64)[level], out=pointers[1:])
    links = np.empty(pointers[-1], dtype=np.int64)
    for each in range(len(shape.path_lengths)):
        rows = np.flatnonzero(level == each)
        for hop, crossed in enumerate(shape.hops(each, src[rows], dst[rows], via[rows])):
            links[pointers[rows] + hop] = crossed
    return pointers, links


def choose(fabric: Fabric, src: Ints, dst: Ints, ecmp: str, seed: int, stated: Ints | None = None) -> Ints:
    """`via` of each flow; NONE where its path needs none (both hosts on one switch).

    per-flow: between each two pods (leaf switches) the flows take the core switches in turn, in the order of the
    flows, beginning at a seeded one; so every core switch carries as many of them as the next, and a permutation that
    keeps the order of hosts between pods meets itself nowhere. `stated` (NONE for no wish) overrides it.
    hash: a seeded random one for each flow, the stand-in for what the switches' own hash will do.
    single-path: always the first.
    """
    shape = shape_of(fabric)
    via = np.full(len(src), NONE, dtype=np.int64)
    rows = np.flatnonzero(shape.level(src, dst) > 0)
    turn = np.array(shape.turn, dtype=np.int64)
    if not len(rows):
        return via
    if ecmp == "single-path":
        via[rows] = 0
    elif ecmp == "hash":
        via[rows] = np.random.default_rng((seed, len(turn))).integers(len(turn), size=len(rows))
    else:
        via[rows] = _in_turn(shape.group(src[rows]), shape.group(dst[rows]), turn, seed)
        if stated is not None:
            wished = rows[stated[rows] != NONE]
            via[wished] = stated[wished]
    return via


def _in_turn(src_group: Ints, dst_group: Ints, turn: Ints, seed: int) -> Ints:
    pair = src_group * (int(dst_group.max()) + 1) + dst_group
    order = np.argsort(pair, kind="stable")
    begins = np.flatnonzero(np.diff(pair[order], prepend=-1))
    sizes = np.diff(begins, append=len(pair))
    first = np.random.default_rng((seed, len(turn))).integers(len(turn), size=len(begins))
    taken = np.empty(len(pair), dtype=np.int64)
    taken[order] = turn[(np.arange(len(pair)) - np.repeat(begins - first, sizes)) % len(turn)]
    return taken
