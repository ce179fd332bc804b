"""Ways around what is broken: by hand in a fat-tree of k = 4, and for every failed cable of several fabrics."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from testbed.coflow import FlowTable
from testbed.fabric import Fabric
from testbed.faults import Condition, Fault
from testbed.spec.topology import FatTreeSpec, LeafSpineSpec
from testbed.topology.build import build_fabric
from testbed.topology.rerouting import Rerouting, reroute
from testbed.topology.routing import choose, paths

TREE = build_fabric(FatTreeSpec(kind="fat-tree", k=4))
LEAVES = build_fabric(LeafSpineSpec(kind="leaf-spine", leaves=3, spines=3, hosts_per_leaf=2))


def after(*faults: tuple[str, tuple[str, ...]]) -> Condition:
    condition = Condition()
    for event, nodes in faults:
        condition = condition.after(Fault(0.0, event, nodes))
    return condition


def nodes(fabric: Fabric, links: Iterable[int] | None) -> str:
    return "none" if links is None else " ".join(fabric.links[link].target for link in links)


BY_HAND = [
    ((), "e0 a0 c0 a4 e4 h8", "the planned path, through core 0"),
    ((("down", ("c0", "a0")),), "e0 a0 c1 a4 e4 h8", "the aggregation switch takes its other core"),
    ((("down", ("a0", "e0")),), "e0 a1 c2 a5 e4 h8", "the edge switch takes its other aggregation switch"),
    ((("down", ("a4", "e4")),), "e0 a1 c2 a5 e4 h8", "nothing above the dead link leads there any more"),
    ((("down", ("c0", "a4")),), "e0 a0 c1 a4 e4 h8", "core 0 leads there no more"),
    ((("crash", ("a0",)),), "e0 a1 c2 a5 e4 h8", "all its links are gone"),
    ((("down", ("e0", "a1")),), "e0 a0 c0 a4 e4 h8", "a dead link elsewhere changes nothing"),
    ((("down", ("a0", "e0")), ("down", ("a5", "e4"))), "none", "the two halves of the tree do not meet"),
    ((("down", ("a0", "e0")), ("up", ("a0", "e0"))), "e0 a0 c0 a4 e4 h8", "the planned one again"),
    ((("crash", ("e4",)),), "none", "hosts of a crashed edge switch are cut off"),
    ((("down", ("h8", "e4")),), "none", "a host has one link"),
]


@pytest.mark.parametrize(("faults", "path", "_why"), BY_HAND)
def test_by_hand(faults: tuple[tuple[str, tuple[str, ...]], ...], path: str, _why: str) -> None:
    usable = after(*faults).usable(TREE)
    assert nodes(TREE, Rerouting(TREE, usable).path(0, 8, 0)) == path


def test_what_was_spread_over_cores_stays_spread() -> None:
    around = Rerouting(TREE, after(("down", ("e0", "a0"))).usable(TREE))
    assert [nodes(TREE, around.path(0, 8, via)).split()[2] for via in range(4)] == ["c2", "c3", "c2", "c3"]


def all_flows(fabric: Fabric) -> FlowTable:
    hosts = range(len(fabric.hosts))
    src, dst = np.array(list(itertools.permutations(hosts, 2))).T
    via = choose(fabric, src, dst, "per-flow", 1)
    ptr, links = paths(fabric, src, dst, via)
    some = np.zeros(len(src), dtype=np.int64)
    return FlowTable(some, some, src, dst, some + 1, some * 0.0, via, ptr, links)


@pytest.mark.parametrize("fabric", [TREE, LEAVES], ids=lambda fabric: fabric.kind)
def test_one_dead_cable_between_switches_cuts_nobody_off(fabric: Fabric) -> None:
    flows = all_flows(fabric)
    cables = {tuple(sorted((link.source, link.target))) for link in fabric.links}
    between = [ends for ends in sorted(cables) if not any(end.startswith("h") for end in ends)]
    assert between
    for ends in between:
        usable = after(("down", ends)).usable(fabric)
        assert np.count_nonzero(~usable) == 2
        ptr, links, cut_off = reroute(fabric, flows, usable)
        assert not cut_off.any()
        assert usable[links].all()
        for flow in range(len(flows)):
            path, planned = links[ptr[flow] : ptr[flow + 1]], np.array(flows.path(flow))
            ends_of_hops = [(fabric.links[link].source, fabric.links[link].target) for link in path]
            assert all(a[1] == b[0] for a, b in itertools.pairwise(ends_of_hops))
            assert (path[0], path[-1]) == (planned[0], planned[-1])
            assert len(set(path.tolist())) == len(path) == len(planned)
            if usable[planned].all():
                assert path.tolist() == planned.tolist()


def test_flows_that_are_cut_off_are_told_apart() -> None:
    flows = all_flows(TREE)
    ptr, links, cut_off = reroute(TREE, flows, after(("crash", ("e0",))).usable(TREE))
    below = np.isin(flows.src, (0, 1)) | np.isin(flows.dst, (0, 1))
    assert cut_off.tolist() == below.tolist()
    assert ptr.tolist() == flows.path_ptr.tolist()
    assert links[: ptr[1]].tolist() == list(flows.path(0))


def test_capacities_of_broken_and_slow_links() -> None:
    condition = Condition().after(Fault(0.0, "slow", ("a0", "c0"), 5e6)).after(Fault(0.0, "crash", ("c1",)))
    capacity = condition.capacity_Bps(TREE) / TREE.capacity_Bps
    found = {link.name: share for link, share in zip(TREE.links, capacity, strict=True) if share != 1}
    assert found == {
        "a0->c0": 0.25,
        "c0->a0": 0.25,
        **{f"a{pod}->c1": 0.0 for pod in (0, 2, 4, 6)},
        **{f"c1->a{pod}": 0.0 for pod in (0, 2, 4, 6)},
    }
    assert not condition.is_whole
    again = condition.after(Fault(1.0, "up", ("c0", "a0"))).after(Fault(1.0, "restart", ("c1",)))
    assert again.is_whole
    assert again.faults == 4
    assert (again.capacity_Bps(TREE) == TREE.capacity_Bps).all()
