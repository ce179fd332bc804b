"""What happened in a run: the one shape that both back ends return and the records are written from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from testbed.coflow import Floats, Ints
from testbed.plan import Plan
from testbed.scheduling.base import Allocation, View


@dataclass
class Decision:
    """One call of the scheduler: what it saw and what it answered, by flow and coflow id.

    With the plan this is enough to ask it again and get the same answer.
    """

    at_s: float
    reason: str
    """arrival, flow-finished, coflow-finished, threshold, tick, injected or fault; several are joined by '+'."""
    coflows: Ints
    """Coflow ids (labels) in the allocation's order."""
    flows: Ints
    """Flow ids in the order of the view."""
    cap_Bps: Floats
    queue: Ints
    latency_s: float
    """Wall time the scheduler took; NaN in simulation unless it was measured."""
    received: Floats
    """Per flow: bytes received, as far as the scheduler knew."""
    coflow_received: Floats
    """Per coflow, finished flows included, as far as the scheduler knew."""
    coflow_width: Ints
    """Per coflow: flows registered so far."""
    coflow_arrival_s: Floats
    ask_at_received: Floats
    """Per coflow; inf for never."""
    ask_again_s: float
    """inf for never."""
    queue_weight: Floats
    """Empty for strict priority."""
    reject: Ints
    """Coflow ids."""
    cut: Ints
    """Coflow ids."""
    faults: int = 0
    """How many faults of the plan the scheduler knew of."""

    @classmethod
    def of(cls, view: View, allocation: Allocation, reason: str, latency_s: float, faults: int = 0) -> Decision:
        """The record of an allocation that was made for a view."""
        order, asked = allocation.order, allocation.ask_at_received
        return cls(
            at_s=view.now_s,
            reason=reason,
            coflows=view.coflow[order],
            flows=view.flow,
            cap_Bps=allocation.cap_Bps,
            queue=allocation.queue,
            latency_s=latency_s,
            received=view.received,
            coflow_received=view.coflow_received[order],
            coflow_width=view.coflow_width[order],
            coflow_arrival_s=view.arrival_s[order],
            ask_at_received=np.full(len(order), np.inf) if asked is None else asked[order],
            ask_again_s=allocation.ask_again_s,
            queue_weight=np.empty(0) if allocation.queue_weight is None else allocation.queue_weight,
            reject=view.coflow[allocation.reject],
            cut=view.coflow[allocation.cut],
            faults=faults,
        )


@dataclass
class Outcome:
    """Times are seconds since the run's start instant; NaN where a thing did not happen."""

    source: str
    """emulation or simulation."""
    coflow_arrival_s: Floats
    """Per row of plan.coflows; what came true for coflows that start after others."""
    coflow_admitted: np.ndarray[Any, np.dtype[np.bool_]]
    planned_start_s: Floats
    """Per row of plan.flows; what came true for flows that start after others."""
    start_s: Floats
    """First write on a connection opened beforehand."""
    first_byte_s: Floats
    """First byte at the receiver."""
    finish_s: Floats
    """Last byte at the receiver."""
    sent_bytes: Ints
    received_bytes: Ints
    retransmits: Ints
    rtt_s: Floats
    reason: list[str]
    """Why a flow did not finish ('' where it did): cut, rejected, interrupted, an error in words."""
    decisions: list[Decision] = field(default_factory=list)
    samples: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Time series by name: 'ports' (at_s, link, sent_bytes, received_bytes), 'cpu', 'probe', ..."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Further figures for the manifest and the fidelity checks: resolution, events, phase timings, control bytes."""
    plan: Plan | None = None
    """Where flows were injected: the plan with them behind its own. The arrays above then have its rows."""


def empty_outcome(plan: Plan, source: str) -> Outcome:
    """An outcome in which nothing has happened yet, for a back end to fill in."""
    flows, coflows = len(plan.flows), len(plan.coflows)
    return Outcome(
        source=source,
        coflow_arrival_s=plan.coflows.arrival_s.copy(),
        coflow_admitted=np.ones(coflows, dtype=np.bool_),
        planned_start_s=plan.flows.start_s.copy(),
        start_s=np.full(flows, np.nan),
        first_byte_s=np.full(flows, np.nan),
        finish_s=np.full(flows, np.nan),
        sent_bytes=np.zeros(flows, dtype=np.int64),
        received_bytes=np.zeros(flows, dtype=np.int64),
        retransmits=np.zeros(flows, dtype=np.int64),
        rtt_s=np.full(flows, np.nan),
        reason=[""] * flows,
    )
