"""Checks on links, from the byte counters at both their ends."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from testbed.fabric import ETHERNET_HEADER
from testbed.fidelity.evidence import Evidence, PortSeries, Unmeasured
from testbed.fidelity.verdict import Check, at_least, at_most
from testbed.segments import burst_bytes

K = TypeVar("K", int, str)

RATE_TOLERANCE = 1.02
"""Shapers are exact; counters are read a little before or after their time stamp says."""
AHEAD_LIMIT_S = 0.050
"""Beyond a shaper's burst: a frame or two, and the jitter of reading a hundred counters on a busy machine."""
DELIVERED_LIMIT = 0.999
CONGESTED_SHARE = 0.9
"""A link that ran at this share of its rate for a sample interval may have had a full queue: TCP then loses frames
by design."""
LOST_BY_FAULTS = "switches drop what was on its way to something that a fault of the plan broke"
FEW_FRAMES = 3
"""So many lost frames are chance, whatever share of a quiet link's traffic they are."""


def within_configured_rate(evidence: Evidence) -> Check:
    """No link sent more, over any time, than its rate and its shaper's burst allow: how far any was ever ahead.

    In milliseconds of sending at the rate.
    """
    name = "ahead of the configured rate"
    ahead = {series.link: _ahead_s(evidence, series) for series in _ports(evidence, name)}
    link = max(ahead, key=lambda number: ahead[number])
    return at_most(
        name, ahead[link] * 1e3, "ms", invalid=AHEAD_LIMIT_S * 1e3,
        words=f"link {evidence.plan.fabric.links[link].name} sent more than its rate: its shaper is missing or wrong; "
        "run `testbed clean` and repeat the run",
        details={"links": float(len(ahead))},
    )  # fmt: skip


def conservation_per_port(evidence: Evidence) -> Check:
    """What was sent at one end of a cable and received at its other, either way: the worst link, in full frames.

    The counters are those of the veth itself, behind the sender's queue and before the receiver's switch: full queues
    do not show here, nor what a datapath's own counters say. Where a link still sends at the last sample, the time
    between reading both ends is allowed for.
    """
    name = "conservation per port"
    fabric, frame = evidence.plan.fabric, evidence.plan.fabric.mtu + ETHERNET_HEADER
    off: dict[int, float] = {}
    for series in _ports(evidence, name):
        apart = abs(series.sent[-1] - series.received[-1])
        if series.sent[-1] > series.sent[-2] or series.received[-1] > series.received[-2]:
            apart -= AHEAD_LIMIT_S * fabric.links[series.link].rate_bps / 8
        off[series.link] = max(apart, 0.0) / frame
    link = max(off, key=lambda number: off[number])
    series = next(one for one in evidence.ports if one.link == link)
    return at_most(
        name, off[link], "frames", invalid=FEW_FRAMES,
        words=f"link {fabric.links[link].name} sent {series.sent[-1]:.0f} bytes and {series.received[-1]:.0f} came "
        "out: its cable lost frames, or frames came into it from elsewhere; look for other programs there, "
        "run `testbed clean` and repeat the run",
        details={"links": float(len(off)), "bytes": float(sum(one.sent[-1] for one in evidence.ports))},
    )  # fmt: skip


def delivered_of_offered(evidence: Evidence) -> Check:
    """What came out of each link's far end, of what went in; frames that were still on their way do not count.

    Links that were congested, where a full queue drops by design, are reported beside but not judged.
    """
    name = "delivered / offered, uncongested links"
    judged: dict[int, float] = {}
    congested: list[float] = []
    for series in _ports(evidence, name):
        if series.sent[-1] <= 0:
            continue
        ratio = _delivered(evidence, series)
        if _peak_share(evidence, series) >= CONGESTED_SHARE:
            congested.append(ratio)
        else:
            judged[series.link] = ratio
    link, details = _least(name, "links", judged, congested)
    return at_least(
        name, judged[link], "", invalid=DELIVERED_LIMIT,
        words=f"link {evidence.plan.fabric.links[link].name} lost frames although its queue was not full: its far end "
        "cannot keep up; lower link.rate, raise the MTU, or use the kernel datapath",
        details=details,
    )  # fmt: skip


