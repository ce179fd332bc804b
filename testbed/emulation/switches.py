"""What stands for the switches of an emulated network: one class for Open vSwitch, one for Linux routers."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from testbed.emulation.command import batch
from testbed.emulation.containers import HostHandle
from testbed.emulation.parallel import in_parallel
from testbed.emulation.port_trees import PortTree
from testbed.emulation.state import RunState
from testbed.emulation.wiring import Cable, End
from testbed.faults import Condition
from testbed.plan import Plan

TreeOf = Callable[[End], PortTree]
"""The queueing of the interface at one end of a cable."""


class Switches(ABC):
    """All switches of one run, in the order in which their methods are called; everything is made in batches.

    `services` is closed last of all, when hosts, interfaces and switches are gone.
    """

    phases: ClassVar[tuple[str, str]]
    """What `prepare` and `install` are called in the figures of a bring-up."""

    def __init__(
        self,
        plan: Plan,
        state: RunState,
        cables: Sequence[Cable],
        services: contextlib.ExitStack,
        log: Callable[[str], None],
    ) -> None:
        self.plan = plan
        self.state = state
        self.cables = cables
        self.services = services
        self.log = log

    @property
    @abstractmethod
    def frames_per_segment(self) -> int:
        """The most frames that a host may send as one segment; TCP makes large ones unless it is told."""

    @abstractmethod
    def prepare(self) -> None:
        """What must be there before cables are."""

    @abstractmethod
    def connect(self, hosts: Sequence[HostHandle]) -> None:
        """Make all cables, hosts' ends inside their containers."""

    @abstractmethod
    def prepare_host(self, interface: str, pid: int) -> None:
        """Switch off what a host's interface offers and these switches cannot carry."""

    @abstractmethod
    def install(self, controller: tuple[str, int] | None) -> None:
        """Make the cables' ends ports of switches; `controller` is where OpenFlow switches connect to."""

    @abstractmethod
    def shape(self, tree_of: TreeOf) -> None:
        """Put a queueing tree on every port, read it back and compare."""

    @abstractmethod
    def namespace(self, switch: int) -> Path | None:
        """The network namespace that a switch's ports are in, None for the root one."""

    def set_ports(self, down: Sequence[End], up: Sequence[End]) -> None:
        """Set ports down, and others up again, in one batch for each network namespace."""
        lines: dict[Path | None, list[str]] = {}
        for ends, state in ((down, "down"), (up, "up")):
            for end in ends:
                assert end.switch is not None
                lines.setdefault(self.namespace(end.switch), []).append(f"link set dev {end.interface} {state}")
        in_parallel(lambda where: batch("ip", lines[where], netns_of=where), lines)

    def set_routes(self, condition: Condition) -> None:
        """Take the ways that a condition of the network leaves; nothing where a controller decides on routes."""
        return

    @abstractmethod
    def mininet_switch(self, switch: int) -> tuple[type[Any], dict[str, Any]]:
        """The class of a switch as a Mininet node, and what its constructor takes beside the name."""

    @abstractmethod
    def check_alive(self) -> None:
        """EmulationError if a switch is gone. Cheap."""

    def pids(self) -> list[int]:
        """Processes that were started for this run's switches alone."""
        return []

    def forwarding_thread(self) -> int | None:
        """The thread that forwards by polling; None where the kernel forwards."""
        return None

    def facts(self) -> dict[str, Any]:
        """What the records shall say of these switches."""
        return {}

    @abstractmethod
    def stop(self) -> None:
        """End what forwards; called while containers are being removed."""

    @abstractmethod
    def remove(self) -> None:
        """Delete the ports; called when the containers are gone."""
