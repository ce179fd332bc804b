"""Where nodes stand in the drawing."""

from __future__ import annotations

import pytest

from testbed.fabric import Fabric
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.shape import LinkSetting, Shape
from testbed.watch.layout import cables, places

LINK = LinkSetting(20e6, 2.4e6, 256_000)
SHAPES = [FatTree(2), FatTree(4), FatTree(8), LeafSpine(4, 2, 4), BigSwitch(150)]


def fabric(shape: Shape) -> Fabric:
    return shape.build(LINK, LINK, mtu=9000)


def test_a_fat_tree_of_four_pods() -> None:
    found = places(fabric(FatTree(4)))
    assert found["h0"] == (1 / 32, 0)
    assert found["h15"] == (31 / 32, 0)
    assert found["e0"] == (1 / 16, 1)  # over h0 and h1
    assert found["a3"] == (0.25 + 3 / 16, 2)  # the second of the second pod
    assert [found[f"c{core}"] for core in range(4)] == [(1 / 8, 3), (3 / 8, 3), (5 / 8, 3), (7 / 8, 3)]


def test_leaves_and_spines_and_one_switch() -> None:
    found = places(fabric(LeafSpine(4, 2, 4)))
    assert (found["l0"], found["s1"]) == ((1 / 8, 1), (3 / 4, 2))
    assert places(fabric(BigSwitch(150)))["s0"] == (1 / 2, 1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nodes_stand_apart_and_every_link_is_drawn_once(shape: Shape) -> None:
    built = fabric(shape)
    found = places(built)
    assert set(found) == {node.name for node in built.nodes}
    assert len(set(found.values())) == len(found)
    assert all(0 < x < 1 for x, _ in found.values())
    drawn = cables(built)
    assert sorted([up for *_, up, _ in drawn] + [down for *_, down in drawn]) == list(range(len(built.links)))
    for low, high, up, down in drawn:
        assert found[low][1] < found[high][1]
        assert (built.links[up].name, built.links[down].name) == (f"{low}->{high}", f"{high}->{low}")
