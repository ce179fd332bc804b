"""How much a datapath has to forward, and what share that is of what it can: pure arithmetic on plans.

Forwarding costs by the frame and by the byte, at every switch that is crossed: `frame_s + byte_s * bytes` seconds of
the datapath's time for each frame and hop, acknowledgements included. A share of 1 is all that the datapath forwarded
when it was offered more than it can. docs/calibration.md tells how that was measured, and how well it predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.fabric import IP_TCP_HEADERS, Fabric, goodput_share
from testbed.plan import Plan
from testbed.segments import frames_together
from testbed.topology.build import shape_of

FRAMES_PER_SEGMENT = 1.5
"""A data segment, and half an acknowledgement the other way."""
WINDOW_S = 1.0
"""Over which the busiest moment is averaged: what is shorter, queues take up."""
_LEAST_FLOW_S = 1e-3
"""A flow is not spread over less: one of no bytes starts and ends at one instant."""


@dataclass(frozen=True)
class Load:
    """What switches forward per second; a frame that crosses five of them counts five times."""

    frames: float
    """Frames x hops per second. Frames that the kernel forwards together, as one segment, are one."""
    bytes: float
    """Bytes x hops per second, headers included."""


@dataclass(frozen=True)
class Cost:
    """Seconds of a datapath's time per frame and hop, and per byte and hop."""

    frame_s: float
    byte_s: float

    def share(self, load: Load) -> float:
        """Of what the datapath can forward: 1 is all of it."""
        return self.frame_s * load.frames + self.byte_s * load.bytes


@dataclass(frozen=True)
class Prediction:
    """The load of one emulated plan."""

    busiest: Load
    """In its busiest second."""
    average: Load
    """From its first start to its last finish."""
    fullest: Load
    """If every host sent and received at its link's full rate over the longest path: no workload loads it more."""
    scheduled: bool
    """Whether `busiest` and `average` come from when the flows run; where that is not known, both are `fullest`."""


def load_of(goodput_Bps: float, mtu: int, frames_in_segment: int) -> Load:
    """The load of so much TCP payload x hops per second."""
    segments = goodput_Bps / ((mtu - IP_TCP_HEADERS) * frames_in_segment)
    return Load(FRAMES_PER_SEGMENT * segments, goodput_Bps / goodput_share(mtu))


def frames_in_segment(fabric: Fabric, datapath: str, scale: float = 1.0) -> int:
    """How many frames the datapath forwards as one; only routers are handed segments of several."""
    return frames_together(fabric, scale) if datapath == "router" else 1


def fullest(fabric: Fabric, datapath: str, scale: float = 1.0) -> Load:
    """Every host sends and receives at full rate, as far as the links between switches let them.

    `scale`: if every link had so many times its rate.
    """
    hops = max(shape_of(fabric).path_lengths) - 1
    switches = {node.name for node in fabric.switches}
    inward = np.array([link.target in switches for link in fabric.links])
    capacity_Bps = fabric.capacity_Bps
    goodput_Bps = scale * min(float(capacity_Bps[fabric.uplink].sum()) * hops, float(capacity_Bps[inward].sum()))
    return load_of(goodput_Bps, fabric.mtu, frames_in_segment(fabric, datapath, scale))


def predict(plan: Plan, datapath: str, start_s: Floats, finish_s: Floats, received_bytes: Ints) -> Prediction:
    """The load of a plan whose flows run from `start_s` to `finish_s` (NaN: to the end) and move `received_bytes`.

    All are per flow, as a simulation of the plan has them; each flow counts with its average rate between the two.
    """
    ran = ~np.isnan(start_s) & (received_bytes > 0)
    most = fullest(plan.fabric, datapath)
    if not ran.any():
        return Prediction(Load(0.0, 0.0), Load(0.0, 0.0), most, scheduled=True)
    end_s = float(np.nanmax(np.append(finish_s, start_s + _LEAST_FLOW_S)))
    begin = start_s[ran]
    end = np.maximum(np.where(np.isnan(finish_s), end_s, finish_s)[ran], begin + _LEAST_FLOW_S)
    work = (received_bytes * (np.diff(plan.flows.path_ptr) - 1))[ran].astype(np.float64)
    busiest_Bps, average_Bps = _busiest_and_average(begin, end, work)
    segment = frames_in_segment(plan.fabric, datapath)
    busiest, average = (load_of(goodput, plan.fabric.mtu, segment) for goodput in (busiest_Bps, average_Bps))
    # Average rates of flows that take turns may add up to more than their links have.
    return Prediction(min(busiest, most, key=lambda load: load.bytes), average, most, scheduled=True)


def predict_fullest(plan: Plan, datapath: str) -> Prediction:
    """The prediction for a plan of which it is not known when its flows run."""
    most = fullest(plan.fabric, datapath)
    return Prediction(most, most, most, scheduled=False)


def _busiest_and_average(begin: Floats, end: Floats, work: Floats) -> tuple[float, float]:
    """Work per second: the most over any WINDOW_S, and over all. Each piece of work is spread evenly."""
    edges = np.unique(np.concatenate((begin, end)))
    change = np.zeros(len(edges))
    rate = work / (end - begin)
    np.add.at(change, np.searchsorted(edges, begin), rate)
    np.add.at(change, np.searchsorted(edges, end), -rate)
    done = np.concatenate(([0.0], np.cumsum(np.cumsum(change)[:-1] * np.diff(edges))))
    lasts = float(edges[-1] - edges[0])
    window = min(WINDOW_S, lasts)
    # Work done is piecewise linear, so the busiest window begins or ends where it bends.
    opens = np.clip(np.concatenate((edges, edges - window)), edges[0], edges[-1] - window)
    inside = np.interp(opens + window, edges, done) - np.interp(opens, edges, done)
    return float(inside.max()) / window, float(done[-1]) / lasts


def fit(measured: Sequence[Load]) -> Cost:
    """The cost that explains loads each of which took all of a datapath's time; two, of frames of different size.

    Where noise would make one of its parts negative, that part is nothing and the other explains the mean.
    """
    frames = np.array([load.frames for load in measured])
    size = np.array([load.bytes for load in measured]) / frames
    took = 1 / frames
    byte_s, frame_s = np.polyfit(size, took, 1)
    if byte_s < 0:
        return Cost(float(took.mean()), 0.0)
    if frame_s < 0:
        return Cost(0.0, float((took / size).mean()))
    return Cost(float(frame_s), float(byte_s))
