"""Schedulers composed of an order rule and a filling rule, which views and the simulator's inner loop share.

A scheduler of this kind says which rules it is made of (`core`), and nothing else: `allocate` lays a view out in
blocks and applies the rules; the simulator keeps blocks of its own from event to event and applies the same rules.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.errors import SchedulerError
from testbed.scheduling import rates
from testbed.scheduling.base import Allocation, Scheduler, View
from testbed.scheduling.blocks import Blocks, Scratch, enter, make_blocks, make_scratch, set_rates
from testbed.scheduling.compiled import kernel
from testbed.scheduling.max_min import fill
from testbed.scheduling.orders import bssi, by_key

ARRIVAL, SIZE, WIDTH, LENGTH, WHOLE_GAMMA, WEIGHT, GAMMA, QUEUE, BSSI = range(9)
"""Order rules. The first ones are by a column of `Coflows`; the others are computed."""

GREEDY, MADD, MADD_IN_SHARES, IN_SHARES, TOGETHER, EQUALLY = range(6)
"""Filling rules; see testbed.scheduling.rates and max_min."""


class Core(NamedTuple):
    """What a composed scheduler is made of."""

    order: int
    filling: int
    backfill: bool = False
    """After MADD."""
    guard_period_s: float = 0.0
    guard_time_s: float = 0.0
    sync_s: float = 0.0
    thresholds: Floats = np.empty(0)
    """Received bytes at which a coflow leaves queue 0, 1, ..."""
    queue_weight: Floats = np.empty(0)


class Coflows(NamedTuple):
    """What order rules go by, per block."""

    arrival_s: Floats
    weight: Floats
    size: Floats
    width: Floats
    length: Floats
    gamma_s: Floats
    received: Floats


class Composed(Scheduler):
    """Base of schedulers that are an order rule and a filling rule."""

    core: Core
    capped: ClassVar[bool] = True
    """Whether the rates are commanded as caps (`fair` leaves them to the network)."""

    def allocate(self, view: View) -> Allocation:
        """Apply the rules to the view."""
        core = self.core
        everyone = core.filling in (TOGETHER, EQUALLY)
        b = blocks_of(view, self.clairvoyant, everyone)
        n_blocks, n_links = len(b.begin) - 1, len(view.capacity_Bps)
        queue = np.zeros(n_blocks, dtype=np.int64)
        asked = np.full(n_blocks, np.inf)
        active = np.arange(n_blocks)
        scratch = make_scratch(n_links, len(b.link))
        order, again_s = decide(
            core, b, active, coflows_of(view, n_blocks), view.capacity_Bps, scratch, view.now_s, queue, asked
        )
        labelled = slice(0, view.labelled)
        cap = np.full(len(view.flow), np.inf)
        if self.capped:
            rate = rates_of(b)
            cap[labelled] = rate[labelled]
        classes = np.zeros(len(view.flow), dtype=np.int64)
        classes[labelled] = queue[view.flow_coflow[labelled]]
        by_threshold = core.order == QUEUE and not core.sync_s
        return Allocation(
            cap_Bps=cap,
            queue=classes,
            order=order[order < len(view.coflow)],
            queue_weight=core.queue_weight if len(core.queue_weight) else None,
            ask_again_s=again_s,
            ask_at_received=asked if by_threshold else None,
        )


def blocks_of(view: View, clairvoyant: bool, everyone: bool) -> Blocks:
    """The view in blocks, one per coflow row, all in use; `everyone`: and one more of the flows without a label."""
    if clairvoyant and view.remaining is None:
        raise SchedulerError("the view holds no remaining bytes: it was made for a scheduler that is not clairvoyant")
    begin = np.append(view.coflow_ptr, len(view.flow)) if everyone else view.coflow_ptr
    rows = np.arange(begin[-1])
    remaining = view.remaining if view.remaining is not None else np.zeros(len(view.flow))
    b = make_blocks(
        view.path_ptr,
        view.path_links,
        rows,
        begin,
        remaining[: len(rows)],
        remaining[: len(rows)],
        len(view.capacity_Bps),
    )
    _enter_all(b, len(view.capacity_Bps))
    return b


def coflows_of(view: View, n_blocks: int) -> Coflows:
    """The columns that order rules go by; zero where the view does not have them."""

    def padded(column: Floats | Ints | None) -> Floats:
        values = np.zeros(n_blocks)
        if column is not None:
            values[: len(view.coflow)] = column
        return values

    return Coflows(
        arrival_s=padded(view.arrival_s),
        weight=padded(view.weight),
        size=padded(view.coflow_size),
        width=padded(view.coflow_width),
        length=padded(view.coflow_length),
        gamma_s=padded(view.coflow_gamma_s),
        received=padded(view.coflow_received),
    )


@kernel
def decide(
    core: Core,
    b: Blocks,
    active: Ints,
    coflows: Coflows,
    capacity: Floats,
    s: Scratch,
    now_s: float,
    queue: Ints,
    asked: Floats,
) -> tuple[Ints, float]:
    """Order the blocks `active` (given by arrival, then id) and fill: sets their pace and levels.

    Writes each block's class to `queue` and the received bytes at which to ask again to `asked`. Returns the order
    and the instant at which to ask again (inf for none).
    """
    again_s = np.inf
    free = rates.spare(capacity)
    if core.filling == TOGETHER:
        for c in active:
            queue[c] = 0
            rates.set_pace(b, c, 0.0)
        fill(b, active, 0, free, capacity, s)
        return active, again_s
    if core.filling == EQUALLY:
        for c in active:
            queue[c] = 0
        rates.split_equally(b, active, capacity)
        return active, again_s
    order = in_order(core, b, active, coflows, capacity, queue, asked)
    if core.sync_s > 0.0:
        again_s = (np.floor(now_s / core.sync_s + 1e-9) + 1.0) * core.sync_s
    guarded = False
    if core.guard_period_s > 0.0:
        begin_s = np.floor(now_s / core.guard_period_s + 1e-9) * core.guard_period_s
        end_s = begin_s + core.guard_time_s
        guarded = begin_s > 0.0 and now_s < end_s * (1.0 - 1e-12)
        again_s = min(again_s, end_s if guarded else begin_s + core.guard_period_s)
    if guarded:
        for c in active:
            queue[c] = 0
        rates.madd_together(b, active, free, capacity)
        if core.backfill:
            fill(b, active, 0, free, capacity, s)
        for c in active:
            b.fresh[c] = True
        return order, again_s
    if core.filling == MADD or core.filling == MADD_IN_SHARES:
        if core.filling == MADD:
            rates.madd(b, order, free, capacity)
        else:
            rates.madd_in_shares(b, order, coflows.weight, free, capacity)
        if core.backfill:
            rates.greedy(b, order, free, capacity, s)
        return order, again_s
    for c in active:
        rates.set_pace(b, c, 0.0)
    if core.filling == IN_SHARES:
        rates.greedy_in_shares(b, order, queue, core.queue_weight, free, capacity, s)
    else:
        rates.greedy(b, order, free, capacity, s)
    return order, again_s


@kernel
def in_order(
    core: Core, b: Blocks, active: Ints, coflows: Coflows, capacity: Floats, queue: Ints, asked: Floats
) -> Ints:
    """The order by the core's rule, and each block's class: its rank, or its queue where the rule has queues."""
    if core.order == BSSI:
        order = bssi(b, active, coflows.weight, capacity)
    else:
        key = np.empty(len(active), np.float64)
        for i in range(len(active)):
            c = active[i]
            if core.order == ARRIVAL:
                key[i] = coflows.arrival_s[c]
            elif core.order == SIZE:
                key[i] = coflows.size[c]
            elif core.order == WIDTH:
                key[i] = coflows.width[c]
            elif core.order == LENGTH:
                key[i] = coflows.length[c]
            elif core.order == WHOLE_GAMMA:
                key[i] = coflows.gamma_s[c]
            elif core.order == WEIGHT:
                key[i] = -coflows.weight[c]
            elif core.order == GAMMA:
                key[i] = rates.bottleneck(b, c, capacity)
            else:
                queue[c] = queue_of(coflows.received[c], core.thresholds)
                asked[c] = core.thresholds[queue[c]] if queue[c] < len(core.thresholds) else np.inf
                key[i] = queue[c]
        order = by_key(active, key)
    if core.order != QUEUE:
        shared = core.filling == MADD_IN_SHARES
        for i in range(len(order)):
            queue[order[i]] = 0 if shared else i
    return order


@kernel
def queue_of(received: float, thresholds: Floats) -> int:
    """How many thresholds the received bytes have passed; the instant of passing one is met to rounding only."""
    queue = 0
    while queue < len(thresholds) and received >= thresholds[queue] * (1.0 - 1e-9):
        queue += 1
    return queue


@kernel
def _enter_all(b: Blocks, n_links: int) -> None:
    for c in range(len(b.begin) - 1):
        enter(b, c, b.begin[c + 1] - b.begin[c], n_links)


@kernel
def rates_of(b: Blocks) -> Floats:
    """Rates per place, of all blocks."""
    for c in range(len(b.begin) - 1):
        set_rates(b, c)
    return b.rate
