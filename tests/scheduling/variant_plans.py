"""Small random plans for property tests, the scheduler variants they are run under, and what is worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from testbed.coflow import NONE, CoflowTable, FlowTable
from testbed.fabric import Fabric
from testbed.plan import Plan, SchedulerSetting
from testbed.scheduling import registry
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.routing import choose, paths
from testbed.topology.shape import LinkSetting, Shape

QUICK = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Of the property tests: few examples, the same in every run."""
CAPACITY_BPS = 10.0
"""Bytes per second of a host's link: sizes are tens of bytes, so runs take seconds."""


def _fabric(shape: Shape, oversubscription: float = 1.0) -> Fabric:
    hosts = LinkSetting(rate_bps=8 * CAPACITY_BPS, capacity_Bps=CAPACITY_BPS, buffer_bytes=1000)
    return shape.build(hosts, hosts.divided(oversubscription), mtu=1500)


def _uneven(fabric: Fabric) -> Fabric:
    """The same fabric, every link with a capacity of its own."""
    slow = [1.0, 0.75, 0.4, 1.3, 0.9]
    links = (replace(link, capacity_Bps=link.capacity_Bps * slow[i % len(slow)]) for i, link in enumerate(fabric.links))
    return replace(fabric, links=tuple(links))


FABRICS: dict[str, Fabric] = {
    "big-switch": _fabric(BigSwitch(6)),
    "fat-tree": _fabric(FatTree(4)),
    "oversubscribed-fat-tree": _fabric(FatTree(4), oversubscription=4.0),
    "uneven-leaf-spine": _uneven(_fabric(LeafSpine(3, 2, 3), oversubscription=2.0)),
}

_OPTIONS: dict[str, list[dict[str, Any]]] = {
    **{name: [{}, {"rates": "madd"}, {"rates": "madd", "backfill": False}] for name in ("fifo", "scf", "ncf", "lcf")},
    "sebf": [
        {},
        {"order": "static"},
        {"backfill": False},
        {"order": "static", "backfill": False},
        {"guard_period": 3.0, "guard_time": 0.5},
        {"guard_period": 3.0, "guard_time": 0.5, "backfill": False},
    ],
    "wss": [
        *({"between": between} for between in ("fifo", "priority", "weighted")),
        *({"between": between, "backfill": False} for between in ("fifo", "weighted")),
    ],
    "dclas": [
        *({"first_limit": 20.0, "factor": 2.0, "queues": 4, "sharing": s} for s in ("weighted", "strict")),
        *({"first_limit": 20.0, "factor": 2.0, "sharing": s, "sync": 0.7} for s in ("weighted", "strict")),
        {"first_limit": 5.0, "factor": 3.0, "queues": 10, "sharing": "weighted", "minimum_size": 12.0},
    ],
}

VARIANTS: list[SchedulerSetting] = [
    SchedulerSetting(name, parameters) for name in registry.known() for parameters in _OPTIONS.get(name, [{}])
]
"""Every registered scheduler, and those with parameters in several ways."""

BYTE_PARAMETERS = ("first_limit", "minimum_size")
"""Parameters in bytes, which scale with sizes."""


def titles(variants: Iterable[SchedulerSetting]) -> list[str]:
    """Names of variants in test ids."""
    return [variant.title for variant in variants]


def wastes(setting: SchedulerSetting) -> bool:
    """Whether the scheduler does not claim to conserve work."""
    return setting.name == "fair-coflowsim" or setting.parameters.get("backfill") is False


def commands_madd(setting: SchedulerSetting) -> bool:
    """Whether a coflow's flows are made to end together."""
    return setting.name in ("sebf", "wss") or setting.parameters.get("rates") == "madd"


@dataclass(frozen=True)
class RandomFlow:
    """A flow as it is drawn; `kind` is labelled, unlabelled (of a coflow, but not told) or background."""

    coflow: int
    src: int
    dst: int
    size: int
    kind: str = "labelled"


