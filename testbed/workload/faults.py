"""From the faults of a workload to those of a plan: in order, and of things that the network has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from testbed.errors import SpecError, unknown_name
from testbed.fabric import Fabric
from testbed.faults import Fault, ends_of
from testbed.spec.document import Key
from testbed.spec.faults import FaultSpec, in_order
from testbed.units import format_rate


def planned_faults(
    specs: Sequence[FaultSpec], fabric: Fabric, error: Callable[[tuple[Key, ...], str], SpecError]
) -> tuple[Fault, ...]:
    """The faults in the order in which they happen; SpecError for what this network does not have."""
    rate_bps = {ends_of((link.source, link.target)): link.rate_bps for link in fabric.links} if specs else {}
    switches = {node.name for node in fabric.switches} if specs else set()
    nodes = {node.name for node in fabric.nodes} if specs else set()
    faults = []
    for number, spec in in_order(specs):
        here: tuple[Key, ...] = ("workload", "faults", number)
        if spec.link is not None:
            for end in spec.link:
                if end not in nodes:
                    raise error((*here, "link"), _unknown("node", end, nodes))
            if ends_of(spec.link) not in rate_bps:
                joined = sorted({end for ends in rate_bps if spec.link[0] in ends for end in ends} - {spec.link[0]})
                raise error(
                    (*here, "link"),
                    f"no link joins {spec.link[0]} and {spec.link[1]}; {spec.link[0]} has links to {_some(joined)}",
                )
            most = rate_bps[ends_of(spec.link)]
            if spec.rate is not None and spec.rate > most:
                raise error((*here, "rate"), f"{format_rate(spec.rate)} is above the link's own {format_rate(most)}")
            found: tuple[str, ...] = spec.link
        elif spec.switch is not None:
            if spec.switch not in switches:
                raise error((*here, "switch"), _unknown("switch", spec.switch, switches))
            found = (spec.switch,)
        else:
            assert spec.host is not None
            if spec.host >= len(fabric.hosts):
                raise error(
                    (*here, "host"),
                    f"host {spec.host} is out of range: the topology has the hosts 0 to {len(fabric.hosts) - 1}",
                )
            found = (fabric.hosts[spec.host].name,)
        faults.append(Fault(spec.at, spec.event, found, spec.rate))
    return tuple(faults)


def _unknown(what: str, name: str, known: set[str]) -> str:
    if len(known) <= 40:
        return unknown_name(what, name, known)
    return f"unknown {what} '{name}'; known: {_some(sorted(known))}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
