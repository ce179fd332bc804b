"""Checks on the machine: the latency of its switches, and who else used its processors."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
FOREIGN_SECOND_LIMIT = 0.25
"""In its worst second; services of a quiet machine were seen to take up to 0.18."""
STEAL_SECOND_LIMIT = 0.10
IDLE_SHARE = 0.02
"""Less than this of the processors idle over a second: somebody waited for them all the time."""
SATURATED_SECONDS = 2
"""So many in a row may be chance; in more, what the emulated network does is what the processors allow."""

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
    return _mean_share(evidence, "foreign load", "foreign", FOREIGN_LIMIT, "other programs used the processors during "
                       "the run: close them and run again")  # fmt: skip


def foreign_load_worst_second(evidence: Evidence) -> Check:
    """The same over the worst second: a short disturbance that the mean of a long run hides."""
    return _worst_second(evidence, "foreign load, worst second", "foreign", FOREIGN_SECOND_LIMIT,
                         "other programs used the processors then: close them and run again")  # fmt: skip


def steal(evidence: Evidence) -> Check:
    """Share of the processors that the hypervisor gave to other machines, averaged over the run."""
    return _mean_share(evidence, "steal", "steal", STEAL_LIMIT, "the hypervisor gave processor time to other machines "
                       "during the run: run again when it is quiet")  # fmt: skip


def steal_worst_second(evidence: Evidence) -> Check:
    """The same over the worst second."""
    return _worst_second(
        evidence,
        "steal, worst second",
        "steal",
        STEAL_SECOND_LIMIT,
        "the hypervisor gave processor time to other machines then: run again when it is quiet",
    )


def saturated_processors(evidence: Evidence) -> Check:
    """Seconds in a row in which the testbed itself left no processor idle.

    Seconds in which foreign load or steal took more than their limit are theirs, and do not count here.
    """
    name = "processors saturated, seconds in a row"
    seconds = _processors(evidence, name)
    own = (seconds["idle"] < IDLE_SHARE) & (seconds["foreign"] <= FOREIGN_LIMIT) & (seconds["steal"] <= STEAL_LIMIT)
    longest, count, begin_s = 0, 0, 0.0
    for at_s, busy in zip(seconds["at_s"], own, strict=True):
        count = count + 1 if busy else 0
        if count > longest:
            longest, begin_s = count, float(at_s) - count
    worst = int(seconds["idle"].to_numpy().argmin())
    return at_most(
        name, longest, "s", invalid=SATURATED_SECONDS,
        words=f"from second {max(begin_s, 0.0):.0f} on the testbed itself left no processor idle: the emulated network "
        "did what the processors allow, not what its links do; lower link.rate, use fewer hosts or switches, raise the "
        "MTU, use the kernel datapath, or a machine with more processors (`testbed calibrate` tells what one carries)",
        details={"least idle": float(seconds["idle"].iloc[worst]), "at": float(seconds["at_s"].iloc[worst])},
    )  # fmt: skip


def _mean_share(evidence: Evidence, name: str, column: str, limit: float, words: str) -> Check:
    shares = _processors(evidence, name)[column]
    return at_most(name, float(shares.mean()), "of the processors", degraded=limit, words=words,
                   details={"max": float(shares.max())})  # fmt: skip


def _worst_second(evidence: Evidence, name: str, column: str, limit: float, words: str) -> Check:
    seconds = _processors(evidence, name)
    worst = seconds.iloc[int(seconds[column].to_numpy().argmax())]
    return at_most(
        name,
        float(worst[column]),
        "of the processors",
        degraded=limit,
        words=f"in the second up to {worst['at_s']:.1f} s; {words}",
        details={"at": float(worst["at_s"])},
    )


def _processors(evidence: Evidence, name: str) -> pd.DataFrame:
    processors = evidence.outcome.samples.get("processors")  # at_s, idle, steal, own, foreign
    if processors is None or len(processors) == 0:
        raise Unmeasured(name, "the processors were not sampled")
    return processors


def _longest_round_trip_s(evidence: Evidence) -> float:
    """Configured delay there and back over the longest planned path."""
    flows, delay = evidence.plan.flows, np.array([link.delay_s for link in evidence.plan.fabric.links])
    if len(flows) == 0:
        return 0.0
    per_flow = np.add.reduceat(delay[flows.path_links], flows.path_ptr[:-1])
    return float(2 * per_flow.max())
