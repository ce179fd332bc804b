"""From experiments to plans: what is planned, in which order, and the same each time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from testbed.coflow import ENDLESS, NONE
from testbed.errors import SpecError
from testbed.plan import Plan, TcpSetting, read_plan
from testbed.planning import make_plans
from testbed.scheduling.gammas import lone_gammas
from testbed.spec.reader import load_experiment

ROOT = Path(__file__).parent.parent
TRACE = Path(os.environ.get("COFLOW_TRACE", ROOT / "../shared/traces/FB2010-1Hr-150-0.txt"))
FLOW = {"from": 0, "to": 15, "size": "1 MB"}
EXPLICIT = {"kind": "explicit", "coflows": [{"id": 1, "flows": [FLOW]}]}


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Plans of an experiment given as keywords; topology and workload have small defaults."""
    monkeypatch.chdir(tmp_path)

    def plans(overrides: tuple[str, ...] = (), seed: int | None = None, **experiment: Any) -> list[Plan]:
        document = {
            "topology": {"kind": "fat-tree", "k": 4},
            "workload": EXPLICIT,
            "schedulers": ["fair"],
            **experiment,
        }
        Path("e.yml").write_text(yaml.safe_dump(document))
        return list(make_plans(load_experiment(Path("e.yml"), overrides), seed=seed))

    return plans


def shipped(workload: str, **topology: Any) -> dict[str, Any]:
    return {
        "topology": {"kind": "fat-tree", "k": 4, **topology},
        "workload": str(ROOT / "workloads" / workload),
        "schedulers": ["fair"],
    }


def test_every_combination_repeat_and_scheduler_in_order(planned: Any) -> None:
    plans = planned(
        schedulers=["fair", {"name": "sebf", "backfill": False}],
        repeats=2,
        seed=5,
        vary={"topology.link.rate": ["10 Mbit/s", "20 Mbit/s"]},
    )
    runs = [(p.topology, p.repeat, p.seed, p.scheduler.title) for p in plans]
    assert runs == [
        (f"fat-tree k=4, {rate} Mbit/s", repeat, 5 + repeat, scheduler)
        for rate in (10, 20)
        for repeat in (0, 1)
        for scheduler in ("fair", "sebf(backfill=False)")
    ]
    assert plans[0].flows is plans[1].flows
    assert plans[0].spec["varied"] == {"topology.link.rate": "10 Mbit/s"}


def test_a_seed_in_place_of_the_experiments(planned: Any) -> None:
    assert [plan.seed for plan in planned(repeats=2, seed=5)] == [5, 6]
    experiment = load_experiment(Path("e.yml"))
    assert [plan.seed for plan in make_plans(experiment, seed=90)] == [90, 91]


def test_settings_reach_the_plan(planned: Any) -> None:
    (plan,) = planned(
        topology={
            "kind": "fat-tree",
            "k": 4,
            "tcp": {"congestion": "reno", "initcwnd": 3, "rto_min": "5 ms", "ecn": True, "window": "64 KB"},
            "hosts": {"image": "x", "memory": "1 MB", "cpus": 0.5},
            "datapath": "router",
            "oversubscription": 4,
            "link": {"rate": "8 Mbit/s", "delay": "1 ms", "loss": "1%", "buffer": "64 KB", "mtu": 1500},
        },
        workload={**EXPLICIT, "unlabelled_class": "own"},
        enforcement=["queue", "pacing"],
        control="in-band",
        backends="emulation",
    )
    assert plan.tcp == TcpSetting("reno", initcwnd=3, rto_min_s=0.005, ecn=True, window_bytes=64_000)
    assert (plan.host.image, plan.host.memory_bytes, plan.host.cpus) == ("x", 1_000_000, 0.5)
    assert (plan.datapath, plan.control, plan.unlabelled_class) == ("router", "in-band", "own")
    assert (plan.enforcement, plan.backends) == (("queue", "pacing"), ("emulation",))
    low, high = plan.fabric.links[0], plan.fabric.links[-1]
    assert (low.rate_bps, high.rate_bps) == (8e6, 2e6)
    assert low.capacity_Bps == 4 * high.capacity_Bps
    assert (low.delay_s, low.loss, low.buffer_bytes, plan.fabric.mtu) == (0.001, 0.01, 64_000, 1500)


