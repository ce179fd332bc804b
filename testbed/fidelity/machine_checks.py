"""Checks on the machine: the latency of its switches, and who else used its processors."""

from __future__ import annotations

import numpy as np

from testbed.fidelity.evidence import Evidence, Unmeasured
from testbed.fidelity.verdict import Check, at_most

PROBE_DEGRADED_S = 0.020
"""Five userspace switches answer in 3-5 ms when they keep up; 20 ms is a tenth of a small coflow's time."""
PROBE_INVALID_S = 0.050
"""Switches that fall behind queue frames that no configured buffer accounts for: 30-250 ms was seen then."""
FOREIGN_LIMIT = 0.10
"""A tenth of the machine gone to other programs is more than the headroom the default link rate leaves."""
STEAL_LIMIT = 0.02
"""Any steal stops the forwarding thread outright for a time slice."""

STALL_LIMIT_S = 0.2
"""As long as a small coflow takes: a decision that comes so late is another schedule."""


def coordinator_stall(evidence: Evidence) -> Check:
    """How late the coordinator's own clock work was at worst: a machine that was paused or overloaded shows there."""
    name = "coordinator stall, longest"
    stall_s = evidence.outcome.facts.get("coordinator_stall_max_s")
    if stall_s is None:
        raise Unmeasured(name, "the coordinator did not time itself")
    return at_most(
        name, float(stall_s) * 1e3, "ms", degraded=STALL_LIMIT_S * 1e3,
        words="the machine was paused or overloaded for that long in mid-run, and CCTs are not the network's alone: "
        "run again when it is quiet",
    )  # fmt: skip


def probe_round_trip(evidence: Evidence) -> Check:
    """Median round-trip time of the idle probe, beyond what the links' own delay explains."""
    name = "idle probe round trip, median"
    answers = evidence.outcome.samples.get("probe")  # when, source, target, rtt_s
    lost = int(evidence.outcome.facts.get("probe_lost", 0))
    rtt = np.empty(0) if answers is None else answers["rtt_s"].to_numpy(dtype=np.float64)
    if len(rtt) + lost == 0:
        raise Unmeasured(name, "no probe was sent")
    wire = _longest_round_trip_s(evidence)
    figure = float(np.median(np.concatenate([rtt, np.full(lost, np.inf)])))  # an answer that never came is a late one
    return at_most(
        name, figure * 1e3, "ms", degraded=(PROBE_DEGRADED_S + wire) * 1e3, invalid=(PROBE_INVALID_S + wire) * 1e3,
        words="the switches answer late: they forward as fast as this machine lets them, not as fast as the plan's "
        "links; lower link.rate, use fewer switches, raise the MTU, or use the kernel datapath",
        details={"probes": float(len(rtt) + lost), "unanswered": float(lost)},
    )  # fmt: skip


def foreign_load(evidence: Evidence) -> Check:
    """Share of the processors that programs other than the testbed's used, averaged over the run."""
    return at_most(
        "foreign load", _mean_share(evidence, "foreign load", "foreign"), "of the processors", degraded=FOREIGN_LIMIT,
        words="other programs used the processors during the run: close them and run again",
        details=_peak(evidence, "foreign"),
    )  # fmt: skip


def steal(evidence: Evidence) -> Check:
    """Share of the processors that the hypervisor gave to other machines, averaged over the run."""
    return at_most(
        "steal", _mean_share(evidence, "steal", "steal"), "of the processors", degraded=STEAL_LIMIT,
        words="the hypervisor gave processor time to other machines during the run: run again when it is quiet",
        details=_peak(evidence, "steal"),
    )  # fmt: skip


def _mean_share(evidence: Evidence, name: str, column: str) -> float:
    processors = evidence.outcome.samples.get("processors")  # at_s, idle, steal, own, foreign
    if processors is None or len(processors) == 0:
        raise Unmeasured(name, "the processors were not sampled")
    return float(processors[column].mean())


def _peak(evidence: Evidence, column: str) -> dict[str, float]:
    return {"max": float(evidence.outcome.samples["processors"][column].max())}


def _longest_round_trip_s(evidence: Evidence) -> float:
    """Configured delay there and back over the longest planned path."""
    flows, delay = evidence.plan.flows, np.array([link.delay_s for link in evidence.plan.fabric.links])
    if len(flows) == 0:
        return 0.0
    per_flow = np.add.reduceat(delay[flows.path_links], flows.path_ptr[:-1])
    return float(2 * per_flow.max())
