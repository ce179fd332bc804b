"""Small plans built by hand from the core types, and outcomes whose every figure is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from testbed.coflow import NONE, CoflowTable, FlowTable
from testbed.completion import coflow_rows
from testbed.fabric import Fabric, Link, Node
from testbed.outcome import Outcome, empty_outcome
from testbed.plan import Plan, SchedulerSetting

CAPACITY_BPS = 1_000_000.0
RATE_BPS = 8_200_000.0


class F(NamedTuple):
    """A flow: coflow id, sender, receiver, bytes; the coflow itself is its label unless one is given."""

    coflow: int
    src: int
    dst: int
    bytes: int
    label: int | None = None
    start_s: float | None = None


def leaf_spine(leaves: int = 2, spines: int = 2, hosts_per_leaf: int = 2) -> Fabric:
    nodes = [Node(f"h{i}", "host", i, pod=i // hosts_per_leaf) for i in range(leaves * hosts_per_leaf)]
    nodes += [Node(f"l{i}", "leaf", i, pod=i) for i in range(leaves)]
    nodes += [Node(f"s{i}", "spine", i) for i in range(spines)]
    cables = [(f"h{i}", 0, f"l{i // hosts_per_leaf}", i % hosts_per_leaf + 1) for i in range(leaves * hosts_per_leaf)]
    cables += [(f"l{i}", hosts_per_leaf + j + 1, f"s{j}", i + 1) for i in range(leaves) for j in range(spines)]
    links = []
    for a, a_port, b, b_port in cables:
        for source, source_port, target, target_port in ((a, a_port, b, b_port), (b, b_port, a, a_port)):
            links.append(Link(f"{source}->{target}", source, target, source_port, target_port,
                              RATE_BPS, CAPACITY_BPS, 64_000))  # fmt: skip
    return Fabric("leaf-spine", tuple(nodes), tuple(links), 1500)


def make_plan(
    flows: list[F],
    arrival_s: dict[int, float],
    *,
    scheduler: str = "fair",
    repeat: int = 0,
    deadline_s: dict[int, float] | None = None,
    fabric: Fabric | None = None,
    experiment: str = "tiny",
    seed: int = 1,
) -> Plan:
    """A plan on a leaf-spine fabric (2 leaves, 2 spines, 4 hosts unless given); flow i crosses spine i mod 2."""
    fabric = fabric or leaf_spine()
    number = {link.name: i for i, link in enumerate(fabric.links)}
    leaf = {node.index: f"l{node.pod}" for node in fabric.hosts}
    spines = sum(node.layer == "spine" for node in fabric.nodes)
    pointers, links, via = [0], [], []
    for i, flow in enumerate(flows):
        a, b = leaf[flow.src], leaf[flow.dst]
        spine = NONE if a == b else i % spines
        hops = [f"h{flow.src}", a, f"h{flow.dst}"] if a == b else [f"h{flow.src}", a, f"s{spine}", b, f"h{flow.dst}"]
        links += [number[f"{x}->{y}"] for x, y in pairwise(hops)]
        pointers.append(len(links))
        via.append(spine)
    ids = sorted(arrival_s, key=lambda coflow: (arrival_s[coflow], coflow))
    starts = [arrival_s.get(f.coflow, 0.0) if f.start_s is None else f.start_s for f in flows]
    return Plan(
        experiment=experiment,
        topology="leaf-spine",
        workload="by hand",
        scheduler=SchedulerSetting(scheduler),
        seed=seed,
        repeat=repeat,
        fabric=fabric,
        addresses=(),
        coflows=CoflowTable(
            coflow=np.array(ids, dtype=np.int64),
            arrival_s=np.array([arrival_s[c] for c in ids]),
            weight=np.ones(len(ids)),
            deadline_s=np.array([(deadline_s or {}).get(c, np.nan) for c in ids]),
        ),
        flows=FlowTable(
            coflow=np.array([f.coflow for f in flows], dtype=np.int64),
            label=np.array([f.coflow if f.label is None else f.label for f in flows], dtype=np.int64),
            src=np.array([f.src for f in flows], dtype=np.int64),
            dst=np.array([f.dst for f in flows], dtype=np.int64),
            bytes=np.array([f.bytes for f in flows], dtype=np.int64),
            start_s=np.array(starts, dtype=np.float64),
            via=np.array(via, dtype=np.int64),
            path_ptr=np.array(pointers, dtype=np.int64),
            path_links=np.array(links, dtype=np.int64),
        ),
    )


def gammas_of(plan: Plan) -> np.ndarray:
    """Lone Gamma per coflow: the most loaded link over its capacity."""
    rows = coflow_rows(plan.coflows, plan.flows)
    load = np.zeros((len(plan.coflows), len(plan.fabric.links)))
    for flow, row in enumerate(rows):
        if row >= 0:
            np.add.at(load[row], list(plan.flows.path(flow)), plan.flows.bytes[flow])
    return (load / plan.fabric.capacity_Bps).max(axis=1)


def finish_at(plan: Plan, cct_s: dict[int, float], source: str = "emulation") -> Outcome:
    """Every flow of coflow c starts 1/1024 s after its instant and ends cct_s[c] after the coflow's arrival."""
    outcome = empty_outcome(plan, source)
    rows = coflow_rows(plan.coflows, plan.flows)
    for flow, row in enumerate(rows):
        arrival = plan.coflows.arrival_s[row] if row >= 0 else plan.flows.start_s[flow]
        outcome.finish_s[flow] = arrival + cct_s[int(plan.flows.coflow[flow])]
    outcome.start_s[:] = outcome.planned_start_s + 2**-10
    outcome.first_byte_s[:] = outcome.start_s + 2**-9
    outcome.sent_bytes[:] = plan.flows.bytes
    outcome.received_bytes[:] = plan.flows.bytes
    outcome.rtt_s[:] = 0.004
    return outcome


