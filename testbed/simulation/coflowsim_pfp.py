"""CoflowSim's PFP: in every quantum each out port lets one flow send, at full rate (compiled).

Each out port keeps its flows in a list; a new flow is inserted before the first that has more bytes left than the new
one in all, so the list is in order of size at insertion.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel
from testbed.simulation.coflowsim_model import END_MS, EPOCH_MS, QUANTUM_BYTES, QUANTUM_MS, ZERO, Flags, Ids, Model


@kernel
def simulate_pfp(model: Model) -> tuple[Floats, Floats]:
    """Start and finish of every coflow in ms (finish -1: not finished)."""
    coflows, reducers, flows = len(model.arrival_ms), len(model.reducer_port), len(model.flow_source)
    start, finish = np.full(coflows, -1.0), np.full(coflows, -1.0)
    remaining, reducer_left = model.flow_bytes.copy(), model.reducer_bytes.copy()
    reducer_flows, coflow_reducers = np.diff(model.first_flow), np.diff(model.first_reducer)
    reducer_done = np.zeros(reducers, dtype=np.bool_)
    listed = np.empty(flows, dtype=np.int32)  # the out ports' lists, each in its own stretch
    first, length = _stretches(model), np.zeros(model.ports, dtype=np.int64)
    busy = np.zeros(model.ports, dtype=np.bool_)
    admitted, active = 0, 0
    for epoch in range(0, END_MS, EPOCH_MS):
        if admitted == coflows and active == 0:
            break
        while admitted < coflows and model.arrival_ms[admitted] <= epoch + EPOCH_MS:
            _insert(model, admitted, remaining, listed, first, length)
            start[admitted] = epoch
            admitted += 1
            active += 1
        for now in range(epoch, epoch + EPOCH_MS, QUANTUM_MS):
            if active == 0:
                break
            busy[:] = False
            for port in range(model.ports):
                at = _first_free(model, busy, listed, first[port], first[port] + length[port])
                if at < 0:
                    continue
                flow = listed[at]
                busy[model.flow_source[flow]] = True
                moved = min(QUANTUM_BYTES, remaining[flow])
                remaining[flow] -= moved
                reducer = model.flow_reducer[flow]
                if remaining[flow] <= ZERO:
                    reducer_flows[reducer] -= 1
                    length[port] -= 1
                    listed[at : first[port] + length[port]] = listed[at + 1 : first[port] + length[port] + 1]
                reducer_left[reducer] -= moved
                if (reducer_left[reducer] <= ZERO or reducer_flows[reducer] == 0) and not reducer_done[reducer]:
                    reducer_done[reducer] = True
                    coflow = model.reducer_coflow[reducer]
                    coflow_reducers[coflow] -= 1
                    if coflow_reducers[coflow] == 0:
                        finish[coflow] = now + QUANTUM_MS
                        active -= 1
    return start, finish


@kernel
def _first_free(model: Model, busy: Flags, listed: Ids, low: int, high: int) -> int:
    """Place of the first flow in a list whose in port is not busy in this quantum, or -1."""
    for k in range(low, high):
        if not busy[model.flow_source[listed[k]]]:
            return k
    return -1


@kernel
def _stretches(model: Model) -> Ints:
    """Where each out port's list begins."""
    flows = np.zeros(model.ports + 1, dtype=np.int64)
    for reducer in range(len(model.reducer_port)):
        flows[model.reducer_port[reducer] + 1] += model.first_flow[reducer + 1] - model.first_flow[reducer]
    return np.cumsum(flows)


@kernel
def _insert(model: Model, coflow: int, remaining: Floats, listed: Ids, first: Ints, length: Ints) -> None:
    """Put the coflow's flows into the lists of their out ports: a reducer's flows are equal, so they stay together."""
    for reducer in range(model.first_reducer[coflow], model.first_reducer[coflow + 1]):
        port = model.reducer_port[reducer]
        flow, last = model.first_flow[reducer], model.first_flow[reducer + 1]
        end = first[port] + length[port]
        at = first[port]
        while at < end and remaining[listed[at]] <= model.flow_bytes[flow]:
            at += 1
        for k in range(end - 1, at - 1, -1):
            listed[k + last - flow] = listed[k]
        for k in range(last - flow):
            listed[at + k] = flow + k
        length[port] += last - flow
