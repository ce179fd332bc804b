"""A host's addresses, routes and TCP settings: all stated, nothing inherited, and no ARP.

Every address is a /32 on the one interface. All others are reached through a gateway that does not exist: its
neighbour entry is permanent, the switches look at IP addresses only (or, as routers, answer to that MAC on every port),
and the last one writes the receiver's MAC in.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from pathlib import Path

from testbed.emulation.command import run
from testbed.emulation.wiring import GATEWAY_MAC, HOST_INTERFACE, has_ipv6
from testbed.errors import CapabilityError, EmulationError
from testbed.plan import Address, TcpSetting

GATEWAY = "169.254.1.1"
_AVAILABLE = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")


def container_sysctls(tcp: TcpSetting) -> dict[str, str]:
    """Settings of a container's network namespace, for Docker to make before the container starts."""
    settings = {
        "net.ipv4.tcp_ecn": str(int(tcp.ecn)),
        "net.ipv4.tcp_no_metrics_save": "1",  # no flow inherits what an earlier one learned
        "net.ipv4.tcp_timestamps": "1",  # goodput is computed with them
        "net.ipv4.tcp_sack": "1",
        "net.ipv4.tcp_window_scaling": "1",
        "net.ipv4.tcp_mtu_probing": "0",
        "net.ipv4.ping_group_range": "0 2147483647",  # ping without a capability
    }
    if has_ipv6():
        settings |= {f"net.ipv6.conf.{which}.disable_ipv6": "1" for which in ("all", "default")}
    return settings


def host_commands(address: Address, tcp: TcpSetting, prefixes: Iterable[str]) -> list[str]:
    """Lines for `ip -batch` inside a container; `prefixes[c]` holds every host's address via core c.

    The routes carry what TCP shall do: congestion control as a route attribute works also for one that an
    unprivileged namespace may not choose. Each prefix has a route with the own address of that core as its source
    hint, so that a socket that binds to nothing takes the path its peer's address names, both ways.
    """
    device = HOST_INTERFACE
    lines = [f"link set dev {device} up"]
    lines += [f"addr add {own}/32 dev {device}" for own in (address.primary, *address.via)]
    lines.append(f"neigh replace {GATEWAY} lladdr {GATEWAY_MAC} dev {device} nud permanent")
    through = f"via {GATEWAY} dev {device} onlink"
    behaviour = f"initcwnd {tcp.initcwnd} rto_min {_milliseconds(tcp.rto_min_s)}ms congctl {tcp.congestion}"
    if tcp.window_bytes is not None:
        behaviour += f" window {tcp.window_bytes}"
    lines.append(f"route add default {through} src {address.primary} {behaviour}")
    for prefix, own in zip(prefixes, address.via, strict=True):
        lines.append(f"route add {prefix} {through} src {own} {behaviour}")
    return lines


def core_prefixes(addresses: Iterable[Address]) -> list[str]:
    """Per core, the smallest prefix that holds every host's address via it.

    EmulationError where prefixes overlap: then an address would not name its path.
    """
    known = list(addresses)
    if not known:
        return []
    nets = [_common_prefix([address.via[core] for address in known]) for core in range(len(known[0].via))]
    primaries = _common_prefix([address.primary for address in known])
    for number, net in enumerate(nets):
        for other in [*nets[number + 1 :], primaries]:
            if net.overlaps(other):
                raise EmulationError(f"addresses via core {number} ({net}) overlap with {other}; expected them apart")
    return [str(net) for net in nets]


def require_congestion_control(name: str) -> None:
    """Load a congestion control module where it is one; CapabilityError where this kernel lacks it."""
    if name not in available_congestion_controls():
        with contextlib.suppress(EmulationError):
            run(["modprobe", "--quiet", f"tcp_{name}"])
        available = available_congestion_controls()
        if name not in available:
            raise CapabilityError(
                f"tcp.congestion: this kernel has no '{name}'; it has: {', '.join(sorted(available))}; "
                "choose one of these in the topology file"
            )


def available_congestion_controls() -> list[str]:
    """The TCP congestion controls that are loaded."""
    return _AVAILABLE.read_text().split()


def _common_prefix(addresses: Iterable[str]) -> ipaddress.IPv4Network:
    numbers = [int(ipaddress.IPv4Address(address)) for address in addresses]
    differing = 0
    for number in numbers:
        differing |= number ^ numbers[0]
    length = 32 - differing.bit_length()
    return ipaddress.IPv4Network((numbers[0] >> (32 - length) << (32 - length) if length else 0, length))


def _milliseconds(seconds: float) -> int:
    """What a route's rto_min can say: whole milliseconds, at least one."""
    return max(1, round(seconds * 1e3))