@st.composite
def plans(
    draw: st.DrawFn,
    *,
    setting: SchedulerSetting,
    fabrics: tuple[str, ...] = tuple(FABRICS),
    kinds: tuple[str, ...] = ("labelled",),
    max_coflows: int = 8,
    max_flows: int = 30,
    smallest: int = 0,
    enforcements: tuple[tuple[str, ...], ...] = (("pacing",),),
    arrivals: tuple[float, ...] = (0.0, 0.0, 1.0, 2.5, 4.0),
) -> Plan:
    """A plan of 1 to `max_coflows` coflows on one of the fabrics; they arrive at a few instants, not in order of id.

    Of the flows about one in five is of another kind than labelled, if `kinds` has others.
    """
    fabric = FABRICS[draw(st.sampled_from(fabrics))]
    hosts = len(fabric.hosts)
    n_coflows = draw(st.integers(1, max_coflows))
    ids = draw(st.permutations(range(10, 10 + n_coflows)))
    arrival = [draw(st.sampled_from(arrivals)) for _ in ids]
    weight = [draw(st.sampled_from([1.0, 1.0, 2.0, 0.5])) for _ in ids]
    host = st.integers(0, min(hosts, 10) - 1)  # few hosts, so that flows meet
    kind = st.sampled_from((*["labelled"] * (4 * (len(kinds) - 1)), *kinds))
    flow = st.builds(RandomFlow, st.integers(0, n_coflows - 1), host, host, st.integers(smallest, 60), kind)
    flows = [RandomFlow(c, draw(host), draw(host), draw(st.integers(max(1, smallest), 60))) for c in range(n_coflows)]
    flows += draw(st.lists(flow, min_size=n_coflows, max_size=max(n_coflows, max_flows - n_coflows)))
    return make_plan(
        fabric,
        setting,
        coflows=list(zip(ids, arrival, weight, strict=True)),
        flows=flows,
        enforcement=draw(st.sampled_from(enforcements)),
        unlabelled_class=draw(st.sampled_from(("top", "bottom", "own"))) if len(kinds) > 1 else "top",
    )


def make_plan(
    fabric: Fabric,
    setting: SchedulerSetting,
    coflows: list[tuple[int, float, float]],
    flows: list[RandomFlow],
    **fields: Any,
) -> Plan:
    """The plan of (id, arrival, weight) coflows and of flows that name them by place."""
    order = sorted(range(len(coflows)), key=lambda place: (coflows[place][1], coflows[place][0]))
    true = [NONE if flow.kind == "background" else coflows[flow.coflow][0] for flow in flows]
    label = [coflows[flow.coflow][0] if flow.kind == "labelled" else NONE for flow in flows]
    src, dst = (np.array([getattr(flow, end) for flow in flows], dtype=np.int64) for end in ("src", "dst"))
    via = choose(fabric, src, dst, "per-flow", 3)
    path_ptr, path_links = paths(fabric, src, dst, via)
    return Plan(
        experiment="random",
        topology=fabric.kind,
        workload="random",
        scheduler=setting,
        seed=0,
        repeat=0,
        fabric=fabric,
        addresses=(),
        coflows=CoflowTable(
            coflow=np.array([coflows[i][0] for i in order], dtype=np.int64),
            arrival_s=np.array([coflows[i][1] for i in order]),
            weight=np.array([coflows[i][2] for i in order]),
            deadline_s=np.full(len(order), np.nan),
        ),
        flows=FlowTable(
            coflow=np.array(true, dtype=np.int64),
            label=np.array(label, dtype=np.int64),
            src=src,
            dst=dst,
            bytes=np.array([flow.size for flow in flows], dtype=np.int64),
            start_s=np.array([coflows[flow.coflow][1] for flow in flows]),
            via=via,
            path_ptr=path_ptr,
            path_links=path_links,
        ),
        **fields,
    )


def with_flows(plan: Plan, rows: np.ndarray[Any, np.dtype[np.int64]], **columns: Any) -> Plan:
    """The plan with its flows in the order `rows`, and some columns replaced (given in the old order)."""
    flows = replace(plan.flows, **columns)
    chosen = [flows.path(row) for row in rows.tolist()]
    plain = {name: getattr(flows, name)[rows] for name in ("coflow", "label", "src", "dst", "bytes", "start_s", "via")}
    table = FlowTable(
        **plain,
        path_ptr=np.array([0, *accumulate(len(path) for path in chosen)], dtype=np.int64),
        path_links=np.array([link for path in chosen for link in path], dtype=np.int64),
    )
    return replace(plan, flows=table)


def lone_gamma_s(plan: Plan, coflow: int) -> float:
    """Gamma of a coflow's true flows on the empty fabric, the plain way: the longest any link takes for its bytes."""
    load = dict.fromkeys(range(len(plan.fabric.links)), 0)
    for flow in np.flatnonzero(plan.flows.coflow == coflow).tolist():
        for link in plan.flows.path(flow):
            load[link] += int(plan.flows.bytes[flow])
    return max(load[link] / plan.fabric.links[link].capacity_Bps for link in load)


def ccts(plan: Plan, finish_s: np.ndarray[Any, np.dtype[np.float64]]) -> dict[int, float]:
    """CCT per coflow id that has flows."""
    return {
        id_: float(np.max(finish_s[plan.flows.coflow == id_]) - arrival)
        for id_, arrival in zip(plan.coflows.coflow.tolist(), plan.coflows.arrival_s.tolist(), strict=True)
        if (plan.flows.coflow == id_).any()
    }
