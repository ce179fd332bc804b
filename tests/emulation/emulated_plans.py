"""Plans without flows for the emulation's tests, routes for them by hand, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import networkx as nx
import numpy as np

from testbed.coflow import CoflowTable, FlowTable
from testbed.emulation.network import EmulatedNetwork
from testbed.plan import Plan, SchedulerSetting
from testbed.topology.addressing import addresses
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.shape import LinkSetting, Shape

Value = TypeVar("Value")

NONE, NOTHING = np.zeros(0, dtype=np.int64), np.zeros(0)


def plan_of(
    shape: Shape, rate_bps: float = 20e6, mtu: int = 9000, buffer_bytes: int = 256_000, **settings: Any
) -> Plan:
    """A plan for a topology: all links alike, no flows."""
    link = LinkSetting(rate_bps, 0.98 * rate_bps / 8, buffer_bytes)
    fabric = shape.build(link, link, mtu)
    plan = Plan(
        experiment="test", topology=shape.kind, workload="none", scheduler=SchedulerSetting("fair"), seed=1, repeat=0,
        fabric=fabric, addresses=addresses(fabric),
        coflows=CoflowTable(NONE, NOTHING, NOTHING, NOTHING),
        flows=FlowTable(NONE, NONE, NONE, NONE, NONE, NOTHING, NONE, np.zeros(1, dtype=np.int64), NONE),
    )  # fmt: skip
    return replace(plan, **settings)


def fat_tree(k: int, **settings: Any) -> Plan:
    """A fat-tree; with k = 2 it has two hosts, five switches and one path of six links."""
    return plan_of(FatTree(k), **settings)


def leaf_spine(leaves: int, spines: int, hosts_per_leaf: int, **settings: Any) -> Plan:
    """Every leaf has a cable to every spine: the smallest network with a choice of paths."""
    return plan_of(LeafSpine(leaves, spines, hosts_per_leaf), **settings)


def big_switch(ports: int, **settings: Any) -> Plan:
    """One switch."""
    return plan_of(BigSwitch(ports), **settings)


def with_link(plan: Plan, number: int, **changes: Any) -> Plan:
    """The plan with one of its links changed."""
    links = list(plan.fabric.links)
    links[number] = replace(links[number], **changes)
    return replace(plan, fabric=replace(plan.fabric, links=tuple(links)))


def install_routes(network: EmulatedNetwork) -> None:
    """Give every switch a flow per host and address, by shortest path, as one would by hand."""
    fabric = network.plan.fabric
    graph = nx.DiGraph((link.source, link.target, {"port": link.source_port}) for link in fabric.links)
    for switch, bridge in network.bridges().items():
        flows = []
        for address in network.plan.addresses:
            path = nx.shortest_path(graph, switch, address.host)
            port = graph.edges[path[0], path[1]]["port"]
            actions = f"output:{port}" if len(path) > 2 else f"mod_dl_dst:{address.mac},output:{port}"
            flows += [f"ip,nw_dst={own},actions={actions}" for own in (address.primary, *address.via)]
        network.open_vswitch.ofctl("add-flows", bridge.name, "-", stdin="\n".join(flows))


def until(condition: Callable[[], Value], what: str, deadline_s: float = 30.0) -> Value:
    """The first true value of a condition."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.01)
    return value
