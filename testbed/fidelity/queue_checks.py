"""Checks on queues: what was lost where none was full, and what a link sent while one stood before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from testbed.coflow import Ints
from testbed.fabric import ETHERNET_HEADER, IP_TCP_HEADERS, Node
from testbed.fidelity.evidence import Drops, Evidence, Flags, QueueSeries, Unmeasured
from testbed.fidelity.network_checks import FEW_FRAMES, LOST_BY_FAULTS
from testbed.fidelity.verdict import Check, at_least, at_most

LOST_DEGRADED = 0.001
LOST_INVALID = 0.01
"""A hundredth of the frames lost where no queue was full is a network that TCP halves its windows for."""
RESENT_DEGRADED = 0.01
"""TCP also sends again what only came late."""
TAILS = 1
"""Of each flow: TCP sends its last segment again when the answer waits in a queue (tail loss probe), and is closed
before it hears that it came twice."""
WAITING_FRAMES = 2
"""So many full frames in a queue at a sample: the link had something to send then."""
SATURATED_S = 2.0
SATURATED_SAMPLES = 8
"""A queue seen at so many samples in a row, for so long, was there nearly all the time."""
SATURATED_SHARE = 0.9
"""Of its rate; the rest is for moments in which the queue was empty between two samples."""


def loss_without_a_full_queue(evidence: Evidence) -> Check:
    """Frames that a node lost though no queue of its ports was full, of those that it was given: the worst node.

    At a switch none of whose queues was full, what came in and went out nowhere; at any port, what it dropped beside
    the frames that found its queue full. Up to 3 frames do not count, nor what is meant to be lost: at a link that has
    a loss, and at the switches of hosts where these have meters.
    """
    name = "loss without a full queue"
    evidence.without_faults(name, LOST_BY_FAULTS)
    fabric, drops = evidence.plan.fabric, _drops(evidence, name)
    frame_bytes = fabric.mtu + ETHERNET_HEADER
    lost: dict[str, tuple[float, float]] = {}
    for node in fabric.nodes:
        out = [i for i, link in enumerate(fabric.links) if link.source == node.name]
        given = _frames_given(evidence, node, frame_bytes)
        frames = float(drops.stray[out].sum())
        if not (node.is_host or drops.full[out].any() or _is_to_lose(evidence, node, out)):
            frames = max(frames, _frames_missing(evidence, node, frame_bytes))
        if given > 0:
            lost[node.name] = (frames / given if frames > FEW_FRAMES else 0.0, frames)
    if not lost:
        raise Unmeasured(name, "no node sent a frame")
    worst = max(lost, key=lambda node: lost[node])
    stray = int(sum(drops.stray[i] for i, link in enumerate(fabric.links) if link.source == worst))
    return at_most(
        name, lost[worst][0], "of its frames", degraded=LOST_DEGRADED, invalid=LOST_INVALID,
        words=f"{worst} lost {lost[worst][1]:.0f} frames though no queue of its was full, {stray} of them at its ports"
        + (": something else configures its interfaces; run `testbed clean` and repeat the run" if stray else
           ": it forwards less than the plan needs, or this machine was busy; close other programs, lower link.rate, "
           "raise the MTU, or use the kernel datapath"),
        details={"full queues": float((drops.full > 0).sum()), "dropped beside queues": float(drops.stray.sum())},
    )  # fmt: skip


def sent_again_without_a_full_queue(evidence: Evidence) -> Check:
    """Segments that TCP sent again, and the receiver did not have, over flows none of whose queues was full.

    One of each flow does not count.
    """
    name = "sent again without a full queue"
    evidence.without_faults(name, LOST_BY_FAULTS)
    drops, outcome = _drops(evidence, name), evidence.outcome
    if "meter" in evidence.plan.enforcement:
        raise Unmeasured(name, "meters drop frames of flows that go beyond their rates")
    clear = _on_clear_paths(evidence, drops.full > 0)
    if not clear.any():
        raise Unmeasured(name, "every flow had a full queue on its path, or may have had one")
    segments = float(np.ceil(outcome.sent_bytes[clear] / (evidence.plan.fabric.mtu - IP_TCP_HEADERS)).sum())
    again = outcome.retransmits - _came_twice(evidence) - TAILS
    lost = int(np.maximum(again, 0)[clear].sum())
    return at_most(
        name, lost / segments if lost > FEW_FRAMES and segments else 0.0, "of the segments", degraded=RESENT_DEGRADED,
        words=f"TCP sent {lost} segments again on paths without a full queue: frames were lost in switches, or answers "
        "came later than TCP waits for them; lower link.rate, or raise the MTU or tcp.rto_min",
        details={"segments": float(lost), "flows": float(clear.sum())},
    )  # fmt: skip


def reached_when_saturated(evidence: Evidence) -> Check:
    """What a link that had a queue all the time sent in that time, of its configured rate: the worst of all links."""
    name = "share of the rate when saturated"
    if not evidence.queues:
        raise Unmeasured(name, "the queues were not sampled")
    sent = {series.link: (series.at_s, series.sent) for series in evidence.ports}
    reached: list[tuple[float, int, float]] = []
    for series in evidence.queues:
        if series.link not in sent:
            continue
        rate_Bps = evidence.plan.fabric.links[series.link].rate_bps / 8
        for begin_s, end_s in _saturated(evidence, series):
            amount = np.diff(np.interp((begin_s, end_s), *sent[series.link]))[0]
            reached.append((float(amount) / (end_s - begin_s) / rate_Bps, series.link, begin_s))
    if not reached:
        raise Unmeasured(name, f"no link had a queue at every sample for {SATURATED_S:g} s")
    share, link, begin_s = min(reached)
    return at_least(
        name, share, "", invalid=SATURATED_SHARE,
        words=f"link {evidence.plan.fabric.links[link].name} had a queue from {begin_s:.1f} s on and did not send at "
        "its rate: the machine cannot carry it, or its shaper was changed; lower link.rate, or run `testbed clean` and "
        "repeat the run",
        details={"links": float(len({link for _, link, _ in reached})), "at": begin_s},
    )  # fmt: skip


def _saturated(evidence: Evidence, series: QueueSeries) -> Iterator[tuple[float, float]]:
    """Spans of time at each of whose samples the link had a queue."""
    least = WAITING_FRAMES * (evidence.plan.fabric.mtu + ETHERNET_HEADER)
    waiting = np.concatenate([[False], series.backlog >= least, [False]])
    turns = np.diff(waiting.astype(np.int8))
    first, behind = np.flatnonzero(turns > 0), np.flatnonzero(turns < 0)
    for begin, end in zip(first.tolist(), (behind - 1).tolist(), strict=True):
        begin_s, end_s = float(series.at_s[begin]), float(series.at_s[end])
        if end_s - begin_s >= SATURATED_S and end - begin >= SATURATED_SAMPLES:
            yield begin_s, end_s


def _drops(evidence: Evidence, name: str) -> Drops:
    if evidence.drops is None:
        raise Unmeasured(name, "the queues' drops were not read")
    if not evidence.ports:
        raise Unmeasured(name, "the port counters were not sampled")
    return evidence.drops


def _is_to_lose(evidence: Evidence, switch: Node, out: list[int]) -> bool:
    links, hosts = evidence.plan.fabric.links, {node.name for node in evidence.plan.fabric.hosts}
    metered = "meter" in evidence.plan.enforcement and any(links[i].target in hosts for i in out)
    return metered or any(links[i].loss > 0 for i in out)


def _frames_given(evidence: Evidence, node: Node, frame_bytes: int) -> float:
    """Full frames that came into a switch, or that a host sent."""
    links = evidence.plan.fabric.links
    if node.is_host:
        given = sum(one.sent[-1] for one in evidence.ports if links[one.link].source == node.name)
    else:
        given = sum(one.received[-1] for one in evidence.ports if links[one.link].target == node.name)
    return float(given) / frame_bytes


def _frames_missing(evidence: Evidence, switch: Node, frame_bytes: int) -> float:
    """Full frames that came into a switch, did not leave it, and do not wait in it at the last sample."""
    links = evidence.plan.fabric.links
    into = [one for one in evidence.ports if links[one.link].target == switch.name]
    out = [one for one in evidence.ports if links[one.link].source == switch.name]
    missing = sum(one.received[-1] for one in into) - sum(one.sent[-1] for one in out)
    if any(one.received[-1] > one.received[-2] for one in into):
        waiting = {series.link: series.backlog[-1] for series in evidence.queues}
        missing -= sum(waiting.get(one.link, 0.0) + frame_bytes for one in out)
    return float(missing) / frame_bytes


def _came_twice(evidence: Evidence) -> Ints:
    """Per flow, segments of which the receiver said that it had them already; 0 in records that do not tell."""
    twice = np.zeros(len(evidence.plan.flows), dtype=np.int64)
    tcp = evidence.outcome.samples.get("tcp")
    if tcp is not None and "came_twice" in tcp:
        twice[tcp["flow"].to_numpy(dtype=np.int64)] = tcp["came_twice"].to_numpy(dtype=np.int64)
    return twice


def _on_clear_paths(evidence: Evidence, full: Flags) -> Flags:
    """Per flow, whether no link of its path had a full queue or is meant to lose frames.

    Where switches choose paths by a hash nobody knows which; then no queue at all may have been full.
    """
    plan = evidence.plan
    lossy = full | np.array([link.loss > 0 for link in plan.fabric.links], dtype=np.bool_)
    if len(plan.flows) == 0 or (plan.ecmp == "hash" and lossy.any()):
        return np.zeros(len(plan.flows), dtype=np.bool_)
    clear: Flags = np.add.reduceat(lossy[plan.flows.path_links].astype(np.int64), plan.flows.path_ptr[:-1]) == 0
    return clear
