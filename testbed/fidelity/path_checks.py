"""Checks on paths: whether the core of the network carried what the plan gave to each of its links."""

from __future__ import annotations

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.fabric import ETHERNET_HEADER, IP_TCP_HEADERS
from testbed.fidelity.evidence import Evidence, Unmeasured
from testbed.fidelity.network_checks import FEW_FRAMES
from testbed.fidelity.verdict import Check, at_most

CORE_LAYERS = ("core", "spine")
ASTRAY_DEGRADED = 0.01
ASTRAY_INVALID = 0.03
"""A quiet run of the quickstart is 0.0005 off its estimate, one with 3 % of its segments sent again 0.002."""
SPREADS = 1000
SPREAD_QUANTILE = 0.999
"""Of the random spreads: a hash that does worse than all but one in a thousand is not one."""
_ACKNOWLEDGEMENT = ETHERNET_HEADER + IP_TCP_HEADERS
_SHORT_FRAMES = 4


def balance_over_the_core(evidence: Evidence) -> Check:
    """Bytes that crossed the core on other links than planned, of all; by hash, how much the busiest link had."""
    name = "balance over the core"
    evidence.without_faults(name, "faults of the plan send flows other ways than planned")
    in_core = {node.name: node.layer in CORE_LAYERS for node in evidence.plan.fabric.nodes}
    links = evidence.plan.fabric.links
    core = np.array([i for i, link in enumerate(links) if in_core[link.source] or in_core[link.target]], dtype=np.int64)
    if not len(core):
        raise Unmeasured(name, "the network has no core: one path between any two hosts")
    if not evidence.ports:
        raise Unmeasured(name, "the port counters were not sampled")
    measured = np.zeros(len(links))
    for series in evidence.ports:
        measured[series.link] = series.sent[-1]
    if not measured[core].any():
        raise Unmeasured(name, "nothing crossed the core")
    if evidence.plan.ecmp == "hash":
        return _spread(evidence, name, measured, core[[in_core[links[i].target] for i in core]])
    return _astray(evidence, name, measured, core)


def _astray(evidence: Evidence, name: str, measured: Floats, core: Ints) -> Check:
    planned = _planned_bytes(evidence)
    if not planned[core].any():
        raise Unmeasured(name, "no flow was to cross the core")
    more = (measured / measured[core].sum() - planned / planned[core].sum())[core]
    excused = _excused_bytes(evidence, core) / measured[core].sum()
    worst = int(np.argmax(np.abs(more)))
    link = evidence.plan.fabric.links[int(core[worst])]
    return at_most(
        name, max(float(np.abs(more).sum()) / 2 - excused, 0.0), "of the bytes",
        degraded=ASTRAY_DEGRADED, invalid=ASTRAY_INVALID,
        words=f"flows took other paths than planned, most of all on link {link.name}, which had "
        f"{abs(more[worst]) * 100:.3g} % of the core's bytes {'more' if more[worst] > 0 else 'less'} than planned: "
        "a switch's rules differ from the plan's; run `testbed clean` and repeat the run, and report it with its logs",
        details={"links": float(len(core)), "excused": float(excused)},
    )  # fmt: skip


def _excused_bytes(evidence: Evidence, core: Ints) -> float:
    """What the estimate of planned bytes may miss: some short frames per flow (the end of its connection, single
    acknowledgements), what flows that were cut had not sent by the last sample, and control messages that are in-band.
    """
    plan, facts = evidence.plan, evidence.outcome.facts
    owner = np.repeat(np.arange(len(plan.flows)), np.diff(plan.flows.path_ptr))
    crossing = np.unique(owner[np.isin(plan.flows.path_links, core)])
    waiting = float(max((plan.fabric.links[i].buffer_bytes for i in core), default=0))
    cut = np.count_nonzero(~evidence.finished[crossing])
    control = facts.get("control_sent_bytes", 0) + facts.get("control_received_bytes", 0)
    return float(
        _SHORT_FRAMES * _ACKNOWLEDGEMENT * len(crossing)
        + FEW_FRAMES * (plan.fabric.mtu + ETHERNET_HEADER)
        + waiting * cut
        + (control if plan.control == "in-band" else 0)
    )


def _spread(evidence: Evidence, name: str, measured: Floats, up: Ints) -> Check:
    """Busiest link into the core over the mean of them all, against random spreads of the same flows."""
    flows = evidence.plan.flows
    crossing = np.isin(flows.path_links, up)
    size = evidence.outcome.sent_bytes[np.searchsorted(flows.path_ptr, np.flatnonzero(crossing), side="right") - 1]
    ways = np.array([evidence.plan.fabric.links[i].source for i in up])
    share = measured[up] / measured[up].mean()
    random = _random_spreads(size, _choices(evidence, up, flows.path_links[crossing]), len(up))
    busiest = evidence.plan.fabric.links[int(up[np.argmax(share)])].name
    return at_most(
        name, float(share.max()), "times the mean link", degraded=float(np.quantile(random, SPREAD_QUANTILE)),
        words=f"the hash sent more to link {busiest} than chance explains: switches choose alike (polarisation), or "
        "differ in what they hash; use routing: {ecmp: per-flow}, or take it as what such a network does",
        details={"median of random spreads": float(np.median(random)), "flows": float(len(size)),
                 "switches": float(len(set(ways)))},
    )  # fmt: skip


def _choices(evidence: Evidence, up: Ints, chosen: Ints) -> list[Ints]:
    """Per flow that crosses the core, places in `up` of the links that a hash may send it to: those of its pod."""
    pod = {node.name: node.pod for node in evidence.plan.fabric.nodes}
    pods = np.array([pod[link.source] for link in evidence.plan.fabric.links], dtype=np.int64)
    return [np.flatnonzero(pods[up] == pods[link]) for link in chosen]


def _random_spreads(size: Ints, choices: list[Ints], links: int) -> Floats:
    """Busiest link over the mean link, for each of many random spreads; seeded."""
    random = np.random.default_rng(1)
    load = np.zeros((SPREADS, links))
    rows = np.arange(SPREADS)
    for amount, ways in zip(size.tolist(), choices, strict=True):
        load[rows, ways[random.integers(len(ways), size=SPREADS)]] += amount
    mean = load.mean(axis=1)
    spread: Floats = load.max(axis=1) / np.where(mean > 0, mean, 1)
    return spread


def _planned_bytes(evidence: Evidence) -> Floats:
    """Per link, whole frames in bytes: of the data that flows sent, and of acknowledgements, one per two segments.

    Segments that were sent again are taken to have been lost behind the core: most queues that are full are there.
    """
    plan, outcome = evidence.plan, evidence.outcome
    sent = outcome.sent_bytes.astype(np.float64)
    links, flows = plan.fabric.links, plan.flows
    number = {(link.source, link.target): i for i, link in enumerate(links)}
    opposite = np.array([number[link.target, link.source] for link in links], dtype=np.int64)
    segments = np.ceil(sent / (plan.fabric.mtu - IP_TCP_HEADERS))
    data = sent + segments * _ACKNOWLEDGEMENT + outcome.retransmits * (plan.fabric.mtu + ETHERNET_HEADER)
    hops = np.diff(flows.path_ptr)
    load = np.zeros(len(links))
    np.add.at(load, flows.path_links, np.repeat(data, hops))
    np.add.at(load, opposite[flows.path_links], np.repeat(segments * _ACKNOWLEDGEMENT / 2, hops))
    return load
