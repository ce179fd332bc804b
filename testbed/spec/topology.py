"""Models of the topology file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from testbed.fabric import ETHERNET_HEADER, goodput_share
from testbed.spec.quantities import MAX_HOSTS, Duration, Flag, Rate, RateOrAuto, Share, Size, Time, name, number, whole
from testbed.spec.validation import Spec

DEFAULT_RATE_BPS = 20e6
LARGEST_WINDOW = 2**30
"""Bytes: more, TCP cannot say."""

SwitchCount = Annotated[int, whole("a number of switches", 1, 4096)]


class LinkSpec(Spec):
    """One cable, both directions alike. Its rate is given as `rate` (frames) or as `goodput` (payload)."""

    rate: RateOrAuto | None = None
    """Bits per second that the link is shaped to, Ethernet frames counted; 20 Mbit/s where no goodput is given."""
    goodput: Rate | None = None
    """Bits per second of TCP payload, as simulators state it."""
    mtu: Annotated[int, whole("an MTU in bytes", 576, 65_535)] = 9000
    buffer: Size = 256_000
    queueing: Literal["fifo", "per-flow"] = "fifo"
    """One queue for all flows of a class, or one for each; `buffer` is the length of each queue."""
    delay: Time = 0.0
    loss: Share = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> LinkSpec:
        if self.rate is not None and self.goodput is not None:
            raise ValueError("rate and goodput exclude each other; expected one of them")
        return self

    @field_validator("buffer")
    @classmethod
    def _holds_a_frame(cls, buffer: int, others: ValidationInfo) -> int:
        frame = others.data.get("mtu", 0) + ETHERNET_HEADER
        if buffer < frame:
            raise ValueError(f"{buffer} B is less than a frame of MTU {others.data['mtu']}; expected {frame} B or more")
        return buffer

    @property
    def rate_bps(self) -> float:
        """Bits per second of Ethernet frames; ValueError for `auto`, which has none before a calibration."""
        if self.rate == "auto":
            raise ValueError("a link's rate is auto")
        if self.goodput is not None:
            return self.goodput / goodput_share(self.mtu)
        return self.rate if isinstance(self.rate, float) else DEFAULT_RATE_BPS

    @property
    def capacity_Bps(self) -> float:
        """Bytes per second of TCP payload."""
        if self.goodput is not None:
            return self.goodput / 8
        return self.rate_bps / 8 * goodput_share(self.mtu)


class TcpSpec(Spec):
    """What TCP does in the emulated hosts."""

    congestion: Annotated[str, name("a congestion control such as cubic, reno or bbr", "[a-z][a-z0-9_]{0,15}")] = (
        "cubic"
    )
    initcwnd: Annotated[int, whole("a window in segments", 1, 1000)] = 2
    rto_min: Duration = 0.01
    ecn: Flag = False
    window: Size | None = None
    """Most that a receiver lets its sender have under way; the kernel's own limit where it is not given."""


class HostsSpec(Spec):
    """Limits of each emulated host's container."""

    image: Annotated[str, name("a container image such as coflow-actor", "[a-z0-9][a-zA-Z0-9._/:@-]{0,200}")] = (
        "coflow-actor"
    )
    memory: Size = 128_000_000
    cpus: Annotated[float, number("a number of CPUs", 0, 1024, above=True)] = 1.0


class RoutingSpec(Spec):
    """How a flow gets its path among several."""

    ecmp: Literal["per-flow", "hash", "single-path"] = "per-flow"