def stop(outcome: Outcome, flow: int, reason: str, received: int) -> None:
    """Have a flow end before its last byte."""
    outcome.finish_s[flow] = np.nan
    outcome.reason[flow] = reason
    outcome.sent_bytes[flow] = outcome.received_bytes[flow] = received


def port_samples(plan: Plan, outcome: Outcome, every_s: float = 0.1, *, acknowledged: bool = False) -> pd.DataFrame:
    """Counters of each link as they would be if every flow ran at its mean rate: whole frames, nothing lost.

    `acknowledged`: with an acknowledgement of 66 bytes per two segments the other way.
    """
    number = {(link.source, link.target): i for i, link in enumerate(plan.fabric.links)}
    back = np.array([number[link.target, link.source] for link in plan.fabric.links])
    flows = plan.flows
    end = float(np.nanmax(outcome.finish_s))
    at_s = np.arange(0.0, end + 2 * every_s, every_s)
    total = np.zeros((len(at_s), len(plan.fabric.links)))
    for flow in range(len(flows)):
        start, finish = outcome.start_s[flow], outcome.finish_s[flow]
        progress = np.clip((at_s - start) / max(finish - start, 1e-9), 0, 1) * outcome.sent_bytes[flow]
        path = list(flows.path(flow))
        total[:, path] += progress[:, None]
        if acknowledged:
            total[:, back[path]] += progress[:, None] / (plan.fabric.mtu - 52) * 33 * CAPACITY_BPS / (RATE_BPS / 8)
    sent = np.floor(total * RATE_BPS / 8 / CAPACITY_BPS).astype(np.int64).ravel()
    names = [link.name for link in plan.fabric.links]
    return pd.DataFrame({
        "at_s": np.repeat(at_s, len(names)), "link": names * len(at_s), "sent_bytes": sent, "received_bytes": sent,
    })  # fmt: skip


def departure_samples(plan: Plan, frames: int = 60, stretch: float = 1.0) -> pd.DataFrame:
    """Full frames that leave link 0 in two windows, each gap `stretch` times the ideal and by turns 1 % off."""
    size = plan.fabric.mtu + 14
    gaps = stretch * size * 8 / plan.fabric.links[0].rate_bps * np.where(np.arange(frames) % 2, 1.01, 0.99)
    at_s = np.cumsum(gaps)
    return pd.DataFrame({
        "window": np.repeat([0, 1], frames), "link": 0, "at_s": np.concatenate([at_s, at_s + 9]), "bytes": size,
    })  # fmt: skip


def tiny_plan(**settings: object) -> Plan:
    """Two coflows: 5 of one flow (1 MB, arrives at 0 s), 9 of two (2 MB and 6 MB, arrives at 1 s); Gammas 1 and 6 s."""
    flows = [F(5, 0, 1, 1_000_000), F(9, 0, 2, 2_000_000), F(9, 1, 3, 6_000_000)]
    return make_plan(flows, {5: 0.0, 9: 1.0}, **settings)  # type: ignore[arg-type]


def with_flows(plan: Plan, **columns: object) -> Plan:
    """The same plan with some columns of its flow table replaced."""
    return replace(plan, flows=replace(plan.flows, **columns))
