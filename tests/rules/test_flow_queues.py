from __future__ import annotations

from dataclasses import replace

import numpy as np
from small_plans import big_switch, fat_tree

from testbed.coflow import CoflowTable, FlowTable
from testbed.plan import Plan
from testbed.rules.flow_queues import FIRST_PORT, QUEUES, queues_by_link, sender_ports
from testbed.topology.routing import choose, paths

KERNEL_PORTS_FROM = 32_768


def with_flows(plan: Plan, src: list[int], dst: list[int]) -> Plan:
    """The plan, queueing per flow, with one coflow of these flows."""
    count = len(src)
    sources, targets = np.array(src, dtype=np.int64), np.array(dst, dtype=np.int64)
    via = choose(plan.fabric, sources, targets, "per-flow", 1)
    none = np.zeros(count, dtype=np.int64)
    return replace(
        plan,
        queueing="per-flow",
        coflows=CoflowTable(np.zeros(1, dtype=np.int64), np.zeros(1), np.ones(1), np.full(1, np.nan)),
        flows=FlowTable(none, none, sources, targets, none + 1, np.zeros(count), via,
                        *paths(plan.fabric, sources, targets, via)),
    )  # fmt: skip


def test_a_port_has_a_queue_for_every_flow_that_crosses_it_and_no_other() -> None:
    plan = with_flows(fat_tree(4), [0, 5, 0], [15, 1, 3])
    queues = queues_by_link(plan)
    for flow in range(3):
        crossed = set(plan.flows.path(flow))
        assert crossed == {link for link, numbers in enumerate(queues) if flow in numbers}
    assert queues[plan.fabric.uplink[0]] == (0, 2)


def test_where_queueing_is_fifo_ports_have_none_and_the_kernel_chooses_ports() -> None:
    plan = replace(with_flows(big_switch(3), [0, 1], [2, 2]), queueing="fifo")
    assert queues_by_link(plan) == [()] * 6
    assert sender_ports(plan).tolist() == [0, 0]


def test_a_senders_port_tells_its_flows_queue() -> None:
    plan = with_flows(big_switch(3), [0, 1, 1], [2, 2, 2])
    ports = sender_ports(plan)
    assert ports.tolist() == [FIRST_PORT, FIRST_PORT + 1, FIRST_PORT + 2]
    assert (ports % QUEUES).tolist() == [0, 1, 2]


def test_flows_of_one_number_between_the_same_ends_have_different_ports() -> None:
    count = 5 * QUEUES
    plan = with_flows(big_switch(2), [0] * count, [1] * count)
    ports = sender_ports(plan)
    stated = ports[ports > 0]
    assert len(stated) == 4 * QUEUES == len(set(stated.tolist()))
    assert (stated % QUEUES == np.arange(4 * QUEUES) % QUEUES).all()
    assert stated.max() < KERNEL_PORTS_FROM
    assert queues_by_link(plan)[0] == tuple(range(QUEUES))
