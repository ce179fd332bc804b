"""Checks on flows: their bytes, their ends and their starts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from testbed.coflow import Floats
from testbed.completion import coflow_rows
from testbed.fidelity.evidence import Evidence, Flags, Unmeasured
from testbed.fidelity.faults import halted_senders
from testbed.fidelity.verdict import Check, at_most

SKEW_DEGRADED_S = 0.003
"""Start skew is part of every CCT; 3 ms is 1.5 % of the 200 ms that a small coflow takes by default."""
SMALL_COFLOW_S = 0.2
SKEW_INVALID_S = 0.020
"""From here on a coflow's flows no longer start together: it is another workload."""
AT_ONCE_S = 1e-6
"""A flow allowed this close to its planned instant was let go by the first decision that saw it."""


def conservation(evidence: Evidence) -> Check:
    """Every finished flow sent and delivered exactly its bytes; no flow delivered more than was sent."""
    plan, outcome, done = evidence.plan, evidence.outcome, evidence.finished
    size = plan.flows.bytes
    wrong = done & ((outcome.sent_bytes != size) | (outcome.received_bytes != size))
    wrong |= ~done & (outcome.received_bytes > outcome.sent_bytes)
    words = ""
    if wrong.any():
        flow = int(np.flatnonzero(wrong)[0])
        words = (
            f"flow {flow} of {size[flow]} bytes sent {outcome.sent_bytes[flow]} and delivered "
            f"{outcome.received_bytes[flow]}; bytes were lost or counted twice: do not use this run, and report it "
            "with its logs"
        )
    return at_most("conservation of bytes", int(wrong.sum()), "flows", invalid=0, words=words)


def every_flow_finished(evidence: Evidence) -> Check:
    """Every flow finished but those that the scheduler rejected or cut, and background without end."""
    missing = ~evidence.finished & ~evidence.stopped
    words = ""
    if missing.any():
        flow = int(np.flatnonzero(missing)[0])
        reason = evidence.outcome.reason[flow] or "no reason recorded"
        words = (
            f"flow {flow} did not finish ({reason}); CCTs of its coflow are missing from every figure: "
            "see the logs, run again"
        )
    details = {"cut or rejected": float(evidence.stopped.sum())}
    return at_most("unfinished flows", int(missing.sum()), "flows", invalid=0, words=words, details=details)


def let_go_at_once(planned_start_s: Floats, start_s: Floats, starts: pd.DataFrame | None) -> Flags:
    """Per flow, whether it started and its scheduler had not held it back: only its start tells about timing.

    `starts`: the sample of that name (flow, allowed_s: the planned instant if its scheduler let it go at once).
    """
    at_once: Flags = ~np.isnan(start_s - planned_start_s)
    if starts is not None:
        flow = starts["flow"].to_numpy(dtype=np.int64)
        waited = starts["allowed_s"].to_numpy(dtype=np.float64) - planned_start_s[flow]
        at_once[flow[~(waited <= AT_ONCE_S)]] = False
    return at_once


def start_skew(evidence: Evidence) -> Check:
    """First write minus planned instant, p99 over the flows that the scheduler let go at once.

    What counts is its share of the CCT: in a coflow of a longer Gamma than 200 ms skew counts for less in proportion.
    """
    name = "start skew p99"
    outcome = evidence.outcome
    skew = outcome.start_s - outcome.planned_start_s
    at_once = let_go_at_once(outcome.planned_start_s, outcome.start_s, outcome.samples.get("starts"))
    at_once &= ~halted_senders(evidence.plan)
    if not at_once.any():
        raise Unmeasured(name, "no flow was let go at once")
    p50, p99, worst = np.percentile(skew[at_once], (50, 99, 100)) * 1e3
    counted_p99 = float(np.percentile((skew * _weight(evidence))[at_once], 99)) * 1e3
    in_band = evidence.plan.control == "in-band"
    return at_most(
        name, counted_p99, "ms", degraded=SKEW_DEGRADED_S * 1e3, invalid=None if in_band else SKEW_INVALID_S * 1e3,
        words="flows started late: their starts waited in the links' queues, which is a part of what in-band control "
        "costs, or the machine was busy" if in_band else
        "flows started late: the machine was busy, or too many flows start at one instant; close other "
        "programs, lower link.rate or the number of flows",
        details={"p50": p50, "p99, all alike": p99, "max": worst, "flows": float(at_once.sum())},
    )  # fmt: skip


def _weight(evidence: Evidence) -> Floats:
    """Per flow, 200 ms over its coflow's Gamma, at most 1; flows of no coflow count in full."""
    rows = coflow_rows(evidence.plan.coflows, evidence.plan.flows)
    weight: Floats = np.ones(len(rows))
    mine = rows >= 0
    weight[mine] = SMALL_COFLOW_S / np.maximum(evidence.gammas[rows[mine]], SMALL_COFLOW_S)
    return weight
