"""The compiled inner loop: from event to event without Python, for composed schedulers.

Between two calls nothing starts. The loop runs completions, thresholds and ticks up to the next instant at which
something is due outside it, and asks the scheduler's rules after each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import Floats, Ints
from testbed.scheduling.blocks import Blocks, Scratch
from testbed.scheduling.compiled import kernel
from testbed.scheduling.composed import QUEUE, Coflows, Core, decide
from testbed.simulation.inner_rates import find_next, set_new_rates
from testbed.simulation.inner_state import CLOCK, State, bring_links, retire

REACHED, STUCK, WATCHED, DECIDED = range(4)
"""Why the loop came back: the given instant; nothing moves and nothing is due; a watched flow finished; a decision."""

ARRIVED, FLOW_FINISHED, COFLOW_FINISHED, THRESHOLD, TICK = 1, 2, 4, 8, 16
"""Why the scheduler is asked; these add up."""


_WORDS = {
    ARRIVED: "arrival",
    COFLOW_FINISHED: "coflow-finished",
    FLOW_FINISHED: "flow-finished",
    THRESHOLD: "threshold",
    TICK: "tick",
}


def in_words(reasons: int) -> str:
    """'arrival+tick': the reasons of a decision, as records have them."""
    return "+".join(word for flag, word in _WORDS.items() if reasons & flag)


class Control(NamedTuple):
    """The loop's own numbers, arrays of one so that they outlive a call."""

    now_s: Floats
    allocate_at_s: Floats
    """Before this instant the resolution defers the next decision."""
    again_s: Floats
    """When the scheduler wants to be asked, come what may."""
    synced: Floats
    """How many coordination intervals had begun at the last exchange."""
    reasons: Ints
    decided_for: Ints
    """The reasons of the last decision."""
    events: Ints
    decisions: Ints


def make_control() -> Control:
    """At instant 0, with nothing to decide."""
    return Control(
        now_s=np.zeros(1),
        allocate_at_s=np.full(1, -np.inf),
        again_s=np.full(1, np.inf),
        synced=np.full(1, -1.0),
        reasons=np.zeros(1, dtype=np.int64),
        decided_for=np.zeros(1, dtype=np.int64),
        events=np.zeros(1, dtype=np.int64),
        decisions=np.zeros(1, dtype=np.int64),
    )


@kernel
def run_until(
    core: Core,
    b: Blocks,
    st: State,
    s: Scratch,
    coflows: Coflows,
    capacity: Floats,
    active: Ints,
    control: Control,
    until_s: float,
    resolution_s: float,
    watched: NDArray[np.bool_],
    queue: Ints,
    asked: Floats,
    every_decision: bool,
) -> tuple[int, Ints, Ints]:
    """Run to `until_s`; returns why the loop came back, the blocks still active, and the last order.

    `active`: blocks with flows in progress, by (arrival, id). `queue` and `asked` are per block, written.
    """
    order = active
    now_s = control.now_s[0]
    while True:
        if now_s >= until_s:
            return REACHED, active, order
        due = now_s >= control.allocate_at_s[0] * (1.0 - CLOCK) or resolution_s == 0.0
        if control.reasons[0] and due and len(active) > 0:
            order = _ask(core, b, st, s, coflows, capacity, active, control, now_s, queue, asked)
            if core.guard_period_s > 0.0 or resolution_s > 0.0:
                st.drained[active] = False
            control.allocate_at_s[0] = now_s + resolution_s
            if every_decision:
                return DECIDED, active, order
        completion_s = np.inf
        for c in active:
            if np.isnan(st.next_s[c]):
                find_next(b, st, c, now_s, core.order == QUEUE)
            completion_s = min(completion_s, st.next_s[c])
        again_s = control.allocate_at_s[0] if control.reasons[0] else control.again_s[0]
        crossing_s = np.inf
        if core.order == QUEUE and core.sync_s == 0.0 and not control.reasons[0]:
            for c in active:
                if asked[c] < np.inf and st.total[c] > 0.0:
                    crossing_s = min(crossing_s, st.links_s[c] + (asked[c] - st.received[c]) / st.total[c])
        if resolution_s > 0.0:
            again_s = max(again_s, control.allocate_at_s[0])
            crossing_s = max(crossing_s, control.allocate_at_s[0])
        next_s = min(completion_s, again_s, crossing_s)
        if next_s > until_s or len(active) == 0:
            if until_s < np.inf:
                control.now_s[0] = until_s
                return REACHED, active, order
            return STUCK, active, order
        if next_s == np.inf:
            return STUCK, active, order
        now_s = max(next_s, np.nextafter(now_s, np.inf))
        control.now_s[0] = now_s
        control.events[0] += 1
        if not control.reasons[0]:
            if again_s <= now_s:
                control.reasons[0] |= TICK
            if crossing_s <= now_s:
                control.reasons[0] |= THRESHOLD
        seen, emptied = False, False
        for c in active:
            if st.next_s[c] <= now_s * (1.0 + CLOCK):
                before = b.live[c]
                seen |= retire(b, st, c, now_s, watched, len(capacity))
                if b.live[c] == 0:
                    emptied = True
                    control.reasons[0] |= COFLOW_FINISHED
                elif b.live[c] < before:
                    control.reasons[0] |= FLOW_FINISHED
        if emptied:
            active = active[b.live[active] > 0]
        if seen:
            return WATCHED, active, order


@kernel
def _ask(
    core: Core,
    b: Blocks,
    st: State,
    s: Scratch,
    coflows: Coflows,
    capacity: Floats,
    active: Ints,
    control: Control,
    now_s: float,
    queue: Ints,
    asked: Floats,
) -> Ints:
    """Apply the scheduler's rules to the active blocks, and set the rates that follow."""
    for c in active:
        bring_links(b, st, c, now_s)
    if core.order == QUEUE:
        intervals = np.floor(now_s / core.sync_s + 1e-9) if core.sync_s > 0.0 else np.inf
        if intervals > control.synced[0] or intervals == np.inf:
            control.synced[0] = intervals
            for c in active:
                coflows.received[c] = st.received[c]
    order, again_s = decide(core, b, active, coflows, capacity, s, now_s, queue, asked)
    for c in active:
        set_new_rates(b, st, c, now_s, core.order == QUEUE)
    control.again_s[0] = again_s
    control.decided_for[0] = control.reasons[0]
    control.reasons[0] = 0
    control.decisions[0] += 1
    return order
