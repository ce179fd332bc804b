"""What the faults of a plan must cause, and so cannot be held against a run."""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats
from testbed.completion import coflow_rows
from testbed.faults import Flags, ends_of
from testbed.plan import Plan


def touched_links(plan: Plan) -> Flags:
    """Per link, whether a fault broke it at some time, or made it slow: it lost frames then, or had another rate."""
    nodes = {fault.nodes[0] for fault in plan.faults if fault.event in ("crash", "kill")}
    cables = {ends_of(fault.nodes) for fault in plan.faults if fault.event in ("down", "slow")}
    return np.array(
        [
            link.source in nodes or link.target in nodes or ends_of((link.source, link.target)) in cables
            for link in plan.fabric.links
        ],
        dtype=np.bool_,
    )


def halted_hosts(plan: Plan) -> set[str]:
    """Hosts that were paused or killed at some time."""
    return {fault.nodes[0] for fault in plan.faults if fault.event in ("pause", "kill")}


def halted_senders(plan: Plan) -> Flags:
    """Per flow, whether its sender was paused or killed at some time: it may have started late."""
    names = halted_hosts(plan)
    halted = np.array([host.name in names for host in plan.fabric.hosts], dtype=np.bool_)
    return halted[plan.flows.src]


def first_fault_s(plan: Plan) -> float:
    """When the first fault was planned; inf where there is none."""
    return plan.faults[0].at_s if plan.faults else np.inf


def host_gammas(plan: Plan) -> Floats:
    """Per coflow, the least time that its hosts' own links need: flows keep these, whatever way they take between."""
    flows, fabric = plan.flows, plan.fabric
    row = coflow_rows(plan.coflows, flows)
    mine = row >= 0
    gamma = np.zeros(len(plan.coflows))
    for link_of_host, host in ((fabric.uplink, flows.src), (fabric.downlink, flows.dst)):
        pairs, place = np.unique(np.stack((row[mine], host[mine])), axis=1, return_inverse=True)
        load = np.bincount(place.ravel(), flows.bytes[mine].astype(np.float64), minlength=pairs.shape[1])
        np.maximum.at(gamma, pairs[0], load / fabric.capacity_Bps[link_of_host[pairs[1]]])
    return gamma
