"""CoflowSim's quanta between two coflow events, when all rates stand still (compiled).

Every subtraction is done as CoflowSim does it, one quantum after the other, so that every rounding comes out the
same; but quanta in which nothing can end are done in bulk, coflow by coflow and without looking at the outcome.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel
from testbed.simulation.coflowsim_model import QUANTUM_MS, SECOND_MS, ZERO, Flags, Ids, Model

MARGIN = 1 - 1e-9
"""On every estimate of how long something lasts: far more than rounding can add up to."""
_CHUNK = 512


class State(NamedTuple):
    """What changes while the clock runs; arrays over flows, reducers or coflows."""

    remaining: Floats
    live: Flags
    """Which flows have bytes left."""
    rate: Floats
    reducer_left: Floats
    reducer_flows: Ints
    """Live flows of each reducer."""
    reducer_done: Flags
    reducer_dropped: Flags
    """Done when the ports' lists were last made: if flows of it are live (rounding), they send no more."""
    lcf_left: Floats
    """Per reducer, what LCF's order counts as still to come."""
    coflow_reducers: Ints
    """Unfinished reducers of each coflow."""
    completed: Floats
    """Per coflow, bytes moved: what DARK's queues go by."""
    queue: Ints
    start: Floats
    finish: Floats


class Sending(NamedTuple):
    """The flows with a rate: coflow by coflow, there reducer by reducer (a *run*), there in order of the mappers."""

    flow: Ids
    source: Ids
    """In port of each flow."""
    step: Floats
    """Bytes per quantum."""
    remaining: Floats
    run_reducer: Ids
    run_first: Ints
    """Run i is flow[run_first[i] : run_first[i + 1]]."""
    coflow: Ids
    coflow_first: Ints
    """Coflow i has the runs from coflow_first[i] to coflow_first[i + 1]."""


@kernel
def initial_state(model: Model) -> State:
    """Nothing admitted, nothing moved."""
    coflows, reducers, flows = len(model.arrival_ms), len(model.reducer_port), len(model.flow_source)
    return State(
        model.flow_bytes.copy(),  # remaining
        np.ones(flows, dtype=np.bool_),  # live
        np.zeros(flows),  # rate
        model.reducer_bytes.copy(),  # reducer_left
        np.diff(model.first_flow),  # reducer_flows
        np.zeros(reducers, dtype=np.bool_),  # reducer_done
        np.zeros(reducers, dtype=np.bool_),  # reducer_dropped
        model.reducer_bytes_first.copy(),  # lcf_left
        np.diff(model.first_reducer),  # coflow_reducers
        np.zeros(coflows),  # completed
        np.zeros(coflows, dtype=np.int64),  # queue
        np.full(coflows, -1.0),  # start
        np.full(coflows, -1.0),  # finish
    )


@kernel
def sending_flows(model: Model, state: State, order: Ints) -> Sending:
    """Gather the live flows that have a rate."""
    flows, runs = 0, 0
    for coflow in order:
        first, last = model.first_reducer[coflow], model.first_reducer[coflow + 1]
        runs += last - first
        flows += model.first_flow[last] - model.first_flow[first]
    flow_ids, source = np.empty(flows, dtype=np.int32), np.empty(flows, dtype=np.int32)
    step, remaining = np.empty(flows), np.empty(flows)
    run_reducer, run_first = np.empty(runs, dtype=np.int32), np.zeros(runs + 1, dtype=np.int64)
    coflow_ids, coflow_first = order.astype(np.int32), np.zeros(len(order) + 1, dtype=np.int64)
    flows, runs = 0, 0
    for i, coflow in enumerate(order):
        for reducer in range(model.first_reducer[coflow], model.first_reducer[coflow + 1]):
            if state.reducer_dropped[reducer]:
                continue
            begin = flows
            for flow in range(model.first_flow[reducer], model.first_flow[reducer + 1]):
                if state.live[flow] and state.rate[flow] > 0:
                    flow_ids[flows] = flow
                    source[flows] = model.flow_source[flow]
                    step[flows] = state.rate[flow] / 8 * (QUANTUM_MS / SECOND_MS)
                    remaining[flows] = state.remaining[flow]
                    flows += 1
            if flows > begin:
                run_reducer[runs] = reducer
                runs += 1
                run_first[runs] = flows
        coflow_first[i + 1] = runs
    return Sending(
        flow_ids, source, step, remaining, run_reducer[:runs], run_first[: runs + 1], coflow_ids, coflow_first
    )


