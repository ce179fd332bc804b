"""CoflowSim's coflow-level schedulers: FIFO, SCF, NCF, LCF, SEBF with MADD rates, and DARK (compiled).

Rates change only when an epoch admitted someone or a coflow finished; in between, every quantum moves what the rates
give.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel
from testbed.simulation.coflowsim_model import END_MS, EPOCH_MS, MIB, QUANTUM_MS, Model
from testbed.simulation.coflowsim_quanta import (
    Sending,
    State,
    advance,
    initial_state,
    put_back,
    quanta_without_event,
    sending_flows,
)
from testbed.simulation.coflowsim_rates import dark_rates, madd_rates

FIFO, SCF, NCF, LCF, SEBF, DARK = range(6)

_QUEUES = 10
_FIRST_LIMIT = 10.0 * MIB
_LIMIT_FACTOR = 10.0


@kernel
def simulate_coflows(model: Model, policy: int) -> tuple[Floats, Floats]:
    """Start and finish of every coflow in ms (finish -1: not finished) under one of the policies above."""
    state = initial_state(model)
    order = np.empty(0, dtype=np.int64)
    sending = sending_flows(model, state, order)
    coflows, admitted = len(model.arrival_ms), 0
    for epoch in range(0, END_MS, EPOCH_MS):
        if admitted == coflows and len(order) == 0:
            break
        before = admitted
        while admitted < coflows and model.arrival_ms[admitted] <= epoch + EPOCH_MS:
            order = _inserted(model, state, order, admitted, policy)
            state.start[admitted] = epoch
            admitted += 1
        if admitted > before:
            put_back(state, sending)
            order, sending = _scheduled(model, state, order, policy, epoch, True)
        now = epoch
        while now < epoch + EPOCH_MS and len(order):
            left = (epoch + EPOCH_MS - now) // QUANTUM_MS
            quanta = min(quanta_without_event(state, sending, left) + 1, left)
            now += quanta * QUANTUM_MS
            if advance(state, sending, quanta, now, policy == LCF, policy == DARK):
                put_back(state, sending)
                order = order[state.finish[order] < 0]
                # CoflowSim decides at the end of the quantum, but takes its beginning for the time
                order, sending = _scheduled(model, state, order, policy, now - QUANTUM_MS, policy == DARK)
    return state.start, state.finish


@kernel
def _scheduled(
    model: Model, state: State, order: Ints, policy: int, now: int, lists_made: bool
) -> tuple[Ints, Sending]:
    """New rates, and the order they were given in."""
    if lists_made:
        state.reducer_dropped[:] = state.reducer_done
    if policy == DARK:
        order = _requeued(state, order)
        dark_rates(model, order, state.live, state.rate)
    else:
        madd_rates(model, order, state.start, now, state.remaining, state.reducer_left, state.live, state.rate)
    return order, sending_flows(model, state, order)


@kernel
def _inserted(model: Model, state: State, order: Ints, coflow: int, policy: int) -> Ints:
    """`order` with the new coflow before the first one that it precedes."""
    at = len(order)
    if policy == DARK:  # at the end of the first queue
        at = int(np.sum(state.queue[order] == 0))
    elif policy != FIFO:
        key = _key(model, state, coflow, policy)
        at = 0
        while at < len(order) and key >= _key(model, state, order[at], policy):
            at += 1
    return np.concatenate((order[:at], np.array([coflow]), order[at:]))


@kernel
def _key(model: Model, state: State, coflow: int, policy: int) -> float:
    first, last = model.first_reducer[coflow], model.first_reducer[coflow + 1]
    if policy == SCF:
        return float(model.largest_reducer[coflow] / model.mappers[coflow])
    if policy == NCF:
        return float(min(model.mappers[coflow], last - first))
    if policy == SEBF:
        return float(model.alpha[coflow])
    left = 0.0
    for reducer in range(first, last):
        left += state.lcf_left[reducer]
    return left


@kernel
def _requeued(state: State, order: Ints) -> Ints:
    """DARK's queues, one after the other: who has completed more than a queue's limit goes to the end of the next."""
    limit = _FIRST_LIMIT
    for queue in range(_QUEUES - 1):
        for coflow in order:
            if state.queue[coflow] == queue and state.completed[coflow] > limit:
                state.queue[coflow] = queue + 1
                order = np.concatenate((order[order != coflow], np.array([coflow])))
        limit *= _LIMIT_FACTOR
    return order[np.argsort(state.queue[order], kind="mergesort")]
