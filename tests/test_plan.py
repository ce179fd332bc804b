"""A plan written to a run directory reads back as itself, small and large."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from testbed.coflow import ENDLESS, NONE, CoflowTable, FlowTable
from testbed.errors import RecordsError
from testbed.plan import INLINE_FLOWS, Plan, SchedulerSetting, read_plan
from testbed.topology.addressing import addresses
from testbed.topology.fat_tree import FatTree
from testbed.topology.routing import choose, paths
from testbed.topology.shape import LinkSetting


def make_plan(n_flows: int) -> Plan:
    link = LinkSetting(20e6, 2.47e6 / 3, 256_000)
    fabric = FatTree(4).build(link, link, 9000)
    random = np.random.default_rng(1)
    src, dst = random.integers(16, size=(2, n_flows))
    via = choose(fabric, src, dst, "per-flow", 1)
    path_ptr, path_links = paths(fabric, src, dst, via)
    size = random.integers(1, 2**53, size=n_flows)
    size[0] = ENDLESS
    start_s = random.random(n_flows)
    start_s[-2:] = np.nan
    coflow = random.integers(2, size=n_flows)
    coflow[0] = NONE
    return Plan(
        experiment="test",
        topology="fat-tree k=4, 20 Mbit/s",
        workload="drawn",
        scheduler=SchedulerSetting("dclas", {"first_limit": 1_000_000, "sharing": "strict", "sync": 0.01}),
        seed=7,
        repeat=2,
        fabric=fabric,
        addresses=addresses(fabric),
        coflows=CoflowTable(
            coflow=np.array([0, 1]),
            arrival_s=np.array([0.1, np.nan]),
            weight=np.array([1.0, 2.5]),
            deadline_s=np.array([np.nan, 3.0]),
            after={1: (0,)},
            delay_s={1: 0.5},
        ),
        flows=FlowTable(
            coflow, coflow, src, dst, size, start_s, via, path_ptr, path_links,
            {n_flows - 1: (1, n_flows - 2)}, {n_flows - 1: 0.25},
        ),
        backends=("simulation",),
        spec={"seed": 7, "schedulers": [{"name": "dclas"}], "workload": {"shuffle": {"2": "1 B"}}},
        notes=("a note",),
    )  # fmt: skip


def assert_equal_tables(one: CoflowTable | FlowTable, other: CoflowTable | FlowTable) -> None:
    for each in fields(one):
        a, b = getattr(one, each.name), getattr(other, each.name)
        if isinstance(a, np.ndarray):
            assert b.dtype == a.dtype, each.name
            np.testing.assert_array_equal(a, b, err_msg=each.name)
        else:
            assert a == b, each.name


def assert_equal_plans(one: Plan, other: Plan) -> None:
    for each in fields(one):
        a, b = getattr(one, each.name), getattr(other, each.name)
        if isinstance(a, (CoflowTable, FlowTable)):
            assert_equal_tables(a, b)
        else:
            assert a == b, each.name


def test_a_small_plan_is_one_file(tmp_path: Path) -> None:
    plan = make_plan(20)
    assert plan.write(tmp_path) == tmp_path / "plan.json"
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
    assert_equal_plans(read_plan(tmp_path), plan)


def test_a_large_plan_has_its_flows_beside_it(tmp_path: Path) -> None:
    plan = make_plan(INLINE_FLOWS + 1)
    plan.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan-flows.parquet", "plan.json"]
    assert_equal_plans(read_plan(tmp_path), plan)


def test_the_path_of_a_flow() -> None:
    plan = make_plan(20)
    for flow in range(20):
        path = plan.flows.path(flow)
        assert path[0] == plan.flows.src[flow]
        assert plan.fabric.links[path[-1]].target == f"h{plan.flows.dst[flow]}"


def test_another_scheduler_shares_the_tables() -> None:
    plan = make_plan(20)
    other = plan.with_scheduler(SchedulerSetting("fair"))
    assert other.flows is plan.flows
    assert (other.scheduler.title, plan.scheduler.title) == (
        "fair", "dclas(first_limit=1000000, sharing=strict, sync=0.01)",
    )  # fmt: skip


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(RecordsError) as error:
        read_plan(tmp_path)
    assert str(error.value) == f"{path}: no such file; expected a run directory with the plan it ran"
    path.write_text("{")
    with pytest.raises(RecordsError) as error:
        read_plan(tmp_path)
    assert str(error.value).startswith(f"{path}: not readable as JSON (")
    path.write_text('{"format": 99}')
    with pytest.raises(RecordsError) as error:
        read_plan(tmp_path)
    assert str(error.value) == f"{path}: plan format is not 1; it was written by another version of the testbed"
