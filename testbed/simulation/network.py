"""The network model: what each flow gets of what a scheduler commands.

Strict priority (or weights) between classes, max-min fair inside a class, never above a cap, on every link. Live,
TCP and the queues give this answer; here a fluid computation does.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.classes import CLASSES, Classes
from testbed.scheduling.max_min import FULL
from testbed.simulation.max_min import max_min

WEIGHTED_ROUNDS = 64
"""At most so often is what some classes leave split again among the others."""


def carries_caps(enforcement: tuple[str, ...]) -> bool:
    """Whether caps hold: the actor's gate or a meter at the ingress."""
    return "pacing" in enforcement or "meter" in enforcement


def carries_classes(enforcement: tuple[str, ...]) -> bool:
    """Whether priority classes hold: queues on the ports."""
    return "queue" in enforcement


def resulting_rates(
    path_ptr: Ints, path_links: Ints, capacity: Floats, cap: Floats | None, classes: Classes | None
) -> Floats:
    """Rate per flow row.

    `cap` is None where the enforcement carries no caps, `classes` where it carries no classes. Weighted classes
    share each link in proportion to their weights among those with flows there; what a class leaves (its flows
    are capped, or held up elsewhere) is split again by weight among those that can use it, as HTB lends it.
    """
    rows = np.arange(len(path_ptr) - 1)
    rate = np.zeros(len(rows))
    free = capacity.copy()
    limit = np.empty(0) if cap is None or not np.isfinite(cap).any() else cap
    if classes is None:
        max_min(path_ptr, path_links, rows, limit, free, rate)
        return rate
    if classes.weight is None:
        for k in np.unique(classes.queue):
            max_min(path_ptr, path_links, rows[classes.queue == k], limit, free, rate)
            _settle(free, capacity)
        return rate
    _weighted(path_ptr, path_links, capacity, limit, classes.queue, classes.weight, free, rate)
    return rate


def _weighted(
    path_ptr: Ints,
    path_links: Ints,
    capacity: Floats,
    limit: Floats,
    queue: Ints,
    weight: Floats,
    free: Floats,
    rate: Floats,
) -> None:
    """Split what is free by weight, class by class; repeat on what is left among flows that can still rise."""
    rows = np.arange(len(rate))
    hops = np.diff(path_ptr)
    for _ in range(WEIGHTED_ROUNDS):
        open_links = free > 0.0
        rising = np.logical_and.reduceat(open_links[path_links], path_ptr[:-1]) if len(rows) else rows.astype(bool)
        if len(limit):
            rising &= rate < limit * (1 - FULL)
        if not rising.any():
            return
        share = np.zeros((CLASSES, len(free)))
        for k in range(CLASSES):
            used = np.bincount(path_links, np.repeat(rising & (queue == k), hops), minlength=len(free))
            share[k, used > 0] = weight[k]
        total = share.sum(axis=0)
        np.divide(share, total, out=share, where=total > 0)
        given = np.zeros(len(rows))
        for k in range(CLASSES):
            mine = rows[rising & (queue == k)]
            left = limit - rate if len(limit) else limit
            part = free * share[k]
            max_min(path_ptr, path_links, mine, left, part, given)
        rate += given
        free -= np.bincount(path_links, np.repeat(given, hops), minlength=len(free))
        _settle(free, capacity)
    # what the rounds did not place (a vanishing rest) goes to the classes in order
    for k in range(CLASSES):
        left = limit - rate if len(limit) else limit
        max_min(path_ptr, path_links, rows[queue == k], left, free, rate)


def _settle(free: Floats, capacity: Floats) -> None:
    """Set to zero the free capacity of links that are full but for rounding."""
    free[free <= FULL * capacity] = 0.0
