"""Queues of single flows: which of them each port has, and how a packet tells its own.

Where ports queue per flow, every planned flow that crosses a port has a queue there, and the queues take turns. A flow
is told by the low bits of its sender's TCP port, which the plan therefore chooses. Ports need no queue for a flow that
never comes by, and none has to be made while a run goes.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from testbed.coflow import Ints
from testbed.faults import conditions
from testbed.plan import Plan
from testbed.topology.rerouting import reroute

QUEUES = 4096
"""Flow f has queue f modulo this; flows that share a number and a link share a queue."""
FIRST_PORT = 16_384
"""Of the senders; a multiple of QUEUES, and with all turns below the ports that kernels choose by themselves."""
_TURNS = 4
"""Ports of one queue: flows of the same number between the same ends need different ones."""
_KERNELS_CHOICE = 0


def sender_ports(plan: Plan) -> Ints:
    """Per flow, the TCP port to send from; 0 where the kernel may choose (it then shares the queue of all others)."""
    flows = plan.flows
    ports = np.full(len(flows), _KERNELS_CHOICE, dtype=np.int64)
    if plan.queueing == "fifo":
        return ports
    taken: Counter[tuple[int, int, int, int]] = Counter()
    for flow, (source, target, via) in enumerate(
        zip(flows.src.tolist(), flows.dst.tolist(), flows.via.tolist(), strict=True)
    ):
        ends = (source, target, via, flow % QUEUES)
        if taken[ends] < _TURNS:
            ports[flow] = FIRST_PORT + flow % QUEUES + QUEUES * taken[ends]
            taken[ends] += 1
    return ports


def queues_by_link(plan: Plan) -> list[tuple[int, ...]]:
    """Per link, the numbers of the flow queues at its port, ascending; none where ports have one queue for all.

    Flows that come by only while something is broken have theirs too.
    """
    links = len(plan.fabric.links)
    if plan.queueing == "fifo":
        return [()] * links
    crossings = [_crossings(plan.flows.path_ptr, plan.flows.path_links)]
    usable = {condition.usable(plan.fabric).tobytes(): condition for condition in conditions(plan.faults)[1:]}
    for condition in usable.values():
        path_ptr, path_links, _ = reroute(plan.fabric, plan.flows, condition.usable(plan.fabric))
        crossings.append(_crossings(path_ptr, path_links))
    pairs = np.unique(np.concatenate(crossings, axis=1), axis=1)
    starts = np.searchsorted(pairs[0], np.arange(links + 1))
    return [tuple(pairs[1, starts[link] : starts[link + 1]].tolist()) for link in range(links)]


def _crossings(path_ptr: Ints, path_links: Ints) -> Ints:
    """Two rows: a link, and the queue of a flow that crosses it."""
    numbers = np.repeat(np.arange(len(path_ptr) - 1) % QUEUES, np.diff(path_ptr))
    return np.stack((path_links, numbers))
