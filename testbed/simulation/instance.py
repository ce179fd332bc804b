"""Small plans by hand, on one big switch: for worked examples, notebooks and benchmarks.

>>> plan = big_switch_plan([Job({(0, 0): 3}), Job({(0, 1): 2, (1, 2): 6})], capacity_Bps=1.0)
>>> len(plan.flows), len(plan.fabric.links)
(3, 6)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from testbed.coflow import NONE, CoflowTable, FlowTable
from testbed.fabric import Fabric, Link, Node
from testbed.plan import Plan, SchedulerSetting


@dataclass(frozen=True)
class Job:
    """A coflow: bytes by (in port, out port). `unlabelled` pairs carry no label; `after` names earlier jobs' ids."""

    bytes: Mapping[tuple[int, int], int]
    arrival_s: float = 0.0
    weight: float = 1.0
    deadline_s: float = np.nan
    unlabelled: frozenset[tuple[int, int]] = field(default_factory=frozenset)


def big_switch(ports: int, capacity_Bps: float | Sequence[float] = 1.0) -> Fabric:
    """A switch with `ports` hosts: link i is host i's in port, link ports + j is host j's out port.

    `capacity_Bps`: one for all links, or one per link.
    """
    capacity = np.broadcast_to(np.asarray(capacity_Bps, dtype=np.float64), (2 * ports,)).tolist()
    hosts = [Node(f"h{i}", "host", i) for i in range(ports)]
    links = [
        Link(f"h{i}->s0", f"h{i}", "s0", 0, i + 1, 8 * capacity[i], capacity[i], 0) for i in range(ports)
    ] + [
        Link(f"s0->h{j}", "s0", f"h{j}", j + 1, 0, 8 * capacity[ports + j], capacity[ports + j], 0)
        for j in range(ports)
    ]  # fmt: skip
    return Fabric("big-switch", (*hosts, Node("s0", "switch", 0)), tuple(links), 1500)


def big_switch_plan(
    jobs: Sequence[Job],
    scheduler: str = "fair",
    parameters: Mapping[str, Any] | None = None,
    *,
    ports: int | None = None,
    capacity_Bps: float | Sequence[float] = 1.0,
    background: Mapping[tuple[int, int], int] | None = None,
    **fields: Any,
) -> Plan:
    """A plan whose coflow ids are the places in `jobs`.

    `background`: flows of no coflow, from instant 0. `fields`: further fields of the plan (enforcement, ...).
    """
    pairs = [
        (id_, NONE if pair in job.unlabelled else id_, *pair, size, job.arrival_s)
        for id_, job in enumerate(jobs)
        for pair, size in job.bytes.items()
    ] + [(NONE, NONE, *pair, size, 0.0) for pair, size in (background or {}).items()]
    n_ports = ports or 1 + max((max(row[2:4]) for row in pairs), default=0)
    paths = [(row[2], n_ports + row[3]) for row in pairs]
    order = sorted(range(len(jobs)), key=lambda id_: (jobs[id_].arrival_s, id_))
    return Plan(
        experiment="by hand",
        topology="big-switch",
        workload="by hand",
        scheduler=SchedulerSetting(scheduler, dict(parameters or {})),
        seed=0,
        repeat=0,
        fabric=big_switch(n_ports, capacity_Bps),
        addresses=(),
        coflows=coflow_table(jobs, order),
        flows=flow_table(pairs, paths),
        **fields,
    )


def coflow_table(jobs: Sequence[Job], order: Sequence[int]) -> CoflowTable:
    """The coflow table of jobs, ids being their places, rows in the given order of ids."""
    return CoflowTable(
        coflow=np.array(order, dtype=np.int64),
        arrival_s=np.array([jobs[i].arrival_s for i in order], dtype=np.float64),
        weight=np.array([jobs[i].weight for i in order], dtype=np.float64),
        deadline_s=np.array([jobs[i].deadline_s for i in order], dtype=np.float64),
    )


def flow_table(rows: Sequence[tuple[int, int, int, int, int, float]], paths: Sequence[tuple[int, ...]]) -> FlowTable:
    """The flow table of (coflow, label, source, destination, bytes, start) rows with their paths."""
    columns = list(zip(*rows, strict=True)) or [()] * 6
    coflow, label, src, dst, size = (np.array(column, dtype=np.int64) for column in columns[:5])
    return FlowTable(
        coflow=coflow,
        label=label,
        src=src,
        dst=dst,
        bytes=size,
        start_s=np.array(columns[5], dtype=np.float64),
        via=np.full(len(rows), NONE, dtype=np.int64),
        path_ptr=np.array([0, *accumulate(len(path) for path in paths)], dtype=np.int64),
        path_links=np.array([link for path in paths for link in path], dtype=np.int64),
    )