def forwarded_by_switches(evidence: Evidence) -> Check:
    """What each switch sent on, of what came in: where its forwarding, not a full queue, loses frames.

    A switch with a congested port is reported beside but not judged; what the queues hold at the last sample does not
    count.
    """
    name = "forwarded / received, uncongested switches"
    evidence.without_faults(name, LOST_BY_FAULTS)
    fabric, frame = evidence.plan.fabric, evidence.plan.fabric.mtu + ETHERNET_HEADER
    series = {one.link: one for one in _ports(evidence, name)}
    judged: dict[str, float] = {}
    congested: list[float] = []
    for switch in fabric.switches:
        into = [series[i] for i, link in enumerate(fabric.links) if link.target == switch.name and i in series]
        out = [series[i] for i, link in enumerate(fabric.links) if link.source == switch.name and i in series]
        received = sum(one.received[-1] for one in into)
        if received <= 0:
            continue
        missing = received - sum(one.sent[-1] for one in out)
        if any(one.received[-1] > one.received[-2] for one in into):
            missing -= sum(fabric.links[one.link].buffer_bytes + frame for one in out)
        ratio = float(1 - missing / received) if missing > FEW_FRAMES * frame else 1.0
        if any(_peak_share(evidence, one) >= CONGESTED_SHARE for one in out):
            congested.append(ratio)
        else:
            judged[switch.name] = ratio
    worst, details = _least(name, "switches", judged, congested)
    return at_least(
        name, judged[worst], "", invalid=DELIVERED_LIMIT,
        words=f"switch {worst} lost frames although no queue of it was full: it forwards less than the plan needs; "
        "lower link.rate, raise the MTU, or use the kernel datapath",
        details=details,
    )  # fmt: skip


def _least(name: str, kind: str, judged: dict[K, float], congested: list[float]) -> tuple[K, dict[str, float]]:
    """Which of the judged has the least ratio, and what is told of the congested beside it; `kind` in the plural."""
    if not judged:
        found = f"; the least of the {len(congested)} congested ones is {min(congested):.4f}" if congested else ""
        raise Unmeasured(name, f"no {kind} were used and uncongested{found}")
    details = {kind: float(len(judged)), f"congested {kind}": float(len(congested))}
    if congested:
        details[f"least on congested {kind}"] = min(congested)
    return min(judged, key=lambda one: judged[one]), details


def _ports(evidence: Evidence, name: str) -> list[PortSeries]:
    if not evidence.ports:
        raise Unmeasured(name, "the port counters were not sampled")
    return evidence.ports


def _ahead_s(evidence: Evidence, series: PortSeries) -> float:
    """Greatest excess over a burst and rate x time between any two samples, in time at the rate."""
    fabric = evidence.plan.fabric
    rate_bps = fabric.links[series.link].rate_bps
    excess = series.sent - RATE_TOLERANCE * rate_bps / 8 * series.at_s
    ahead = float((excess - np.minimum.accumulate(excess)).max())
    return max(ahead - burst_bytes(rate_bps, fabric.mtu + ETHERNET_HEADER), 0.0) * 8 / rate_bps


def _delivered(evidence: Evidence, series: PortSeries) -> float:
    link, frame = evidence.plan.fabric.links[series.link], evidence.plan.fabric.mtu + ETHERNET_HEADER
    missing = series.sent[-1] - series.received[-1]
    if series.sent[-1] > series.sent[-2]:  # still sending at the end: what its queue and wire hold is on the way
        missing -= link.buffer_bytes + link.delay_s * link.rate_bps / 8 + frame
    lost = missing if missing > FEW_FRAMES * frame else 0.0
    return float(1 - lost / series.sent[-1])


def _peak_share(evidence: Evidence, series: PortSeries) -> float:
    """Largest share of the link's rate over a sample interval."""
    interval = np.maximum(np.diff(series.at_s), 1e-9)
    rate_Bps = evidence.plan.fabric.links[series.link].rate_bps / 8
    return float((np.diff(series.sent) / interval).max() / rate_Bps)
