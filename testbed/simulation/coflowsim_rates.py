"""The rates that CoflowSim's coflow-level schedulers give: MADD with its two fillings, and DARK's (compiled).

All rates are in bits per second. `order` lists the active coflows, first served first; `live` says which flows have
bytes left; the result is written to `rate`, per flow. A rate stays until the next coflow event, whatever its flow does.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel
from testbed.simulation.coflowsim_model import PORT_BPS, ZERO, Flags, Model

_SKIP = -1.0
_LEAST = 5e-324  # the least positive double: Java's starting point for a maximum


@kernel
def madd_rates(
    model: Model,
    order: Ints,
    start: Floats,
    now: int,
    remaining: Floats,
    reducer_left: Floats,
    live: Flags,
    rate: Floats,
) -> None:
    """MADD in `order`; what is left goes to the skipped coflows as one, then to all by the time to their deadline."""
    free_in, free_out = np.full(model.ports, PORT_BPS), np.full(model.ports, PORT_BPS)
    skipped = np.empty(len(order), dtype=np.int64)
    skips = 0
    for coflow in order:
        seconds = _seconds_alone(model, coflow, free_in, free_out, remaining, reducer_left, live)
        if seconds == _SKIP:
            skipped[skips] = coflow
            skips += 1
        _proportional(model, coflow, seconds, free_in, free_out, remaining, live, rate)
    equal_rates(model, skipped[:skips], free_in, free_out, live, rate)
    left_ms = np.empty(len(order), dtype=np.int64)
    for i, coflow in enumerate(order):
        left_ms[i] = int(start[coflow] + model.deadline_ms[coflow] - now)
    for i in np.argsort(left_ms, kind="mergesort"):
        _fill(model, order[i], free_in, free_out, live, rate)


@kernel
def _seconds_alone(
    model: Model, coflow: int, free_in: Floats, free_out: Floats, remaining: Floats, reducer_left: Floats, live: Flags
) -> float:
    """Seconds that the coflow needs on what is free, or _SKIP if a port that it needs has nothing free."""
    send, receive = np.zeros(model.ports), np.zeros(model.ports)
    for reducer in range(model.first_reducer[coflow], model.first_reducer[coflow + 1]):
        receive[model.reducer_port[reducer]] = reducer_left[reducer]
        for flow in range(model.first_flow[reducer], model.first_flow[reducer + 1]):
            if live[flow]:
                send[model.flow_source[flow]] += remaining[flow]
    seconds = _LEAST
    for port in range(model.ports):
        if (send[port] > 0 and free_in[port] <= ZERO) or (receive[port] > 0 and free_out[port] <= ZERO):
            return _SKIP
        # rounding can leave a finished reducer, and what is free, a hair below 0: their quotient counts in CoflowSim
        seconds = _larger(_larger(seconds, send[port] * 8 / free_in[port]), receive[port] * 8 / free_out[port])
    return seconds


@kernel
def _larger(most: float, value: float) -> float:
    """The maximum as Java's comparison gives it: 0 bytes over nothing free is no number, and is passed over."""
    return value if value > most else most


@kernel
def _proportional(
    model: Model,
    coflow: int,
    seconds: float,
    free_in: Floats,
    free_out: Floats,
    remaining: Floats,
    live: Flags,
    rate: Floats,
) -> None:
    """Rates with which all flows of the coflow end together; 0 where it is skipped. Capacity is lowered at the end."""
    used_in, used_out = np.zeros(model.ports), np.zeros(model.ports)
    for reducer in range(model.first_reducer[coflow], model.first_reducer[coflow + 1]):
        port = model.reducer_port[reducer]
        for flow in range(model.first_flow[reducer], model.first_flow[reducer + 1]):
            rate[flow] = 0.0
            if not live[flow] or seconds == _SKIP or free_out[port] <= ZERO:
                continue
            source = model.flow_source[flow]
            given = remaining[flow] * 8 / seconds
            if given > free_in[source] or given > free_out[port]:
                given = min(free_in[source], free_out[port])
            used_in[source] += given
            used_out[port] += given
            rate[flow] = given
    free_in -= used_in
    free_out -= used_out


@kernel
def equal_rates(model: Model, group: Ints, free_in: Floats, free_out: Floats, live: Flags, rate: Floats) -> None:
    """Each live flow of the coflows in `group` gets its equal part of the tighter of its two ports.

    Flows at a port with nothing free get 0 and are not counted; capacity is lowered after the whole group.
    """
    at_source, at_port = np.zeros(model.ports, dtype=np.int64), np.zeros(model.ports, dtype=np.int64)
    used_in, used_out = np.zeros(model.ports), np.zeros(model.ports)
    for coflow in group:
        for reducer in range(model.first_reducer[coflow], model.first_reducer[coflow + 1]):
            port = model.reducer_port[reducer]
            for flow in range(model.first_flow[reducer], model.first_flow[reducer + 1]):
                if live[flow] and free_out[port] > ZERO and free_in[model.flow_source[flow]] > ZERO:
                    at_source[model.flow_source[flow]] += 1
                    at_port[port] += 1
    for coflow in group:
        for reducer in range(model.first_reducer[coflow], model.first_reducer[coflow + 1]):
            port = model.reducer_port[reducer]
            for flow in range(model.first_flow[reducer], model.first_flow[reducer + 1]):
                source = model.flow_source[flow]
                rate[flow] = 0.0
                if not live[flow] or free_out[port] <= ZERO or free_in[source] <= ZERO:
                    continue
                given = min(free_in[source] / at_source[source], free_out[port] / at_port[port])
                rate[flow] = given if given > ZERO else 0.0
                used_in[source] += rate[flow]
                used_out[port] += rate[flow]
    free_in -= used_in
    free_out -= used_out


@kernel
def _fill(model: Model, coflow: int, free_in: Floats, free_out: Floats, live: Flags, rate: Floats) -> None:
    """Each live flow takes all that is free on both its ports, in order of the reducers' ports."""
    for reducer in range(model.first_reducer[coflow], model.first_reducer[coflow + 1]):
        port = model.reducer_port[reducer]
        if free_out[port] <= ZERO:
            continue
        for flow in range(model.first_flow[reducer], model.first_flow[reducer + 1]):
            if live[flow]:
                given = min(free_in[model.flow_source[flow]], free_out[port])
                if given > ZERO:
                    rate[flow] += given
                    free_in[model.flow_source[flow]] -= given
                    free_out[port] -= given


@kernel
def dark_rates(model: Model, order: Ints, live: Flags, rate: Floats) -> None:
    """Coflow by coflow, equal parts of what those before left; nothing is filled afterwards."""
    free_in, free_out = np.full(model.ports, PORT_BPS), np.full(model.ports, PORT_BPS)
    for i in range(len(order)):
        equal_rates(model, order[i : i + 1], free_in, free_out, live, rate)
