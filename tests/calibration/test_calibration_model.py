"""Loads and costs, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from testbed.calibration.model import Cost, Load, fit, fullest, load_of, predict, predict_fullest
from testbed.coflow import ENDLESS, CoflowTable, FlowTable
from testbed.fabric import Fabric, goodput_share
from testbed.plan import Plan, SchedulerSetting
from testbed.topology.addressing import addresses
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.routing import choose, paths
from testbed.topology.shape import LinkSetting, Shape


def fabric_of(shape: Shape, rate_bps: float = 20e6, mtu: int = 9000, oversubscription: float = 1) -> Fabric:
    link = LinkSetting(rate_bps, rate_bps / 8 * goodput_share(mtu), 256_000)
    return shape.build(link, link.divided(oversubscription), mtu)


def plan_of(fabric: Fabric, src: list[int], dst: list[int], size: list[int]) -> Plan:
    """Flows of one coflow that start at 0."""
    senders, receivers = np.array(src, dtype=np.int64), np.array(dst, dtype=np.int64)
    via = choose(fabric, senders, receivers, "per-flow", seed=1)
    path_ptr, path_links = paths(fabric, senders, receivers, via)
    none = np.zeros(len(src), dtype=np.int64)
    return Plan(
        experiment="e", topology="t", workload="w", scheduler=SchedulerSetting("fair"), seed=1, repeat=0, fabric=fabric,
        addresses=addresses(fabric),
        coflows=CoflowTable(np.zeros(1, dtype=np.int64), np.zeros(1), np.ones(1), np.full(1, np.nan)),
        flows=FlowTable(none, none, senders, receivers, np.array(size), np.zeros(len(src)), via, path_ptr, path_links),
    )  # fmt: skip


def test_a_flow_costs_its_segments_and_half_as_many_acknowledgements_at_every_switch() -> None:
    # 8948 bytes of payload are one segment of MTU 9000; its frame has 9014 bytes, half an acknowledgement 33.
    load = load_of(100 * 8948, 9000, 1)
    assert load.frames == pytest.approx(150)
    assert load.bytes == pytest.approx(100 * (9014 + 33))
    assert load_of(100 * 8948, 9000, 4).frames == pytest.approx(150 / 4)
    assert Cost(10e-6, 1e-9).share(Load(50_000, 300e6)) == pytest.approx(0.5 + 0.3)


@pytest.mark.parametrize(
    ("shape", "oversubscription", "full_links"),
    [
        (BigSwitch(16), 1, 16.0),
        (FatTree(4), 1, 16 * 5.0),
        (FatTree(4), 4, 16 + 64 / 4),
        (FatTree(2), 1, 2 * 5.0),
        (LeafSpine(2, 1, 4), 1, 8 + 2 * 2),  # the spine's links are fewer than the hosts'
        (LeafSpine(2, 8, 2), 1, 4 * 3.0),  # they are more than the hosts can fill
    ],
)
def test_the_fullest_load_is_that_of_all_hosts_as_far_as_links_let_them(
    shape: Shape, oversubscription: float, full_links: float
) -> None:
    fabric = fabric_of(shape, oversubscription=oversubscription)
    load = fullest(fabric, "ovs-user")
    assert load.bytes == pytest.approx(full_links * 20e6 / 8)
    assert load.frames == pytest.approx(full_links * 20e6 / 8 / 9047 * 1.5)
    assert fullest(fabric, "ovs-user", 3.0).bytes == pytest.approx(3 * load.bytes)


def test_routers_are_handed_segments_of_several_frames() -> None:
    fabric = fabric_of(FatTree(4), rate_bps=1e9)
    assert fullest(fabric, "router").frames == pytest.approx(fullest(fabric, "ovs-user").frames / 7)


def test_the_busiest_second_and_the_average() -> None:
    plan = plan_of(fabric_of(BigSwitch(4)), [0, 1, 2], [1, 2, 3], [2_000_000, 1_000_000, 3_000_000])
    start, finish = np.array([0.0, 0.5, 4.0]), np.array([2.0, 1.0, 7.0])
    # Bytes per second: 1 MB until 2 s with 2 MB more from 0.5 to 1 s, nothing from 2 to 4 s, 1 MB until 7 s.
    found = predict(plan, "ovs-user", start, finish, plan.flows.bytes)
    assert found.busiest.bytes == pytest.approx(2e6 / goodput_share(9000))
    assert found.average.bytes == pytest.approx(6e6 / 7 / goodput_share(9000))
    assert found.scheduled


def test_every_switch_on_the_path_counts() -> None:
    fabric = fabric_of(FatTree(4))
    for receiver, switches in ((1, 1), (2, 3), (8, 5)):
        plan = plan_of(fabric, [0], [receiver], [1_000_000])
        found = predict(plan, "ovs-user", np.zeros(1), np.array([2.0]), plan.flows.bytes)
        assert found.average.bytes == pytest.approx(switches * 5e5 / goodput_share(9000))


def test_flows_without_an_end_run_to_the_end_and_those_that_never_start_count_nothing() -> None:
    plan = plan_of(fabric_of(BigSwitch(4)), [0, 1, 2], [1, 2, 3], [1_000_000, ENDLESS, 5])
    start, finish = np.array([0.0, 0.0, np.nan]), np.array([4.0, np.nan, np.nan])
    found = predict(plan, "ovs-user", start, finish, np.array([1_000_000, 3_000_000, 0]))
    assert found.average.bytes == pytest.approx(1e6 / goodput_share(9000))
    nothing = predict(plan, "ovs-user", np.full(3, np.nan), np.full(3, np.nan), np.zeros(3, dtype=np.int64))
    assert nothing.busiest == Load(0.0, 0.0)


def test_no_second_is_fuller_than_full() -> None:
    plan = plan_of(fabric_of(BigSwitch(4)), [0, 0], [1, 2], [2_000_000, 2_000_000])
    both_at_once = np.array([0.1, 0.1])
    found = predict(plan, "ovs-user", np.zeros(2), both_at_once, plan.flows.bytes)
    assert found.busiest == found.fullest
    worst = predict_fullest(plan, "ovs-user")
    assert (worst.busiest, worst.scheduled) == (found.fullest, False)


def test_costs_are_found_again_from_loads_that_took_all_of_the_time() -> None:
    cost = Cost(10e-6, 2e-9)
    loads = []
    for size in (6000.0, 1000.0):
        frames = 1 / (cost.frame_s + cost.byte_s * size)
        loads.append(Load(frames, frames * size))
        assert cost.share(loads[-1]) == pytest.approx(1)
    found = fit(loads)
    assert (found.frame_s, found.byte_s) == (pytest.approx(10e-6), pytest.approx(2e-9))


def test_noise_makes_no_cost_negative() -> None:
    # Large frames that took less time than small ones; and a time more than proportional to size.
    assert fit([Load(110_000, 110_000 * 6000.0), Load(100_000, 1e8)]).byte_s == 0
    assert fit([Load(10_000, 10_000 * 6000.0), Load(100_000, 1e8)]).frame_s == 0
