"""Ways around what is broken, hop by hop, as switches that look at destinations only would take them.

A switch keeps the planned next hop while that leads to the destination. Otherwise it takes one of the hops that do, by
the number of the planned core switch (or spine), so that what was spread stays spread. Packets climb until they are
above the destination's edge switch and descend from there, as ever: there are no loops.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from testbed.coflow import FlowTable, Ints
from testbed.fabric import Fabric
from testbed.faults import Flags

LEVEL = {"host": 0, "edge": 1, "leaf": 1, "switch": 1, "aggregation": 2, "core": 3, "spine": 3}
TOP = ("core", "spine")


class Rerouting:
    """Next hops where only some links are usable. `via` is the core switch or spine that a flow was planned to cross.

    Switches are named, links numbered by their place in the fabric.
    """

    def __init__(self, fabric: Fabric, usable: Flags) -> None:
        self.fabric = fabric
        self._usable = usable
        self._nodes = {node.name: node for node in fabric.nodes}
        self._up: dict[str, list[int]] = {name: [] for name in self._nodes}
        self._down: dict[str, list[int]] = {name: [] for name in self._nodes}
        for number, link in enumerate(fabric.links):
            target = self._nodes[link.target]
            rises = LEVEL[target.layer] > LEVEL[self._nodes[link.source].layer]
            if rises or not target.is_host:
                (self._up if rises else self._down)[link.source].append(number)
        self._above: dict[str, frozenset[int]] = {}
        self._planned_descents: dict[tuple[str, str], int | None] = {}
        self._descents: dict[tuple[str, str], int | None] = {}
        self._reached: dict[tuple[str, str], bool] = {}
        self._ways: dict[tuple[str, str], tuple[int, ...]] = {}

    def planned(self, switch: str, via: int) -> int | None:
        """The link up from a switch towards a core switch or spine, usable or not."""
        return next((n for n in self._up[switch] if via in self._tops(self.fabric.links[n].target)), None)

    def ups(self, switch: str) -> tuple[int, ...]:
        """All links up from a switch, usable or not."""
        return tuple(self._up[switch])

    def planned_descent(self, switch: str, edge: str) -> int | None:
        """The link down from a switch towards an edge switch, usable or not."""
        key = switch, edge
        if key not in self._planned_descents:
            links = self.fabric.links
            self._planned_descents[key] = next(
                (
                    number
                    for number in self._down[switch]
                    if links[number].target == edge or self.planned_descent(links[number].target, edge) is not None
                ),
                None,
            )
        return self._planned_descents[key]

    def ways(self, switch: str, edge: str) -> tuple[int, ...]:
        """All usable links from a switch that lead to an edge switch: the one down, or those up."""
        if (switch, edge) not in self._ways:
            down = self._descent(switch, edge)
            found = [
                n for n in self._up[switch] if self._usable[n] and self._reaches(self.fabric.links[n].target, edge)
            ]
            self._ways[switch, edge] = tuple(found) if down is None else (down,)
        return self._ways[switch, edge]

    def way(self, switch: str, edge: str, via: int) -> int | None:
        """The link that a flow takes from a switch towards an edge switch; None where no usable one leads there."""
        ways = self.ways(switch, edge)
        if len(ways) < 2:
            return ways[0] if ways else None
        planned = self.planned(switch, via)
        return planned if planned in ways else ways[via % len(ways)]

    def path(self, src: int, dst: int, via: int) -> tuple[int, ...] | None:
        """The links of a flow between two hosts; None where no path is left."""
        up, down = int(self.fabric.uplink[src]), int(self.fabric.downlink[dst])
        if not (self._usable[up] and self._usable[down]):
            return None
        links, switch, edge = [up], self.fabric.links[up].target, self.fabric.links[down].source
        while switch != edge:
            number = self.way(switch, edge, max(via, 0))
            if number is None:
                return None
            links.append(number)
            switch = self.fabric.links[number].target
        return (*links, down)

    def _tops(self, switch: str) -> frozenset[int]:
        """Core switches or spines that a switch is, or is below."""
        if switch not in self._above:
            node = self._nodes[switch]
            above = (self._tops(self.fabric.links[n].target) for n in self._up[switch])
            self._above[switch] = frozenset((node.index,)) if node.layer in TOP else frozenset().union(*above)
        return self._above[switch]

    def _descent(self, switch: str, edge: str) -> int | None:
        key = switch, edge
        if key not in self._descents:
            self._descents[key] = next(self._descending(switch, edge), None)
        return self._descents[key]

    def _descending(self, switch: str, edge: str) -> Iterator[int]:
        for number in self._down[switch]:
            target = self.fabric.links[number].target
            if self._usable[number] and (target == edge or self._descent(target, edge) is not None):
                yield number

    def _reaches(self, switch: str, edge: str) -> bool:
        key = switch, edge
        if key not in self._reached:
            self._reached[key] = switch == edge or bool(self.ways(switch, edge))
        return self._reached[key]


def reroute(fabric: Fabric, flows: FlowTable, usable: Flags) -> tuple[Ints, Ints, Flags]:
    """(path_ptr, path_links, cut off): the paths of all flows where only some links are usable.

    A flow whose planned path is whole keeps it. One that has no path left is cut off, and listed with its planned one.
    """
    cut_off = np.zeros(len(flows), dtype=np.bool_)
    broken = ~usable[flows.path_links]
    lengths = np.diff(flows.path_ptr)
    affected = np.unique(np.repeat(np.arange(len(flows)), lengths)[broken]).tolist()
    if not affected:
        return flows.path_ptr, flows.path_links, cut_off
    around = Rerouting(fabric, usable)
    known: dict[tuple[int, int, int], tuple[int, ...] | None] = {}
    paths: list[Ints] = []
    done = 0
    for flow in affected:
        ends = int(flows.src[flow]), int(flows.dst[flow]), int(flows.via[flow])
        if ends not in known:
            known[ends] = around.path(*ends)
        path = known[ends]
        cut_off[flow] = path is None
        if path is not None:
            paths += [flows.path_links[done : flows.path_ptr[flow]], np.array(path, dtype=np.int64)]
            done = int(flows.path_ptr[flow + 1])
            lengths[flow] = len(path)
    paths.append(flows.path_links[done:])
    pointers = np.zeros(len(flows) + 1, dtype=np.int64)
    np.cumsum(lengths, out=pointers[1:])
    return pointers, np.concatenate(paths), cut_off
