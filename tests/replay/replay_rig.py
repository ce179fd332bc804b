"""What replay tests share: plans on one big switch whose hosts have loopback addresses, and their actors."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from testbed.coflow import NONE, CoflowTable, FlowTable
from testbed.fabric import Fabric, Link, Node
from testbed.outcome import Outcome
from testbed.plan import Address, ApplicationSetting, Plan, SchedulerSetting
from testbed.scheduling.base import Allocation, Scheduler, View

PORT = 5077
CAPACITY_BPS = 5e6
"""Goodput of each link, in bytes per second."""


@dataclass
class Cast:
    """Actor processes, in the order of the hosts, and where they listen for the coordinator."""

    processes: list[subprocess.Popen[bytes]]
    sockets: list[Path]
    doors: list[Path]
    """Where they listen for applications."""


Actors = Callable[[int], Cast]


@dataclass(frozen=True)
class F:
    """A flow of a test's plan; `coflow` NONE for background, `label` as the coflow unless it says otherwise."""

    coflow: int
    src: int
    dst: int
    bytes: int
    start_s: float = 0.0
    label: int | None = None
    after: tuple[int, ...] = ()
    delay_s: float = 0.0


def build_plan(
    hosts: int,
    flows: Sequence[F],
    scheduler: str = "fair",
    enforcement: Sequence[str] = ("pacing",),
    arrivals: dict[int, float] | None = None,
    after: dict[int, tuple[int, ...]] | None = None,
    delay_s: dict[int, float] | None = None,
    parameters: dict[str, object] | None = None,
    applications: ApplicationSetting = ApplicationSetting(),  # noqa: B008
) -> Plan:
    """A plan between hosts 127.77.0.1, ...; coflows arrive with their first flow, or as `arrivals` or `after` say."""
    nodes = [Node(f"h{i}", "host", i) for i in range(hosts)] + [Node("s0", "switch", 0)]
    links = [Link(f"h{i}->s0", f"h{i}", "s0", 0, i + 1, CAPACITY_BPS * 8, CAPACITY_BPS, 10**6) for i in range(hosts)]
    links += [Link(f"s0->h{i}", "s0", f"h{i}", i + 1, 0, CAPACITY_BPS * 8, CAPACITY_BPS, 10**6) for i in range(hosts)]
    after = after or {}
    first: dict[int, float] = {}
    for flow in flows:
        if flow.coflow != NONE:
            first[flow.coflow] = min(first.get(flow.coflow, np.inf), flow.start_s)
    first.update(arrivals or {})
    first.update(dict.fromkeys(after, np.nan))
    ids = sorted(first, key=lambda coflow: (np.inf if np.isnan(first[coflow]) else first[coflow], coflow))
    waits = [bool(flow.after) or flow.coflow in after for flow in flows]
    table = FlowTable(
        coflow=np.array([flow.coflow for flow in flows], dtype=np.int64),
        label=np.array([flow.coflow if flow.label is None else flow.label for flow in flows], dtype=np.int64),
        src=np.array([flow.src for flow in flows], dtype=np.int64),
        dst=np.array([flow.dst for flow in flows], dtype=np.int64),
        bytes=np.array([flow.bytes for flow in flows], dtype=np.int64),
        start_s=np.array(
            [np.nan if wait else flow.start_s for flow, wait in zip(flows, waits, strict=True)], dtype=np.float64
        ),
        via=np.full(len(flows), NONE),
        path_ptr=np.arange(0, 2 * len(flows) + 1, 2),
        path_links=np.array([end for flow in flows for end in (flow.src, hosts + flow.dst)], dtype=np.int64),
        after={number: flow.after for number, flow in enumerate(flows) if flow.after},
        delay_s={number: flow.delay_s for number, flow in enumerate(flows) if flow.after},
    )
    coflows = CoflowTable(
        coflow=np.array(ids, dtype=np.int64),
        arrival_s=np.array([first[coflow] for coflow in ids], dtype=np.float64),
        weight=np.ones(len(ids)),
        deadline_s=np.full(len(ids), np.nan),
        after=after,
        delay_s=delay_s or {},
    )
    return Plan(
        experiment="test",
        topology="big-switch",
        workload="test",
        scheduler=SchedulerSetting(scheduler, parameters or {}),
        seed=1,
        repeat=0,
        fabric=Fabric("big-switch", tuple(nodes), tuple(links), 9000),
        addresses=tuple(Address(f"h{i}", f"02:00:00:00:00:{i:02x}", f"127.77.0.{i + 1}", ()) for i in range(hosts)),
        coflows=coflows,
        flows=table,
        enforcement=tuple(enforcement),
        applications=applications,
    )


class Script(Scheduler):
    """Gives each coflow the rate that a table of its own says, by the number of coflows in the view."""

    name = "script"

    def __init__(self, decide: Callable[[View], dict[str, Any]]) -> None:
        self.decide = decide

    def allocate(self, view: View) -> Allocation:
        flows = len(view.flow)
        fields: dict[str, Any] = {
            "cap_Bps": np.full(flows, np.inf),
            "queue": np.zeros(flows, dtype=np.int64),
            "order": np.arange(len(view.coflow)),
        }
        return Allocation(**{**fields, **self.decide(view)})


def check_complete(plan: Any, outcome: Outcome) -> None:
    """Every byte of every flow was sent and received, and its instants are in order."""
    assert outcome.reason == [""] * len(plan.flows)
    assert outcome.sent_bytes.tolist() == plan.flows.bytes.tolist()
    assert outcome.received_bytes.tolist() == plan.flows.bytes.tolist()
    assert np.all(outcome.planned_start_s <= outcome.start_s)
    assert np.all(outcome.start_s <= outcome.first_byte_s)
    assert np.all(outcome.first_byte_s <= outcome.finish_s)