@kernel
def put_back(state: State, sending: Sending) -> None:
    """Write the remaining bytes back to the flows."""
    for k in range(sending.run_first[-1]):
        state.remaining[sending.flow[k]] = sending.remaining[k]


@kernel
def quanta_without_event(state: State, sending: Sending, most: int) -> int:
    """How many quanta, up to `most`, certainly end no coflow: a coflow ends with the last of its reducers."""
    safe = most
    for i in range(len(sending.coflow)):
        first, last = sending.coflow_first[i], sending.coflow_first[i + 1]
        longest, unfinished = 0, 0
        for run in range(first, last):
            if not state.reducer_done[sending.run_reducer[run]]:
                unfinished += 1
                longest = max(longest, _reducer_quanta(state, sending, run, safe))
        if unfinished == state.coflow_reducers[sending.coflow[i]]:  # else a reducer without a rate keeps it alive
            safe = min(safe, longest)
    return safe


@kernel
def _reducer_quanta(state: State, sending: Sending, run: int, most: int) -> int:
    """How many quanta, up to `most`, the reducer certainly needs more."""
    low, high = sending.run_first[run], sending.run_first[run + 1]
    moved, remaining = 0.0, 0.0
    for k in range(low, high):
        if sending.step[k] > 0:
            moved += sending.step[k]
            remaining += sending.remaining[k]
    left = min(remaining, state.reducer_left[sending.run_reducer[run]]) - (high - low + 1) * ZERO
    if moved == 0:
        return most
    return int(max(min(left * MARGIN / moved, most), 0))


@kernel
def advance(state: State, sending: Sending, quanta: int, end_ms: int, lcf: bool, dark: bool) -> bool:
    """Move what the rates give in so many quanta, the last of which ends at `end_ms`; whether a coflow finished.

    No coflow may be able to finish before the last quantum.
    """
    event = False
    for i in range(len(sending.coflow)):
        first, last = sending.coflow_first[i], sending.coflow_first[i + 1]
        if first == last:
            continue
        ahead = quanta
        while ahead:
            bulk = min(_quanta_without_end(state, sending, first, last, ahead), ahead)
            if bulk:
                move_in_bulk(state, sending, sending.coflow[i], first, last, bulk, lcf, dark)
                ahead -= bulk
            if ahead:
                ahead -= 1
                event |= move_once(state, sending, sending.coflow[i], first, last, end_ms, lcf, dark)
    return event


@kernel
def _quanta_without_end(state: State, sending: Sending, first: int, last: int, most: int) -> int:
    """How many quanta, up to `most`, certainly end no flow and no reducer of the runs."""
    safe = float(most)
    for run in range(first, last):
        moved = 0.0
        for k in range(sending.run_first[run], sending.run_first[run + 1]):
            if sending.step[k] > 0:
                moved += sending.step[k]
                safe = min(safe, (sending.remaining[k] - ZERO) * MARGIN / sending.step[k])
        if moved > 0 and not state.reducer_done[sending.run_reducer[run]]:
            safe = min(safe, (state.reducer_left[sending.run_reducer[run]] - ZERO) * MARGIN / moved)
    return int(max(safe, 0))


