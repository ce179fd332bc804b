"""A network that is offered more than its datapath can forward, and what it forwarded: how a machine is calibrated.

Host i of a fat-tree sends without end to the host of the same place in the next pod, so every host sends and receives
and every cable between switches carries one flow each way, until a short flow that starts later has arrived.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from testbed.calibration.model import Load, frames_in_segment, load_of
from testbed.calibration.store import Point
from testbed.coflow import ENDLESS, NONE, CoflowTable, FlowTable
from testbed.emulation.session import emulate
from testbed.errors import EmulationError
from testbed.fabric import Fabric, goodput_share
from testbed.outcome import Outcome
from testbed.plan import Plan, SchedulerSetting
from testbed.topology.addressing import addresses
from testbed.topology.fat_tree import FatTree
from testbed.topology.routing import choose, paths
from testbed.topology.shape import LinkSetting

SETTLE_SHARE = 0.4
"""Of the time, that TCP has to find its rates before anything is counted."""
BUFFER_BYTES = 256_000
SHORT_FLOW_BYTES = 1000
SLOW_BPS = 1e6
"""Of the links of a host that takes no part, where segments shall be short: the slowest link bounds them."""


@dataclass(frozen=True)
class Saturation:
    """What one measurement found."""

    point: Point
    load: Load
    container_start_s: float
    """Per host."""
    host_bytes: int
    """What the machine had less of in memory, per host."""


def saturate(
    datapath: str,
    k: int,
    mtu: int,
    rate_bps: float,
    seconds: float,
    logs: Path,
    *,
    short_segments: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Saturation:
    """Bring a k-ary fat-tree up, offer it `rate_bps` from every host for some seconds, and take it down. As root.

    `short_segments`: two frames at most, also where routers would be handed more; one host then takes no part.
    EmulationError where too little was sampled to tell.
    """  # fmt: skip
    plan = _plan(datapath, k, mtu, rate_bps, seconds, short_segments)
    before = available_bytes()
    least = before

    def note(_: object) -> None:
        nonlocal least
        least = min(least, available_bytes())

    outcome = emulate(plan, f"calibrate-{secrets.token_hex(3)}", logs, say=say, on_progress=note)
    hosts = len(plan.fabric.hosts)
    goodput_Bps = _arrived_Bps(plan, outcome, seconds)
    segment = frames_in_segment(plan.fabric, str(outcome.facts["datapath"]))
    load = load_of(goodput_Bps * _hops(plan), mtu, segment)
    sending = len(plan.flows) - 1
    capacity_Bps = sending * rate_bps / 8 * goodput_share(mtu)
    point = Point(
        mtu=mtu,
        rate_bps=rate_bps,
        frames_in_segment=segment,
        goodput_bps=goodput_Bps * 8,
        offered=goodput_Bps / capacity_Bps,
        frame_hops_per_s=load.frames,
        byte_hops_per_s=load.bytes,
        round_trip_s=float(outcome.samples["probe"].rtt_s.median()),
        foreign=float(outcome.samples["processors"]["foreign"].mean()),
    )
    containers_s = float(outcome.facts["network_phases_s"]["containers"])
    return Saturation(point, load, containers_s / hosts, max(0, before - least) // hosts)


def available_bytes() -> int:
    """Memory that programs can still have."""
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(facts["MemAvailable"].split()[0]) * 1024


def _plan(datapath: str, k: int, mtu: int, rate_bps: float, seconds: float, short_segments: bool) -> Plan:
    link = LinkSetting(rate_bps, rate_bps / 8 * goodput_share(mtu), BUFFER_BYTES)
    fabric = FatTree(k).build(link, link, mtu)
    hosts = len(fabric.hosts)
    senders = np.arange(hosts, dtype=np.int64)
    receivers = (senders + k * k // 4) % hosts
    if short_segments:
        fabric = _with_slow_last_host(fabric)
        taking_part = (senders != hosts - 1) & (receivers != hosts - 1)
        senders, receivers = senders[taking_part], receivers[taking_part]
    src, dst = np.append(senders, senders[0]), np.append(receivers, receivers[0])
    via = choose(fabric, src, dst, "per-flow", seed=1)
    path_ptr, path_links = paths(fabric, src, dst, via)
    coflow = np.append(np.full(len(senders), NONE), 0)
    size = np.append(np.full(len(senders), ENDLESS), SHORT_FLOW_BYTES)
    start_s = np.append(np.zeros(len(senders)), seconds)
    return Plan(
        experiment="calibrate", topology=f"fat-tree k={k}", workload="permutation", scheduler=SchedulerSetting("fair"),
        seed=1, repeat=0, fabric=fabric, addresses=addresses(fabric),
        coflows=CoflowTable(np.zeros(1, dtype=np.int64), np.full(1, seconds), np.ones(1), np.full(1, np.nan)),
        flows=FlowTable(coflow, coflow, src, dst, size, start_s, via, path_ptr, path_links),
        datapath=datapath, enforcement=("none",), backends=("emulation",),
    )  # fmt: skip


def _with_slow_last_host(fabric: Fabric) -> Fabric:
    slow = {int(fabric.uplink[-1]), int(fabric.downlink[-1])}
    links = (replace(link, rate_bps=SLOW_BPS) if i in slow else link for i, link in enumerate(fabric.links))
    return replace(fabric, links=tuple(links))


def _arrived_Bps(plan: Plan, outcome: Outcome, seconds: float) -> float:
    """TCP payload per second that reached the hosts, all together, once TCP had settled."""
    ports = outcome.samples["ports"]
    into_hosts = ports[ports.link.isin(plan.fabric.downlink)]
    counted = into_hosts.groupby("at_s").received_bytes.sum()
    counted = counted[(counted.index >= SETTLE_SHARE * seconds) & (counted.index <= seconds)]
    if len(counted) < 2:
        raise EmulationError(
            f"calibration: the ports were read {len(counted)} times in {seconds:g} s, expected 2 or more; the machine "
            "was busy with something else, or the time is too short"
        )
    took_s = float(counted.index[-1] - counted.index[0])
    return float(counted.iloc[-1] - counted.iloc[0]) / took_s * goodput_share(plan.fabric.mtu)


def _hops(plan: Plan) -> int:
    """Switches that a long flow crosses."""
    return len(plan.flows.path(0)) - 1
