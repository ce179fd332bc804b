"""Traces from traces: other sizes, other times, another meaning of a megabyte."""

from __future__ import annotations

from dataclasses import replace

from testbed.workload.trace import Trace, TraceCoflow


def scaled(trace: Trace, size: float = 1.0, time: float = 1.0) -> Trace:
    """The same with all sizes and all arrivals multiplied; a file whose MB are 2^20 bytes has 2^20 / 10^6 as many."""
    return replace(trace, coflows=tuple(_scaled(coflow, size, time) for coflow in trace.coflows))


def from_zero(trace: Trace) -> Trace:
    """The same, moved so that the first coflow arrives at 0."""
    first = min(coflow.arrival_s for coflow in trace.coflows)
    return replace(
        trace,
        coflows=tuple(replace(coflow, arrival_s=round(coflow.arrival_s - first, 9)) for coflow in trace.coflows),
    )


def _scaled(coflow: TraceCoflow, size: float, time: float) -> TraceCoflow:
    return replace(
        coflow,
        arrival_s=round(coflow.arrival_s * time, 9),
        reducers=tuple((port, megabytes * size) for port, megabytes in coflow.reducers),
    )
