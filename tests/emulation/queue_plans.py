"""Plans on one switch of four ports whose flows are coflows of their own, and a scheduler that follows a script.

h0 sends to several hosts: they share its own interface. h0 and h1 send to h3: they share the switch's port.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from emulated_plans import big_switch

from testbed.coflow import CoflowTable, FlowTable
from testbed.emulation.network import EmulatedNetwork
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.replay.replay import replay
from testbed.scheduling.base import Allocation, Scheduler, View

HOSTS = 4
ONE_SENDER, ONE_RECEIVER = ((0, 2), (0, 3)), ((0, 3), (1, 3))


class Flow(NamedTuple):
    """A flow that is a coflow of its own."""

    ends: tuple[int, int]
    bytes: int
    start_s: float = 0.0


class Scripted(Scheduler):
    """Puts coflows into the classes that a function of time and coflow says; asked again every 0.1 s."""

    name = "scripted"

    def __init__(self, class_of: Callable[[float, int], int], weight: Any = None) -> None:
        self.class_of = class_of
        self.weight = weight

    def allocate(self, view: View) -> Allocation:
        queue = [self.class_of(view.now_s, int(view.coflow[row])) for row in view.flow_coflow]
        return Allocation(
            cap_Bps=np.full(len(view.flow), np.inf),
            queue=np.array(queue, dtype=np.int64),
            order=np.arange(len(view.coflow)),
            queue_weight=self.weight,
            ask_again_s=np.floor(view.now_s / 0.1 + 1.001) * 0.1,
        )


def plan_of(flows: Sequence[Flow], enforcement: tuple[str, ...] = ("queue",), **settings: Any) -> Plan:
    """A plan on the switch; flow n is coflow n."""
    numbers = np.arange(len(flows))
    starts = np.array([flow.start_s for flow in flows])
    table = FlowTable(
        coflow=numbers,
        label=numbers,
        src=np.array([flow.ends[0] for flow in flows]),
        dst=np.array([flow.ends[1] for flow in flows]),
        bytes=np.array([flow.bytes for flow in flows]),
        start_s=starts,
        via=np.full(len(flows), -1),
        path_ptr=2 * np.arange(len(flows) + 1),
        path_links=np.array([link for flow in flows for link in (flow.ends[0], HOSTS + flow.ends[1])]),
    )
    coflows = CoflowTable(numbers, starts, np.ones(len(flows)), np.full(len(flows), np.nan))
    return replace(big_switch(HOSTS), flows=table, coflows=coflows, enforcement=enforcement, **settings)


def run(network: EmulatedNetwork, plan: Plan, scheduler: Scheduler | None = None) -> Outcome:
    sockets = [host.control_dir / "actor.sock" for host in network.hosts]
    outcome = replay(plan, sockets, scheduler=scheduler, probe=False, deadline_s=60)
    assert outcome.received_bytes.tolist() == plan.flows.bytes.tolist()
    return outcome


def lone_s(plan: Plan, count: int) -> float:
    """What the link needs for that many bytes."""
    return count / float(plan.fabric.capacity_Bps[0])
