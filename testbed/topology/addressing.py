"""Addresses of hosts, in which the path is written: 10.CORE.EDGE.HOST, one for each core switch or spine.

The primary address is 10.255.EDGE.HOST. Connections between two hosts' addresses of CORE cross that core both ways.
"""

from __future__ import annotations

import numpy as np

from testbed.errors import SpecError
from testbed.fabric import Fabric
from testbed.plan import Address
from testbed.topology.build import shape_of

PRIMARY = 255
"""In the place of CORE."""
MAX_CORES = 250
MAX_EDGES = 255
MAX_HOSTS_OF_EDGE = 250
MAX_ADDRESSES = 1_000_000
"""Beyond, the addresses alone would take more time and memory than the rest of a simulation."""


def addresses(fabric: Fabric) -> tuple[Address, ...]:
    """The addresses of each host, by host number; SpecError where the fabric is too large for the scheme.

    Hosts of a big switch fill one EDGE after another, 250 in each.
    """
    shape = shape_of(fabric)
    hosts = np.arange(len(fabric.hosts), dtype=np.int64)
    edge = shape.edge(hosts)
    if not shape.turn:
        edge = hosts // MAX_HOSTS_OF_EDGE
    place = hosts - np.searchsorted(edge, edge)  # hosts of an edge are consecutive
    total = len(hosts) * (len(shape.turn) + 1)
    for what, count, most in (
        ("core switches (or spines)", len(shape.turn), MAX_CORES),
        ("edge switches", int(edge[-1]) + 1, MAX_EDGES),
        ("hosts on one edge switch", int(place.max()) + 1, MAX_HOSTS_OF_EDGE),
        ("addresses of hosts", total, MAX_ADDRESSES),
    ):
        if count > most:
            raise SpecError(
                f"{count} {what}: addresses of the form 10.CORE.EDGE.HOST allow {most} in an emulated network; "
                "expected a smaller topology, or 'backends: [simulation]'"
            )
    return tuple(
        Address(
            host=node.name,
            mac=_mac(node.index),
            primary=f"10.{PRIMARY}.{edge[node.index]}.{place[node.index] + 1}",
            via=tuple(f"10.{core}.{edge[node.index]}.{place[node.index] + 1}" for core in range(len(shape.turn))),
        )
        for node in fabric.hosts
    )


def _mac(host: int) -> str:
    """Locally administered, unicast, never all zeros."""
    number = host + 1
    return "02:00:" + ":".join(f"{number >> shift & 255:02x}" for shift in (24, 16, 8, 0))