def test_a_plan_reads_back_with_the_spec_that_repeats_it(planned: Any, tmp_path: Path) -> None:
    (plan,) = planned(workload={"kind": "synthetic", "coflows": 20, "max_width": 10, "max_bytes": "10 MB"})
    (tmp_path / "run").mkdir()
    plan.write(tmp_path / "run")
    (tmp_path / "again.yml").write_text(yaml.safe_dump(read_plan(tmp_path / "run").spec))
    (again,) = make_plans(load_experiment(tmp_path / "again.yml"))
    for column in ("coflow", "src", "dst", "bytes", "start_s", "via", "path_links"):
        np.testing.assert_array_equal(getattr(again.flows, column), getattr(plan.flows, column))


def test_flow_rows_are_in_order_whatever_the_order_of_the_file(planned: Any) -> None:
    coflows = [
        {"id": 7, "arrival": "1 s", "flows": [{**FLOW, "from": 3}, {**FLOW, "from": 2, "to": 9}]},
        {"id": 4, "arrival": "1 s", "flows": [{**FLOW, "to": 5}]},
        {"id": 9, "arrival": "0 s", "flows": [FLOW]},
    ]
    (one,) = planned(workload={"kind": "explicit", "coflows": coflows})
    coflows[0]["flows"].reverse()  # type: ignore[attr-defined]
    (two,) = planned(workload={"kind": "explicit", "coflows": coflows[::-1]})
    assert one.flows.coflow.tolist() == [9, 4, 7, 7]
    assert one.coflows.coflow.tolist() == [9, 4, 7]
    for column in ("coflow", "label", "src", "dst", "bytes", "start_s", "via", "path_ptr", "path_links"):
        np.testing.assert_array_equal(getattr(one.flows, column), getattr(two.flows, column))


def test_labels_and_background(planned: Any) -> None:
    broadcast = {"id": 1, "arrival": "1 s", "broadcast": {"from": 0, "to": list(range(1, 11)), "size": "1 MB"}}
    (plan,) = planned(
        workload={
            "kind": "explicit",
            "coflows": [broadcast],
            "unlabelled": {"coflow": 1, "flows": 4},
            "background": {"long": [{"from": 11, "to": 12}]},
        }
    )
    assert plan.flows.coflow.tolist() == [NONE] + [1] * 10
    assert plan.flows.label.tolist() == [NONE] * 5 + [1] * 6
    assert plan.flows.bytes[0] == ENDLESS


def test_waiting_flows_keep_waiting_for_the_same_flows(planned: Any) -> None:
    flows = [{**FLOW, "id": "b", "from": 1, "after": ["a"], "delay": "1 s"}, {**FLOW, "id": "a", "from": 9}]
    (plan,) = planned(workload={"kind": "explicit", "coflows": [{"id": 1, "flows": flows}]})
    assert plan.flows.src.tolist() == [9, 1]
    assert (plan.flows.after, plan.flows.delay_s) == ({1: (0,)}, {1: 1.0})


def test_synthetic_coflows_follow_the_repeats_seed_unless_they_state_one(planned: Any) -> None:
    free = planned(workload={"kind": "synthetic", "coflows": 5}, repeats=2)
    assert free[0].flows.bytes.tobytes() != free[1].flows.bytes.tobytes()
    fixed = planned(workload={"kind": "synthetic", "coflows": 5, "seed": 3}, repeats=2)
    assert fixed[0].flows.bytes.tobytes() == fixed[1].flows.bytes.tobytes()


