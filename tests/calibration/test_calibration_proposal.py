"""What is proposed for a machine, and what a plan that is too much for it is told."""

from __future__ import annotations

import pytest
from test_calibration_model import fabric_of, plan_of

from testbed.calibration.admission import FITS, NEAR_THE_LIMIT, TOO_MUCH, Admission, Figures, in_words, judge
from testbed.calibration.model import Cost, predict, predict_fullest
from testbed.calibration.proposal import COMFORTABLE, alternatives, propose
from testbed.errors import CalibrationError
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine

COST = Cost(10e-6, 1e-9)


def figures(cost: Cost | None = COST, measured: bool = True, memory_bytes: int = 10**9) -> Figures:
    origin = "calibration of 2026-01-31" if measured else "built-in figures"
    return Figures("ovs-user", cost, origin, measured, 30_000_000, memory_bytes)


def test_the_largest_round_rate_that_is_comfortable() -> None:
    # One Mbit/s of 16 hosts over 5 switches: 80 x 125,000 bytes, 80 x 125,000 / 9047 x 1.5 frames:
    # 2.658 % of the time.
    found = propose(fabric_of(FatTree(4)), "ovs-user", COST, "calibration of 2026-01-31")
    assert found.rate_bps == 25e6
    assert found.share == pytest.approx(25 * 0.02658, rel=1e-3)
    assert found.note == (
        "link.rate auto: 25 Mbit/s, at which all hosts at full rate take 66% of what ovs-user carries "
        "(calibration of 2026-01-31)"
    )
    assert propose(fabric_of(FatTree(4), rate_bps=3e9), "ovs-user", COST, "").rate_bps == 25e6
    assert propose(fabric_of(FatTree(4), oversubscription=4), "ovs-user", COST, "").rate_bps == 60e6
    assert propose(fabric_of(BigSwitch(16)), "ovs-user", COST, "").rate_bps == 120e6


def test_a_network_for_which_no_rate_is_low_enough() -> None:
    with pytest.raises(CalibrationError) as error:
        propose(fabric_of(FatTree(16)), "ovs-user", Cost(1e-3, 0), "calibration of 2026-01-31")
    assert str(error.value) == (
        "1024 hosts at 100 kbit/s are more than datapath ovs-user carries here (calibration of 2026-01-31); "
        "use fewer hosts or another datapath"
    )


def test_routers_take_the_rate_at_which_their_longer_segments_fit() -> None:
    cost = Cost(2e-6, 0.0)
    found = propose(fabric_of(FatTree(4)), "router", cost, "")
    assert found.share <= COMFORTABLE
    # With segments of 7 frames 1 Gbit/s is 80 x 125e6 / 9047 x 1.5 / 7 segments a second.
    assert found.share == pytest.approx(found.rate_bps / 1e9 * 80 * 125e6 / 9047 * 1.5 / 7 * 2e-6, rel=1e-3)


def test_what_would_fit_instead() -> None:
    assert alternatives(fabric_of(FatTree(4), rate_bps=60e6), "ovs-user", COST) == ["link.rate 25 Mbit/s", "k 2"]
    small = fabric_of(FatTree(4), rate_bps=15e6, mtu=1500)
    assert alternatives(small, "ovs-user", COST) == ["link.rate 6 Mbit/s", "link.mtu 9000", "k 2"]
    leaves = fabric_of(LeafSpine(4, 2, 8), rate_bps=60e6)
    assert alternatives(leaves, "ovs-user", COST) == ["link.rate 40 Mbit/s", "hosts_per_leaf 4"]
    ports = fabric_of(BigSwitch(32), rate_bps=100e6)
    assert alternatives(ports, "ovs-user", COST) == ["link.rate 60 Mbit/s", "ports 21"]
    assert alternatives(fabric_of(BigSwitch(2)), "ovs-user", Cost(10.0, 0)) == []


def judged(rate_bps: float, given: Figures | None = None) -> Admission:
    """The verdict on a permutation of all 16 hosts of a fat-tree for two seconds."""
    fabric = fabric_of(FatTree(4), rate_bps=rate_bps)
    size = int(fabric.capacity_Bps[0] * 2)
    plan = plan_of(fabric, list(range(16)), [(host + 4) % 16 for host in range(16)], [size] * 16)
    zero = plan.flows.start_s
    return judge(fabric, predict(plan, "ovs-user", zero, zero + 2.0, plan.flows.bytes), given or figures())


def test_a_plan_that_fits() -> None:
    found = judged(20e6)
    assert (found.verdict, found.reasons) == (FITS, ())
    assert found.busiest == pytest.approx(20 * 0.02658, rel=1e-3)
    assert in_words(found) == [
        (
            "load",
            "busiest second 53% of what ovs-user carries (33k frames x hops/s, 200 MB x hops/s), average 53%, "
            "all hosts at full rate 53%",
        ),
        ("machine", "16 containers, about 480 MB of 1 GB available"),
        ("figures", "calibration of 2026-01-31"),
    ]


def test_a_plan_near_the_limit_and_one_far_above_it() -> None:
    near = judged(35e6)
    assert near.verdict == NEAR_THE_LIMIT
    assert near.reasons == (
        "the plan needs 93% of what ovs-user forwards here in its busiest second (calibration of 2026-01-31); "
        "any workload fits with link.rate 25 Mbit/s or k 2",
    )
    far = judged(100e6)
    assert far.verdict == TOO_MUCH
    assert far.reasons == (
        "the plan needs 266% of what ovs-user forwards here in its busiest second (calibration of 2026-01-31); "
        "any workload fits with link.rate 25 Mbit/s or k 2",
    )
    assert in_words(far)[-1] == ("warning", far.reasons[0])


def test_nothing_is_refused_for_figures_that_are_not_of_this_machine_or_a_plan_whose_times_are_not_known() -> None:
    assert judged(100e6, figures(measured=False)).verdict == NEAR_THE_LIMIT
    fabric = fabric_of(FatTree(4), rate_bps=100e6)
    plan = plan_of(fabric, [0], [5], [1])
    found = judge(fabric, predict_fullest(plan, "ovs-user"), figures())
    assert found.verdict == NEAR_THE_LIMIT
    assert found.reasons == (
        "the plan needs 266% of what ovs-user forwards here at worst (calibration of 2026-01-31); "
        "any workload fits with link.rate 25 Mbit/s or k 2",
    )


def test_a_datapath_of_which_nothing_is_known() -> None:
    found = judged(100e6, figures(cost=None, measured=False))
    assert (found.verdict, found.busiest) == (FITS, None)
    assert in_words(found)[0] == ("load", "not predicted")


def test_memory_that_is_not_there() -> None:
    found = judged(20e6, figures(memory_bytes=400_000_000))
    assert found.verdict == TOO_MUCH
    assert found.reasons == (
        "16 containers need about 480 MB of memory, of which 400 MB are available; use fewer hosts",
    )
