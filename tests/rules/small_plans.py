"""Plans with a fabric and addresses but no flows, and the path that each address promises, worked out from names."""

from __future__ import annotations

import numpy as np

from testbed.coflow import CoflowTable, FlowTable
from testbed.plan import Plan, SchedulerSetting
from testbed.topology.addressing import addresses
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.shape import LinkSetting, Shape

LINK = LinkSetting(rate_bps=20e6, capacity_Bps=2.4e6, buffer_bytes=256_000)


def fat_tree(k: int, ecmp: str = "per-flow", seed: int = 1) -> Plan:
    """Core c hangs on aggregation switch c // (k / 2) of each pod."""
    return _plan(FatTree(k), ecmp, seed)


def leaf_spine(leaves: int, spines: int, hosts_per_leaf: int, ecmp: str = "per-flow", seed: int = 1) -> Plan:
    """Every leaf has a cable to every spine."""
    return _plan(LeafSpine(leaves, spines, hosts_per_leaf), ecmp, seed)


def big_switch(ports: int, ecmp: str = "per-flow", seed: int = 1) -> Plan:
    """One switch; there is no core to choose."""
    return _plan(BigSwitch(ports), ecmp, seed)


def expected_path(plan: Plan, source: int, destination: int, core: int) -> list[str]:
    """Names of the nodes that a packet between the hosts' addresses of this core must visit, both hosts included."""
    hosts = plan.fabric.hosts
    edge = {link.source: link.target for link in plan.fabric.links if link.source_port == 0}
    first, last = edge[hosts[source].name], edge[hosts[destination].name]
    if first == last:
        return [hosts[source].name, first, hosts[destination].name]
    if plan.fabric.kind == "leaf-spine":
        middle = [f"s{core}"]
    else:
        half = round(len([node for node in plan.fabric.switches if node.layer == "core"]) ** 0.5)
        up, down = (f"a{hosts[h].pod * half + core // half}" for h in (source, destination))
        middle = [up] if up == down else [up, f"c{core}", down]
    return [hosts[source].name, first, *middle, last, hosts[destination].name]


def visited(plan: Plan, links: tuple[int, ...]) -> list[str]:
    """Names of the nodes along these links."""
    return [plan.fabric.links[links[0]].source, *(plan.fabric.links[number].target for number in links)]


def _plan(shape: Shape, ecmp: str, seed: int) -> Plan:
    fabric = shape.build(LINK, LINK, mtu=9000)
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Plan(
        experiment="test", topology="test", workload="none", scheduler=SchedulerSetting("fair"), seed=seed, repeat=0,
        fabric=fabric, addresses=addresses(fabric), ecmp=ecmp,
        coflows=CoflowTable(none, nothing, nothing, nothing),
        flows=FlowTable(none, none, none, none, none, nothing, none, np.zeros(1, dtype=np.int64), none),
    )  # fmt: skip
