"""Checks of CCTs against Gamma, the least time that a coflow can take on the empty fabric."""

from __future__ import annotations

import numpy as np

from testbed.fabric import ETHERNET_HEADER, Fabric
from testbed.fidelity.evidence import Evidence, Unmeasured
from testbed.fidelity.faults import first_fault_s
from testbed.fidelity.verdict import Check, at_least, at_most
from testbed.segments import burst_bytes

SIMULATED_SHARE = 1 - 1e-6
"""Rounding only."""
EMULATED_SHARE = 0.95
"""The goodput share of a link rests on an estimate of acknowledgement traffic, and shapers hold rates within 2 %."""
BURST_S = 0.020
"""What queues that were empty may give ahead of their rate: bursts of the shapers and of TCP's first segments ..."""
BURST_FRAMES = 1
"""... or the burst of the slowest link's shaper and so many frames, the last of which goes on credit."""
LONE_MEASURABLE_S = 0.2
"""Shorter coflows are dominated by round trips and TCP's slow start, which Gamma knows nothing of."""
LONE_DEGRADED = 1.5
"""Per-flow max-min takes up to 1.5 Gamma for a lone coflow (a shared sender beside many light ones); MADD takes 1."""
LONE_INVALID = 3.0
"""No work-conserving sharing explains this: the links gave a fraction of their rate."""


def never_faster_than_gamma(evidence: Evidence) -> Check:
    """No coflow beats its Gamma, which no network of these link rates allows."""
    name = "CCT / Gamma, least"
    simulated = evidence.outcome.source == "simulation"
    cct, gamma = evidence.cct_s, evidence.least_gammas
    known = ~np.isnan(cct) & (gamma > 0)
    if not known.any():
        raise Unmeasured(name, "no coflow finished")
    burst = 1e-9 if simulated else _burst_s(evidence.plan.fabric)
    ratio = (cct[known] + burst) / gamma[known]
    worst = int(np.argmin(ratio))
    coflow = evidence.plan.coflows.coflow[known][worst]
    return at_least(
        name, ratio[worst], "", invalid=SIMULATED_SHARE if simulated else EMULATED_SHARE,
        words=f"coflow {coflow} took {cct[known][worst]:.4g} s where Gamma is {gamma[known][worst]:.4g} s: a link "
        "exceeded its rate, or flows took other paths than planned; check the shapers (logs) before using any figure",
        details={"coflow": float(coflow)},
    )  # fmt: skip


def _burst_s(fabric: Fabric) -> float:
    slowest_bps, frame = min(link.rate_bps for link in fabric.links), fabric.mtu + ETHERNET_HEADER
    return max(BURST_S, (burst_bytes(slowest_bps, frame) + BURST_FRAMES * frame) * 8 / slowest_bps)


def lone_coflows(evidence: Evidence) -> Check:
    """Coflows that had the network to themselves took about Gamma; the median ratio is held to the limit."""
    name = "CCT / Gamma, lone coflows"
    before_faults = evidence.outcome.coflow_arrival_s + np.nan_to_num(evidence.cct_s) <= first_fault_s(evidence.plan)
    alone = evidence.alone & (evidence.gammas >= LONE_MEASURABLE_S) & before_faults
    if not alone.any():
        raise Unmeasured(name, f"no coflow of Gamma >= {LONE_MEASURABLE_S:g} s ran alone")
    ratio = evidence.cct_s[alone] / evidence.gammas[alone]
    return at_most(
        name, float(np.median(ratio)), "", degraded=LONE_DEGRADED, invalid=LONE_INVALID,
        words="coflows with the network to themselves were slow: the links did not reach their rate; lower link.rate "
        "to what this machine carries, or raise the MTU",
        details={"max": float(ratio.max()), "coflows": float(alone.sum())},
    )  # fmt: skip
