"""The link rate that a machine carries with room to spare whatever the workload, and what else would fit: pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testbed.calibration.model import Cost, fullest
from testbed.errors import CalibrationError
from testbed.fabric import Fabric, goodput_share
from testbed.topology.big_switch import BigSwitch
from testbed.topology.build import shape_of
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.shape import LinkSetting, Shape
from testbed.units import format_rate

COMFORTABLE = 0.7
"""Share of what a datapath carries at most that `rate: auto` takes: decisions and controller come on top."""
LARGE_MTU = 9000
_STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
RATES_BPS = tuple(step * 10.0**power for power in range(5, 11) for step in _STEPS)
"""Rates that are proposed: 100 kbit/s to 80 Gbit/s, in round figures."""


@dataclass(frozen=True)
class Proposal:
    """A link rate and why it was chosen."""

    rate_bps: float
    datapath: str
    share: float
    """Of what the datapath carries, with every host sending and receiving at this rate over the longest path."""
    figures: dict[str, Any]
    """Where the costs are from (`origin`) and what they are, in seconds."""

    @property
    def note(self) -> str:
        """What a plan says of it."""
        return (
            f"link.rate auto: {format_rate(self.rate_bps)}, at which all hosts at full rate take {self.share:.0%} of "
            f"what {self.datapath} carries ({self.figures['origin']})"
        )


def propose(fabric: Fabric, datapath: str, cost: Cost, origin: str) -> Proposal:
    """The largest round rate of the hosts' links at which all of them at full rate are COMFORTABLE.

    `fabric` may have any rate: its links keep their proportions. CalibrationError where no rate is that low.
    """
    rate_bps = fabric.links[fabric.uplink[0]].rate_bps
    figures = {"origin": origin, "frame_s": cost.frame_s, "byte_s": cost.byte_s}
    for candidate in reversed(RATES_BPS):
        share = cost.share(fullest(fabric, datapath, candidate / rate_bps))
        if share <= COMFORTABLE:
            return Proposal(candidate, datapath, share, figures)
    raise CalibrationError(
        f"{len(fabric.hosts)} hosts at {format_rate(RATES_BPS[0])} are more than datapath {datapath} carries here "
        f"({origin}); use fewer hosts or another datapath"
    )


def alternatives(fabric: Fabric, datapath: str, cost: Cost) -> list[str]:
    """What would be carried comfortably in place of a fabric, in words: a rate, an MTU, a size. Empty if nothing."""
    words = []
    with contextlib.suppress(CalibrationError):
        words.append(f"link.rate {format_rate(propose(fabric, datapath, cost, '').rate_bps)}")
    link = fabric.links[fabric.uplink[0]]
    shape = shape_of(fabric)
    if fabric.mtu < LARGE_MTU and _fits(shape, link.rate_bps, LARGE_MTU, datapath, cost):
        words.append(f"link.mtu {LARGE_MTU}")
    for name, smaller in _smaller(shape):
        if _fits(smaller, link.rate_bps, fabric.mtu, datapath, cost):
            words.append(name)
            break
    return words


def _fits(shape: Shape, rate_bps: float, mtu: int, datapath: str, cost: Cost) -> bool:
    link = LinkSetting(rate_bps, rate_bps / 8 * goodput_share(mtu), buffer_bytes=0)
    return cost.share(fullest(shape.build(link, link, mtu), datapath)) <= COMFORTABLE


def _smaller(shape: Shape) -> Iterator[tuple[str, Shape]]:
    """The same kind of topology with less and less in it, each with the field that says so."""
    if isinstance(shape, FatTree):
        for k in range(shape.k - 2, 1, -2):
            yield f"k {k}", FatTree(k)
    elif isinstance(shape, LeafSpine):
        for hosts in range(shape.hosts_per_leaf - 1, 0, -1):
            yield f"hosts_per_leaf {hosts}", LeafSpine(shape.leaves, shape.spines, hosts)
    elif isinstance(shape, BigSwitch):
        for ports in range(shape.ports - 1, 1, -1):
            yield f"ports {ports}", BigSwitch(ports)