def test_loopback_flows_of_a_trace_are_dropped_where_the_experiment_emulates(planned: Any, tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text("16 1\n1 0 2 3 4 1 4:10.0\n")
    workload = {"kind": "trace", "file": "trace.txt"}
    (simulated,) = planned(workload=workload, backends="simulation")
    assert simulated.flows.src.tolist() == [3, 4]
    assert simulated.notes == ()
    assert simulated.flows.path(1) == (4, 20)
    (emulated,) = planned(workload=workload)
    assert emulated.flows.src.tolist() == [3]
    assert emulated.notes == (
        "1 of 2 flows (5 MB of 10 MB) are from a host to itself; dropped, "
        "because the experiment emulates or says 'loopback: drop'",
    )


def test_ports_are_folded_and_flows_merged_by_default(planned: Any, tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text("32 1\n1 0 2 3 19 1 20:10.0\n")
    (plan,) = planned(workload={"kind": "trace", "file": "trace.txt"})
    assert (plan.flows.src.tolist(), plan.flows.dst.tolist(), plan.flows.bytes.tolist()) == ([3], [4], [10_000_000])
    assert plan.notes == ("32 ports share 16 hosts (modulo)", "2 flows merged into 1")
    (apart,) = planned(workload={"kind": "trace", "file": "trace.txt", "merge": "none"})
    assert apart.flows.bytes.tolist() == [5_000_000, 5_000_000]


def test_ecmp_as_hash_is_a_stand_in_and_says_so(planned: Any) -> None:
    topology = {"kind": "fat-tree", "k": 4, "routing": {"ecmp": "hash"}}
    workload = {"kind": "explicit", "coflows": [{"id": 1, "flows": [{**FLOW, "via": 2}]}]}
    (plan,) = planned(topology=topology, workload=workload)
    assert plan.ecmp == "hash"
    assert plan.notes == (
        "ecmp hash: paths are a seeded stand-in for the switches' own hash, which an emulation uses",
        "flows that state a via, which ecmp hash ignores: 1",
    )


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (
            {"topology": {"kind": "fat-tree", "k": 4, "link": {"rate": "auto"}}},
            "e.yml:7: topology.link.rate: auto: no calibration of this machine is stored; "
            "run `testbed calibrate` (as root), or write a rate such as '20 Mbit/s'",
        ),
        (
            {"topology": {"kind": "fat-tree", "k": 24}},
            "e.yml:3: topology: 288 edge switches: addresses of the form 10.CORE.EDGE.HOST allow 255 in an emulated "
            "network; expected a smaller topology, or 'backends: [simulation]'",
        ),
        (
            {"workload": {**EXPLICIT, "unlabelled": {"coflow": 1, "flows": 2}}},
            "e.yml:16: workload.unlabelled.flows: found 2, labelled flows of coflow 1: 1",
        ),
    ],
)
def test_what_only_topology_and_workload_together_show(planned: Any, experiment: Any, message: str) -> None:
    with pytest.raises(SpecError) as error:
        planned(**experiment)
    assert str(error.value) == message


def test_a_topology_too_large_for_addresses_is_simulated_without(planned: Any) -> None:
    (plan,) = planned(topology={"kind": "fat-tree", "k": 24}, backends="simulation")
    assert plan.addresses == ()
    assert len(plan.fabric.hosts) == 3456


@pytest.mark.parametrize(
    ("workload", "gammas"),
    [
        ("worked-example-a.yml", [7.5, 15]),
        ("worked-example-w.yml", [10]),
        ("lone-shuffle.yml", [7.5]),
        ("permutation.yml", [10]),
    ],
)
def test_the_shipped_workloads_meet_no_one_between_switches(planned: Any, workload: str, gammas: list[float]) -> None:
    """Gamma is that of a big switch, and a link between switches has one sender or one receiver at its end."""
    (plan,) = planned(**shipped(workload))
    capacity = plan.fabric.capacity_Bps[0]
    np.testing.assert_allclose(lone_gammas(plan) * capacity, np.array(gammas) * 1e6, rtol=1e-12)
    size = np.repeat(plan.flows.bytes, np.diff(plan.flows.path_ptr))
    load = np.bincount(plan.flows.path_links, size, minlength=len(plan.fabric.links))
    if workload == "lone-shuffle.yml":  # one coflow whose paths may meet, but not where it matters
        assert load.max() == max(gammas) * 1e6
        return
    for link in np.flatnonzero(load):
        rows = [f for f in range(len(plan.flows)) if int(link) in plan.flows.path(f)]
        ends = {int(plan.flows.src[f]) for f in rows}, {int(plan.flows.dst[f]) for f in rows}
        assert min(len(end) for end in ends) == 1  # one sender's or one receiver's link limits as much


@pytest.mark.trace
@pytest.mark.skipif(not TRACE.exists(), reason=f"the public trace is not at {TRACE}")
def test_the_whole_public_trace(planned: Any) -> None:
    (plan,) = planned(
        topology={"kind": "big-switch", "ports": 150, "link": {"goodput": "128 MB/s"}},
        workload={"kind": "trace", "file": str(TRACE.resolve())},
        backends="simulation",
    )
    assert (len(plan.coflows), len(plan.flows)) == (526, 706_397)
    assert int(plan.flows.bytes.sum()) == 35_533_534_000_000
    assert int((plan.flows.src == plan.flows.dst).sum()) == 4_911
    assert plan.coflows.arrival_s[-1] == 3629.235
    gammas = lone_gammas(plan)
    assert (round(gammas.mean(), 3), round(float(np.median(gammas)), 3), round(gammas.max(), 1)) == (
        14.376, 0.168, 1813.6,
    )  # fmt: skip
