"""CoflowSim's FAIR: each flow gets the lesser of its equal parts of its two ports, nothing is redistributed (compiled).

The parts change only when a flow ends or an epoch admits someone: quanta in between are done in bulk.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats
from testbed.scheduling.compiled import kernel
from testbed.simulation.coflowsim_model import END_MS, EPOCH_MS, QUANTUM_BYTES, QUANTUM_MS, ZERO, Model
from testbed.simulation.coflowsim_quanta import (
    MARGIN,
    Sending,
    State,
    initial_state,
    move_in_bulk,
    move_once,
    put_back,
    sending_flows,
)


@kernel
def simulate_fair(model: Model) -> tuple[Floats, Floats]:
    """Start and finish of every coflow in ms (finish -1: not finished)."""
    state = initial_state(model)
    state.rate[:] = 1.0  # every live flow sends; how much, _shared says
    order = np.empty(0, dtype=np.int64)
    sending = sending_flows(model, state, order)
    coflows, admitted = len(model.arrival_ms), 0
    for epoch in range(0, END_MS, EPOCH_MS):
        if admitted == coflows and len(order) == 0:
            break
        before = admitted
        while admitted < coflows and model.arrival_ms[admitted] <= epoch + EPOCH_MS:
            state.start[admitted] = epoch
            admitted += 1
        if admitted > before or len(sending.coflow) > len(order):
            order = np.concatenate((order, np.arange(before, admitted)))
            put_back(state, sending)
            sending = sending_flows(model, state, order)
        left = EPOCH_MS // QUANTUM_MS
        while left and len(order):
            bulk = _shared(model, state, sending, left)
            if bulk:
                move_in_bulk(state, sending, 0, 0, len(sending.run_reducer), bulk, False, False)
                left -= bulk
            if left:
                left -= 1
                if _move_all(state, sending, epoch + EPOCH_MS - left * QUANTUM_MS):
                    order = order[state.finish[order] < 0]
    return state.start, state.finish


@kernel
def _shared(model: Model, state: State, sending: Sending, most: int) -> int:
    """Set what each flow moves in a quantum; how many quanta, up to `most`, certainly end no flow and no reducer."""
    at_source, at_port = np.zeros(model.ports), np.zeros(model.ports)
    for run in range(len(sending.run_reducer)):
        port = model.reducer_port[sending.run_reducer[run]]
        for k in range(sending.run_first[run], sending.run_first[run + 1]):
            if sending.step[k] > 0:
                at_source[sending.source[k]] += 1
                at_port[port] += 1
    of_source = QUANTUM_BYTES / np.maximum(at_source, 1)
    safe, least = float(most), np.inf
    for run in range(len(sending.run_reducer)):
        reducer = sending.run_reducer[run]
        crowd = at_port[model.reducer_port[reducer]]
        share, moved = QUANTUM_BYTES / max(crowd, 1), 0.0
        for k in range(sending.run_first[run], sending.run_first[run + 1]):
            if sending.step[k] > 0:
                sending.step[k] = min(share, of_source[sending.source[k]])
                moved += sending.step[k]
                # bytes over step, without a division for every flow
                least = min(least, (sending.remaining[k] - ZERO) * max(crowd, at_source[sending.source[k]]))
        if moved > 0 and not state.reducer_done[reducer]:
            safe = min(safe, (state.reducer_left[reducer] - ZERO) * MARGIN / moved)
    return int(max(min(safe, least / QUANTUM_BYTES * MARGIN), 0))


@kernel
def _move_all(state: State, sending: Sending, end_ms: int) -> bool:
    """One quantum of every coflow; whether one finished."""
    finished = False
    for i in range(len(sending.coflow)):
        first, last = sending.coflow_first[i], sending.coflow_first[i + 1]
        if state.finish[sending.coflow[i]] < 0:
            finished |= move_once(state, sending, sending.coflow[i], first, last, end_ms, False, False)
    return finished
