"""Which interface is which end of which cable: from the fabric's directed links to pairs of interfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.emulation.names import Names
from testbed.errors import EmulationError
from testbed.fabric import Fabric

HOST_INTERFACE = "eth0"
"""The one interface of a container beside lo."""
GATEWAY_MAC = "0a:00:00:00:00:01"
"""What hosts take for their gateway's."""


@dataclass(frozen=True)
class End:
    """One end of a cable: what leaves here crosses `link`."""

    node: str
    host: int | None
    """Host number, or None at a switch."""
    switch: int | None
    """Place in `fabric.switches`, or None at a host."""
    port: int
    interface: str
    """In the root namespace (or the router's own) for a switch, in the container's for a host."""
    link: int
    """Place in `fabric.links`."""


@dataclass(frozen=True)
class Cable:
    """Two ends; a host, where there is one, is the second."""

    first: End
    second: End

    @property
    def ends(self) -> tuple[End, End]:
        """Both."""
        return self.first, self.second


def make_cables(fabric: Fabric, names: Names) -> tuple[Cable, ...]:
    """The cables of a fabric; EmulationError where a directed link has no opposite or joins two hosts."""
    hosts = {node.name: number for number, node in enumerate(fabric.hosts)}
    switches = {node.name: number for number, node in enumerate(fabric.switches)}
    leaving = {(link.source, link.source_port): number for number, link in enumerate(fabric.links)}

    def end(node: str, port: int, opposite: str) -> End:
        host, switch = hosts.get(node), switches.get(node)
        link = leaving.get((node, port))
        if link is None or fabric.links[link].target != opposite:
            raise EmulationError(f"link {opposite}->{node}: no link leads back from port {port}; a cable has both")
        interface = HOST_INTERFACE if switch is None else names.port(switch, port)
        return End(node, host, switch, port, interface, link)

    cables = []
    for number, link in enumerate(fabric.links):
        source = end(link.source, link.source_port, link.target)
        target = end(link.target, link.target_port, link.source)
        if source.switch is None and target.switch is None:
            raise EmulationError(f"link {link.name}: joins two hosts; a host is attached to a switch")
        if number < target.link:
            cables.append(Cable(source, target) if source.switch is not None else Cable(target, source))
    return tuple(cables)


def link_commands(
    cables: Iterable[Cable], mtu: int, group: int, pids: list[int], macs: list[str], ipv6: bool
) -> list[str]:
    """Lines of the one `ip -batch` that makes all cables, hosts' ends inside their containers.

    `pids` and `macs` are by host number. Interfaces are in the run's link group from their first instant, so that
    clean-up can tell them from others of the same name.
    """
    lines = _veth_commands(cables, mtu, lambda _: f"group {group}", pids, macs)
    for end in switch_ends(cables):
        if ipv6:  # otherwise each port sends router solicitations of its own
            lines.append(f"link set dev {end.interface} addrgenmode none")
        lines.append(f"link set dev {end.interface} up")
    return lines


def routed_link_commands(
    cables: Iterable[Cable], mtu: int, namespaces: Sequence[str], pids: list[int], macs: list[str]
) -> list[str]:
    """Lines of the one `ip -batch` that makes all cables between routers and hosts, each end in its own namespace.

    `namespaces` is by switch number, `pids` and `macs` by host number. Every router port has the Ethernet address of
    the hosts' gateway: whoever sends to a router sends to that.
    """
    return _veth_commands(cables, mtu, lambda switch: f"address {GATEWAY_MAC} netns {namespaces[switch]}", pids, macs)


def _veth_commands(
    cables: Iterable[Cable], mtu: int, of_switch: Callable[[int], str], pids: list[int], macs: list[str]
) -> list[str]:
    """A line per cable; `of_switch` says what else there is to say of the end at a switch, by its number."""

    def end_words(end: End) -> str:
        words = f"name {end.interface} mtu {mtu}"
        if end.host is not None:
            return f"{words} address {macs[end.host]} netns {pids[end.host]}"
        assert end.switch is not None
        return f"{words} {of_switch(end.switch)}"

    return [f"link add {end_words(cable.first)} type veth peer {end_words(cable.second)}" for cable in cables]


def switch_ends(cables: Iterable[Cable]) -> list[End]:
    """The ends that are ports of switches."""
    return [end for cable in cables for end in cable.ends if end.switch is not None]


def ends_by_switch(cables: Iterable[Cable], switches: int) -> list[list[End]]:
    """Per switch, the ends that are its ports."""
    ends: list[list[End]] = [[] for _ in range(switches)]
    for end in switch_ends(cables):
        assert end.switch is not None
        ends[end.switch].append(end)
    return ends


def ports_of(cables: Iterable[Cable], switches: int) -> list[dict[int, str]]:
    """Per switch, port number -> interface."""
    return [{end.port: end.interface for end in ends} for ends in ends_by_switch(cables, switches)]


def has_ipv6() -> bool:
    """Whether this kernel has IPv6."""
    return Path("/proc/sys/net/ipv6").exists()
