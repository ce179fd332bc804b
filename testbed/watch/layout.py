"""Where the nodes of a fabric stand in a drawing: hosts in a row at the bottom, each layer of switches above."""

from __future__ import annotations

from testbed.fabric import Fabric, Node

_ROW = {"host": 0, "edge": 1, "leaf": 1, "switch": 1, "aggregation": 2, "spine": 2, "core": 3}


def places(fabric: Fabric) -> dict[str, tuple[float, int]]:
    """Node -> (how far from left to right, from 0 to 1; row, from 0 at the bottom).

    A switch stands over the hosts of its pod, which the switches of a layer share evenly; one of no pod over all hosts.
    """
    hosts = len(fabric.hosts)
    spans: dict[int, list[int]] = {}
    for host in fabric.hosts:
        spans.setdefault(host.pod, []).append(host.index)
    found = {}
    for (layer, pod), nodes in _by_layer_and_pod(fabric).items():
        inside = spans.get(pod, range(hosts)) if pod >= 0 else range(hosts)
        first, width = min(inside) / hosts, (max(inside) - min(inside) + 1) / hosts
        for place, node in enumerate(sorted(nodes, key=lambda node: node.index)):
            found[node.name] = (first + width * (place + 0.5) / len(nodes), _ROW[layer])
    return found


def cables(fabric: Fabric) -> list[tuple[str, str, int, int]]:
    """(lower node, upper node, link upwards, link downwards) for each cable, in the order of the links."""
    number = {(link.source, link.target): place for place, link in enumerate(fabric.links)}
    row = {node.name: _ROW[node.layer] for node in fabric.nodes}
    return [
        (link.source, link.target, place, number[link.target, link.source])
        for place, link in enumerate(fabric.links)
        if row[link.source] < row[link.target]
    ]


def _by_layer_and_pod(fabric: Fabric) -> dict[tuple[str, int], list[Node]]:
    groups: dict[tuple[str, int], list[Node]] = {}
    for node in fabric.nodes:
        groups.setdefault((node.layer, node.pod), []).append(node)
    return groups
