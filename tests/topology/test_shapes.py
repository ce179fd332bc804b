"""The three topologies: counts, names, ports, link order, and paths that really lead from sender to receiver."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.fabric import Fabric
from testbed.topology.big_switch import BigSwitch
from testbed.topology.build import shape_of
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.routing import paths
from testbed.topology.shape import LinkSetting, Shape

LINK = LinkSetting(20e6, 2.4e6, 256_000)
SHAPES = [
    FatTree(2),
    FatTree(4),
    FatTree(6),
    LeafSpine(3, 2, 4),
    LeafSpine(1, 1, 2),
    LeafSpine(2, 5, 1),
    BigSwitch(2),
    BigSwitch(7),
]
arities = st.integers(1, 5).map(lambda half: 2 * half)


def names(fabric: Fabric, links: list[int]) -> list[str]:
    return [fabric.links[link].name for link in links]


def test_a_fat_tree_of_four_by_hand() -> None:
    fabric = FatTree(4).build(LINK, LINK, 9000)
    assert (len(fabric.hosts), len(fabric.switches)) == (16, 20)
    assert Counter(node.layer for node in fabric.switches) == {"edge": 8, "aggregation": 8, "core": 4}
    assert len(fabric.links) == 96
    by_name = {link.name: (link.source_port, link.target_port) for link in fabric.links}
    assert by_name["h5->e2"] == (0, 2)
    assert by_name["e2->a3"] == (4, 1)
    assert by_name["a3->c2"] == (3, 2)
    assert by_name["c2->a3"] == (2, 3)
    assert [node.pod for node in fabric.hosts] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    ptr, links = paths(fabric, np.array([0, 0, 0]), np.array([1, 2, 13]), np.array([-1, 1, 2]))
    assert names(fabric, links[ptr[0] : ptr[1]].tolist()) == ["h0->e0", "e0->h1"]
    assert names(fabric, links[ptr[1] : ptr[2]].tolist()) == ["h0->e0", "e0->a0", "a0->e1", "e1->h2"]
    assert names(fabric, links[ptr[2] :].tolist()) == ["h0->e0", "e0->a1", "a1->c2", "c2->a7", "a7->e6", "e6->h13"]


def test_a_leaf_spine_by_hand() -> None:
    fabric = LeafSpine(2, 3, 2).build(LINK, LINK, 9000)
    assert len(fabric.links) == 2 * (4 + 6)
    by_name = {link.name: (link.source_port, link.target_port) for link in fabric.links}
    assert by_name["h3->l1"] == (0, 2)
    assert by_name["l1->s2"] == (5, 2)
    ptr, links = paths(fabric, np.array([0, 0]), np.array([1, 3]), np.array([-1, 2]))
    assert names(fabric, links[: ptr[1]].tolist()) == ["h0->l0", "l0->h1"]
    assert names(fabric, links[ptr[1] :].tolist()) == ["h0->l0", "l0->s2", "s2->l1", "l1->h3"]


def test_a_big_switch_by_hand() -> None:
    fabric = BigSwitch(3).build(LINK, LINK, 9000)
    assert [link.name for link in fabric.links] == ["h0->s0", "h1->s0", "h2->s0", "s0->h0", "s0->h1", "s0->h2"]
    assert paths(fabric, np.array([2]), np.array([0]), np.array([-1]))[1].tolist() == [2, 3]


@settings(derandomize=True, max_examples=5, deadline=None)
@given(arities)
def test_the_counts_of_any_fat_tree(k: int) -> None:
    fabric = FatTree(k).build(LINK, LINK, 9000)
    layers = Counter(node.layer for node in fabric.nodes)
    expected = {"host": k**3 // 4, "edge": k * k // 2, "aggregation": k * k // 2, "core": k * k // 4}
    assert layers == expected
    assert len(fabric.links) == 6 * k**3 // 4


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_hosts_links_and_ports(shape: Shape, link: LinkSetting) -> None:
    fabric = shape.build(link, link.divided(2), 1500)
    n = len(fabric.hosts)
    assert [node.name for node in fabric.hosts] == [f"h{i}" for i in range(n)]
    assert fabric.uplink.tolist() == list(range(n))
    assert fabric.downlink.tolist() == list(range(n, 2 * n))
    assert len({each.name for each in fabric.links}) == len(fabric.links)
    assert shape_of(fabric) == shape
    for number, each in enumerate(fabric.links):
        assert each.rate_bps == (20e6 if number < 2 * n else 10e6)
        assert each.capacity_Bps == (2.4e6 if number < 2 * n else 1.2e6)
        assert (each.buffer_bytes, each.delay_s, each.loss) == (256_000, 0.001, 0.01)
    for switch in fabric.switches:  # ports count from 1, downlinks first; both directions agree
        out = sorted((each.source_port, each.target) for each in fabric.links if each.source == switch.name)
        into = sorted((each.target_port, each.source) for each in fabric.links if each.target == switch.name)
        assert out == into
        assert [port for port, _ in out] == list(range(1, len(out) + 1))
        heights = [HEIGHT[next(node.layer for node in fabric.nodes if node.name == name)] for _, name in out]
        assert heights == sorted(heights)


HEIGHT = {"host": 0, "edge": 1, "leaf": 1, "switch": 1, "aggregation": 2, "core": 3, "spine": 2}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_path_leads_from_sender_to_receiver_and_is_a_shortest_one(shape: Shape) -> None:
    fabric = shape.build(LINK, LINK, 9000)
    graph = nx.Graph([(link.source, link.target) for link in fabric.links])
    distance = dict(nx.all_pairs_shortest_path_length(graph))
    n, vias = len(fabric.hosts), max(1, len(shape.turn))
    src, dst, via = (column.ravel() for column in np.meshgrid(np.arange(n), np.arange(n), np.arange(vias)))
    ptr, links = paths(fabric, src, dst, via)
    for flow in range(len(src)):
        path = [fabric.links[i] for i in links[ptr[flow] : ptr[flow + 1]].tolist()]
        assert path[0].source == f"h{src[flow]}"
        assert path[-1].target == f"h{dst[flow]}"
        assert all(a.target == b.source for a, b in pairwise(path))
        if src[flow] == dst[flow]:
            assert [link.name for link in path] == [fabric.links[src[flow]].name, fabric.links[n + src[flow]].name]
            continue
        assert len(path) == distance[path[0].source][path[-1].target]
        if shape.turn and len(path) == max(shape.path_lengths):  # the stated core or spine is at the top
            assert path[len(path) // 2 - 1].target[1:] == str(via[flow])


@settings(derandomize=True, max_examples=40, deadline=None)
@given(arities, st.data())
def test_paths_of_a_fat_tree_are_symmetric_in_length_and_visit_mirrored_links(k: int, data: st.DataObject) -> None:
    fabric = FatTree(k).build(LINK, LINK, 9000)
    hosts = st.integers(0, k**3 // 4 - 1)
    src, dst = data.draw(hosts), data.draw(hosts)
    via = data.draw(st.integers(0, k * k // 4 - 1))
    there = paths(fabric, np.array([src]), np.array([dst]), np.array([via]))[1].tolist()
    back = paths(fabric, np.array([dst]), np.array([src]), np.array([via]))[1].tolist()
    ends = [(fabric.links[i].source, fabric.links[i].target) for i in there]
    assert [(fabric.links[i].target, fabric.links[i].source) for i in reversed(back)] == ends
