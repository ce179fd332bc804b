"""From a topology's spec to its fabric, and from a fabric back to its shape."""

from __future__ import annotations

from testbed.fabric import Fabric
from testbed.spec.topology import AnyTopology, FatTreeSpec, LeafSpineSpec
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.shape import LinkSetting, Shape

_SHAPES: dict[str, type[FatTree] | type[LeafSpine] | type[BigSwitch]] = {
    shape.kind: shape for shape in (FatTree, LeafSpine, BigSwitch)
}


def build_fabric(topology: AnyTopology) -> Fabric:
    """Nodes and links of a topology. ValueError where its link rate is `auto`: planning puts a rate in its place."""
    link = topology.link
    hosts = LinkSetting(link.rate_bps, link.capacity_Bps, link.buffer, link.delay, link.loss)
    return shape_of_spec(topology).build(hosts, hosts.divided(topology.oversubscription), link.mtu)


def shape_of_spec(topology: AnyTopology) -> Shape:
    """The shape that a spec describes."""
    if isinstance(topology, FatTreeSpec):
        return FatTree(topology.k)
    if isinstance(topology, LeafSpineSpec):
        return LeafSpine(topology.leaves, topology.spines, topology.hosts_per_leaf)
    return BigSwitch(topology.ports)


def shape_of(fabric: Fabric) -> Shape:
    """The shape of a fabric that `build_fabric` made."""
    return _SHAPES[fabric.kind].of(fabric)
