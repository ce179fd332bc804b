"""A run with decisions, for the tests of what is drawn of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from run_factory import F, finish_at, gammas_of, make_plan, port_samples

from testbed.coflow import Ints
from testbed.outcome import Decision
from testbed.records.run_directory import Run, create, read_run

_QUEUES = (([0, 1], [0, 0]), ([0, 1], [0, 3]), ([1], [3]))
"""Flows and their classes in each decision."""


def decided_run(
    results: Path,
    latency_s: Sequence[float] = (0.001, 0.002, 0.003),
    scheduler: str = "sebf",
    experiment: str = "tiny",
    source: str = "emulation",
) -> Run:
    """Two coflows of a flow each, of 1 and 3 MB; decisions at 0, 0 and 2 s that use the classes 0 and 3."""
    flows = [F(1, 0, 1, 1_000_000), F(2, 1, 2, 3_000_000)]
    plan = make_plan(flows, {1: 0.0, 2: 0.0}, scheduler=scheduler, experiment=experiment)
    outcome = finish_at(plan, {1: 2.0, 2: 4.0}, source)
    outcome.samples["ports"] = port_samples(plan, outcome)
    for at_s, latency, (active, queue) in zip((0.0, 0.0, 2.0), latency_s, _QUEUES, strict=True):
        outcome.decisions.append(_decision(at_s, latency, np.array(active, dtype=np.int64), queue))
    run = create(results, plan, source)
    run.write_outcome(outcome, gammas_of(plan))
    return read_run(run.path)


def _decision(at_s: float, latency_s: float, flows: Ints, queue: Sequence[int]) -> Decision:
    """A decision about flows that are each their coflow's only one."""
    none = np.zeros(len(flows))
    return Decision(
        at_s=at_s,
        reason="arrival",
        coflows=flows + 1,
        flows=flows,
        cap_Bps=np.full(len(flows), np.inf),
        queue=np.array(queue, dtype=np.int64),
        latency_s=latency_s,
        received=none,
        coflow_received=none,
        coflow_width=np.ones(len(flows), dtype=np.int64),
        coflow_arrival_s=none,
        ask_at_received=np.full(len(flows), np.inf),
        ask_again_s=np.inf,
        queue_weight=np.empty(0),
        reject=np.empty(0, dtype=np.int64),
        cut=np.empty(0, dtype=np.int64),
    )
