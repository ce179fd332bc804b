"""Which path a flow takes: in turn, by a stated wish, at random, or always the first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.coflow import NONE
from testbed.fabric import Fabric
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.routing import choose, paths
from testbed.topology.shape import LinkSetting

LINK = LinkSetting(20e6, 2.4e6, 256_000)


def fat_tree(k: int) -> Fabric:
    return FatTree(k).build(LINK, LINK, 9000)


@pytest.mark.parametrize("k", [4, 6, 8])
@pytest.mark.parametrize("seed", range(5))
def test_a_permutation_that_keeps_the_order_between_pods_meets_itself_nowhere(k: int, seed: int) -> None:
    fabric = fat_tree(k)
    hosts = np.arange(k**3 // 4)
    for pods in range(1, k):
        dst = (hosts + pods * k * k // 4) % len(hosts)
        via = choose(fabric, hosts, dst, "per-flow", seed)
        load = np.bincount(paths(fabric, hosts, dst, via)[1], minlength=len(fabric.links))
        assert load.tolist() == [1] * len(fabric.links)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 400), st.sampled_from([4, 6]))
def test_between_two_pods_every_core_carries_as_many_flows_as_the_next(seed: int, flows: int, k: int) -> None:
    fabric = fat_tree(k)
    random = np.random.default_rng(seed)
    src, dst = random.integers(k**3 // 4, size=(2, flows))
    via = choose(fabric, src, dst, "per-flow", seed)
    same_edge = src // (k // 2) == dst // (k // 2)
    assert (via[same_edge] == NONE).all()
    pod = k * k // 4
    for a in range(k):
        for b in range(k):
            taken = via[(src // pod == a) & (dst // pod == b) & ~same_edge]
            counts = np.bincount(taken, minlength=pod)
            assert counts.max() - counts.min() <= 1
    assert np.array_equal(via, choose(fabric, src, dst, "per-flow", seed))


def test_the_seed_moves_where_the_turn_begins() -> None:
    fabric = fat_tree(4)
    first = {int(choose(fabric, np.array([0]), np.array([15]), "per-flow", seed)[0]) for seed in range(40)}
    assert first == {0, 1, 2, 3}


def test_a_stated_core_is_taken() -> None:
    fabric = fat_tree(4)
    src, dst = np.array([0, 0, 0]), np.array([8, 8, 1])
    via = choose(fabric, src, dst, "per-flow", 1, stated=np.array([3, NONE, 2]))
    assert via[0] == 3
    assert via[1] in range(4)
    assert via[2] == NONE  # both hosts on one edge switch: there is no core to cross


def test_single_path_takes_the_first_and_hash_takes_all() -> None:
    fabric = LeafSpine(4, 3, 2).build(LINK, LINK, 9000)
    src, dst = np.zeros(600, dtype=np.int64), np.full(600, 7)
    assert choose(fabric, src, dst, "single-path", 1).tolist() == [0] * 600
    spread = np.bincount(choose(fabric, src, dst, "hash", 1), minlength=3)
    assert spread.min() > 150
    assert not np.array_equal(choose(fabric, src, dst, "hash", 1), choose(fabric, src, dst, "hash", 2))


def test_a_big_switch_needs_no_choice() -> None:
    fabric = BigSwitch(4).build(LINK, LINK, 9000)
    assert choose(fabric, np.array([0, 1]), np.array([1, 1]), "per-flow", 1).tolist() == [NONE, NONE]


def test_no_flows_have_no_paths() -> None:
    none = np.empty(0, dtype=np.int64)
    pointers, links = paths(fat_tree(4), none, none, choose(fat_tree(4), none, none, "per-flow", 1))
    assert (pointers.tolist(), links.tolist()) == ([0], [])