@kernel
def move_in_bulk(
    state: State, sending: Sending, coflow: int, first: int, last: int, quanta: int, lcf: bool, dark: bool
) -> None:
    """Several quanta of some runs, in which no flow of them may end."""
    low, high = sending.run_first[first], sending.run_first[last]
    for begin in range(low, high, _CHUNK):
        end = min(begin + _CHUNK, high)
        for _ in range(quanta):
            for k in range(begin, end):
                sending.remaining[k] -= sending.step[k]
    _drain(state.reducer_left, sending, first, last, quanta, -np.inf)
    if lcf:
        _drain(state.lcf_left, sending, first, last, quanta, 0.0)
    if dark:
        completed = state.completed[coflow]
        for _ in range(quanta):
            for k in range(low, high):
                completed += sending.step[k]
        state.completed[coflow] = completed


@kernel
def _drain(left: Floats, sending: Sending, first: int, last: int, quanta: int, floor: float) -> None:
    """Lower the runs' reducers in `left` flow by flow, never below `floor`.

    Each subtraction waits for the one before it, so four reducers are lowered side by side: that is four times faster.
    """
    step, at, reducer = sending.step, sending.run_first, sending.run_reducer
    for run in range(first, last, 4):
        a = run
        b, c, d = min(a + 1, last - 1), min(a + 2, last - 1), min(a + 3, last - 1)
        left_a, left_b, left_c, left_d = left[reducer[a]], left[reducer[b]], left[reducer[c]], left[reducer[d]]
        together = min(min(at[a + 1] - at[a], at[b + 1] - at[b]), min(at[c + 1] - at[c], at[d + 1] - at[d]))
        for _ in range(quanta):
            for k in range(together):
                left_a = _lowered(left_a, step[at[a] + k], floor)
                left_b = _lowered(left_b, step[at[b] + k], floor)
                left_c = _lowered(left_c, step[at[c] + k], floor)
                left_d = _lowered(left_d, step[at[d] + k], floor)
            for k in range(at[a] + together, at[a + 1]):
                left_a = _lowered(left_a, step[k], floor)
            for k in range(at[b] + together, at[b + 1]):
                left_b = _lowered(left_b, step[k], floor)
            for k in range(at[c] + together, at[c + 1]):
                left_c = _lowered(left_c, step[k], floor)
            for k in range(at[d] + together, at[d + 1]):
                left_d = _lowered(left_d, step[k], floor)
        # where fewer than four are left, the last run was lowered more than once, each time from the same start
        left[reducer[a]], left[reducer[b]], left[reducer[c]], left[reducer[d]] = left_a, left_b, left_c, left_d


@kernel
def _lowered(left: float, by: float, floor: float) -> float:
    lower = left - by
    return lower if lower > floor else floor


@kernel
def move_once(
    state: State, sending: Sending, coflow: int, first: int, last: int, end_ms: int, lcf: bool, dark: bool
) -> bool:
    """One quantum of a coflow in which flows may end (their step becomes 0); whether the coflow finished."""
    for run in range(first, last):
        reducer = sending.run_reducer[run]
        for k in range(sending.run_first[run], sending.run_first[run + 1]):
            if sending.step[k] == 0:
                continue
            moved = min(sending.step[k], sending.remaining[k])
            sending.remaining[k] -= moved
            if sending.remaining[k] <= ZERO:
                sending.step[k] = 0.0
                state.live[sending.flow[k]] = False
                state.reducer_flows[reducer] -= 1
            state.reducer_left[reducer] -= moved
            if lcf:
                state.lcf_left[reducer] = max(state.lcf_left[reducer] - moved, 0.0)
            if dark:
                state.completed[coflow] += moved
            if state.reducer_done[reducer]:
                continue
            if state.reducer_left[reducer] <= ZERO or state.reducer_flows[reducer] == 0:
                state.reducer_done[reducer] = True
                state.reducer_left[reducer] = 0.0
                state.coflow_reducers[coflow] -= 1
                if state.coflow_reducers[coflow] == 0:
                    state.finish[coflow] = end_ms
    return bool(state.finish[coflow] >= 0)