class TopologySpec(Spec):
    """What every kind of topology states."""

    link: LinkSpec = LinkSpec()
    tcp: TcpSpec = TcpSpec()
    oversubscription: Annotated[float, number("an oversubscription", 1, 1000)] = 1.0
    """The links between switches have rate / oversubscription."""
    hosts: HostsSpec = HostsSpec()
    routing: RoutingSpec = RoutingSpec()
    datapath: Literal["auto", "ovs-kernel", "ovs-user", "router"] = "auto"

    @model_validator(mode="after")
    def _window_in_bounds(self) -> TopologySpec:
        window, least = self.tcp.window, 2 * self.link.mtu
        if window is not None and not least <= window <= LARGEST_WINDOW:
            raise ValueError(
                f"tcp.window is {window} B; expected two packets of link.mtu, {least} B, to {LARGEST_WINDOW} B"
            )
        return self

    @model_validator(mode="after")
    def _paths_known(self) -> TopologySpec:
        if self.link.queueing == "per-flow" and self.routing.ecmp == "hash":
            raise ValueError(
                "link.queueing per-flow needs to know what crosses a port, and with routing.ecmp hash the switches "
                "choose; expected ecmp per-flow or single-path, or queueing fifo"
            )
        return self


class FatTreeSpec(TopologySpec):
    """A k-ary fat-tree: k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 cores, k^3/4 hosts."""

    kind: Literal["fat-tree"]
    k: Annotated[int, whole("an even number", 2, 64)] = Field(description="the number of pods, an even number")

    @field_validator("k")
    @classmethod
    def _even(cls, k: int) -> int:
        if k % 2:
            raise ValueError(f"expected an even number, found {k}; the nearest are {k - 1} and {k + 1}")
        return k

    @property
    def host_count(self) -> int:
        """Number of hosts."""
        return self.k**3 // 4

    @property
    def via_count(self) -> int:
        """Number of core switches, one of which a path may cross."""
        return self.k**2 // 4

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"fat-tree k={self.k}"


class LeafSpineSpec(TopologySpec):
    """Leaf switches with hosts, every leaf connected to every spine."""

    kind: Literal["leaf-spine"]
    leaves: SwitchCount = Field(description="the number of leaf switches")
    spines: SwitchCount = Field(description="the number of spine switches")
    hosts_per_leaf: Annotated[int, whole("a number of hosts", 1, MAX_HOSTS)] = Field(
        description="the number of hosts on each leaf switch"
    )

    @model_validator(mode="after")
    def _bounded(self) -> LeafSpineSpec:
        if self.host_count < 2:
            raise ValueError("1 host; expected at least 2: a flow needs two ends")
        if self.host_count > MAX_HOSTS or self.leaves * self.spines > MAX_HOSTS:
            raise ValueError(
                f"{self.host_count} hosts and {self.leaves * self.spines} cables between switches; "
                f"expected at most {MAX_HOSTS} of each"
            )
        return self

    @property
    def host_count(self) -> int:
        """Number of hosts."""
        return self.leaves * self.hosts_per_leaf

    @property
    def via_count(self) -> int:
        """Number of spines, one of which a path may cross."""
        return self.spines

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"leaf-spine {self.leaves}x{self.spines}"


class BigSwitchSpec(TopologySpec):
    """Every host on one switch: only the hosts' own links limit anything."""

    kind: Literal["big-switch"]
    ports: Annotated[int, whole("a number of ports", 2, MAX_HOSTS)] = Field(description="the number of ports")

    @field_validator("oversubscription")
    @classmethod
    def _no_core(cls, oversubscription: float) -> float:
        if oversubscription != 1:
            raise ValueError(f"a big switch has no links between switches; found {oversubscription:g}, expected 1")
        return oversubscription

    @property
    def host_count(self) -> int:
        """Number of hosts."""
        return self.ports

    @property
    def via_count(self) -> int:
        """None: a path needs no choice."""
        return 0

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"big-switch {self.ports} ports"


AnyTopology = FatTreeSpec | LeafSpineSpec | BigSwitchSpec

TOPOLOGY_KINDS: dict[str, type[AnyTopology]] = {
    "fat-tree": FatTreeSpec,
    "leaf-spine": LeafSpineSpec,
    "big-switch": BigSwitchSpec,
}
