"""What is in a trace: counts, bins, bytes, load per port, Gamma of each coflow alone, arrivals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.workload.synthetic_fit import NARROW_FLOWS, SHORT_BELOW_MEGABYTES
from testbed.workload.trace import Trace

BINS = ("SN", "LN", "SW", "LW")
"""Short narrow, long narrow, short wide, long wide. Short: longest flow under 5 MB; narrow: at most 50 flows."""


@dataclass(frozen=True)
class Spread:
    """A column in short."""

    mean: float
    median: float
    p95: float
    largest: float


@dataclass(frozen=True)
class Bin:
    """What falls into one bin."""

    coflows: int
    coflow_share: float
    byte_share: float


@dataclass(frozen=True)
class TraceInfo:
    """The figures of a trace; megabytes are the file's, seconds and bytes/s follow from what a megabyte means."""

    ports: int
    base: int
    """What the file counts ports from."""
    base_is_sure: bool
    """False where the file has neither a port 0 nor a port equal to the number of ports."""
    coflows: int
    flows: int
    widest: int
    single_flow: int
    """Coflows of one flow."""
    loopback_flows: int
    """Flows from a port to itself."""
    megabytes: float
    smallest_megabytes: float
    largest_megabytes: float
    largest_share: float
    """Share of all bytes that the largest coflow has."""
    bins: dict[str, Bin]
    gamma_s: Spread
    """CCT of each coflow alone on the big switch, the least it can be."""
    first_arrival_s: float
    last_arrival_s: float
    gap_mean_s: float
    gap_variation: float
    """Coefficient of variation of the gaps between arrivals: 1 for Poisson."""
    in_load: Spread
    """Per in port, bytes offered between first and last arrival as a share of capacity (NaN with one arrival)."""
    out_load: Spread


def trace_info(trace: Trace, megabyte: int, port_rate_Bps: float) -> TraceInfo:
    """All figures of a trace on ports of `port_rate_Bps` bytes/s each way."""
    width = np.array([coflow.width for coflow in trace.coflows])
    megabytes = np.array([coflow.megabytes for coflow in trace.coflows])
    longest = np.array([coflow.longest_flow_megabytes for coflow in trace.coflows])
    arrivals = np.sort([coflow.arrival_s for coflow in trace.coflows])
    gaps = np.diff(arrivals)
    sent, received = _port_megabytes(trace)
    capacity = (arrivals[-1] - arrivals[0]) * port_rate_Bps / megabyte
    used = [port for coflow in trace.coflows for port in (*coflow.mappers, *(to for to, _ in coflow.reducers))]
    return TraceInfo(
        ports=trace.ports,
        base=trace.base,
        base_is_sure=trace.base == 1 or min(used) == 0,
        coflows=len(trace.coflows),
        flows=int(width.sum()),
        widest=int(width.max()),
        single_flow=int((width == 1).sum()),
        loopback_flows=sum(_loopback(coflow.mappers, coflow.reducers) for coflow in trace.coflows),
        megabytes=float(megabytes.sum()),
        smallest_megabytes=float(megabytes.min()),
        largest_megabytes=float(megabytes.max()),
        largest_share=float(megabytes.max() / megabytes.sum()),
        bins=_bins(width, megabytes, longest),
        gamma_s=_spread(gammas_s(trace, megabyte, port_rate_Bps)),
        first_arrival_s=float(arrivals[0]),
        last_arrival_s=float(arrivals[-1]),
        gap_mean_s=float(gaps.mean()) if len(gaps) else np.nan,
        gap_variation=float(gaps.std() / gaps.mean()) if capacity > 0 else np.nan,
        in_load=_spread(sent / capacity if capacity > 0 else np.full(trace.ports, np.nan)),
        out_load=_spread(received / capacity if capacity > 0 else np.full(trace.ports, np.nan)),
    )


def gammas_s(trace: Trace, megabyte: int, port_rate_Bps: float) -> Floats:
    """Gamma of each coflow alone on the empty big switch: its busiest port's bytes over the port's rate."""
    busiest = np.zeros(len(trace.coflows))
    for coflow, port, megabytes in (_sent(trace), _received(trace)):
        pairs, pair = np.unique(coflow * trace.ports + port, return_inverse=True)
        np.maximum.at(busiest, pairs // trace.ports, np.bincount(pair, megabytes))
    return busiest * megabyte / port_rate_Bps


def _sent(trace: Trace) -> tuple[Ints, Ints, Floats]:
    """Per mapper: row of its coflow, port, megabytes."""
    counts = np.array([len(coflow.mappers) for coflow in trace.coflows])
    each = np.array([coflow.megabytes for coflow in trace.coflows]) / counts
    ports = np.array([port for coflow in trace.coflows for port in coflow.mappers])
    return np.repeat(np.arange(len(counts)), counts), ports, np.repeat(each, counts)


def _received(trace: Trace) -> tuple[Ints, Ints, Floats]:
    """Per reducer: row of its coflow, port, megabytes."""
    counts = [len(coflow.reducers) for coflow in trace.coflows]
    ports = np.array([port for coflow in trace.coflows for port, _ in coflow.reducers])
    megabytes = np.array([megabytes for coflow in trace.coflows for _, megabytes in coflow.reducers])
    return np.repeat(np.arange(len(counts)), counts), ports, megabytes


def _port_megabytes(trace: Trace) -> tuple[Floats, Floats]:
    (_, source, sent), (_, target, received) = _sent(trace), _received(trace)
    return (
        np.bincount(source, sent, trace.ports).astype(np.float64),
        np.bincount(target, received, trace.ports).astype(np.float64),
    )


def _loopback(mappers: tuple[int, ...], reducers: tuple[tuple[int, float], ...]) -> int:
    senders = set(mappers)
    if len(senders) == len(mappers):
        return sum(port in senders for port, _ in reducers)
    return sum(mappers.count(port) for port, _ in reducers)


def _bins(width: Ints, megabytes: Floats, longest: Floats) -> dict[str, Bin]:
    narrow, short = width <= NARROW_FLOWS, longest < SHORT_BELOW_MEGABYTES
    bins = {}
    for name in BINS:
        here = (short == (name[0] == "S")) & (narrow == (name[1] == "N"))
        bins[name] = Bin(int(here.sum()), float(here.mean()), float(megabytes[here].sum() / megabytes.sum()))
    return bins


def _spread(values: Floats) -> Spread:
    return Spread(float(values.mean()), float(np.median(values)), float(np.percentile(values, 95)), float(values.max()))
