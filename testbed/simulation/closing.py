"""How a run ends: the error when nothing can progress, and the last columns of the outcome."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.errors import SimulationError
from testbed.outcome import Outcome
from testbed.scheduling.base import Scheduler
from testbed.simulation.timeline import Timeline

RECORDED_ROWS = 2_000_000
"""Flow rows of decisions that are kept; a longer run keeps its first ones, and its facts say so."""


def refuse_to_stall(scheduler: Scheduler, now_s: float, flows: Ints) -> NoReturn:
    """SimulationError: these flows have bytes left, no rate, and nothing is due that could change it."""
    some = ", ".join(str(flow) for flow in flows[:5].tolist()) + (", ..." if len(flows) > 5 else "")
    one = len(flows) == 1
    raise SimulationError(
        f"scheduler {scheduler.name} at {now_s:.9g} s: nothing can progress: {'flow' if one else 'flows'} {some} "
        f"{'has' if one else 'have'} bytes left and rate 0, nothing else is due, and the scheduler does not ask to be "
        "asked again; check its caps, and for links without capacity on the path"
    )


def close(
    outcome: Outcome, timeline: Timeline, received: Floats, resolution_s: float, facts: dict[str, Any]
) -> Outcome:
    """Fill in what came true of arrivals and starts, what was received, why flows never started, and the facts."""
    for flow, other in timeline.waiting().items():
        outcome.reason[flow] = f"not started: {other} did not finish"
    outcome.coflow_arrival_s = timeline.coflow_arrival_s
    outcome.planned_start_s = timeline.planned_start_s
    whole = timeline.plan.flows.bytes
    outcome.received_bytes = np.minimum(np.floor(received + 1e-6), whole).astype(np.int64)
    outcome.sent_bytes = outcome.received_bytes.copy()
    outcome.facts.update(resolution_s=resolution_s, decisions_recorded=len(outcome.decisions), **facts)
    return outcome
